"""Reasons are asked for in JSON and read as a table."""

from __future__ import annotations

import json

import pytest

from cli import output, reasons
from cli.problem import Problem

ANSWER = {
    "predictions": [
        {
            "score": 0.8,
            "reasons": [
                {"column": "poutcome", "value": "success", "contribution": 2.0},
                {"column": "age", "value": None, "contribution": -0.113706},
            ],
        },
        {
            "score": 0.2,
            "reasons": [
                {"column": "age", "value": 41, "contribution": -0.9},
                {"column": "poutcome", "value": "other", "contribution": 0.01},
            ],
        },
    ],
    "base": -0.5,
    "model_version": "0123",
}


@pytest.mark.parametrize(
    "body",
    [{"age": 41}, {"instances": [{"age": 41}]}, {"instances": [{"age": 41}], "explain": False}],
)
def test_any_json_request_can_be_asked_for_reasons(body: object) -> None:
    assert json.loads(reasons.asking(json.dumps(body).encode())) == {"instances": [{"age": 41}], "explain": True}


@pytest.mark.parametrize("body", [b"58,admin.,married\n", b"58", b"[{}]", b"", b"\xff"])
def test_what_has_no_place_to_ask_for_reasons(body: bytes) -> None:
    with pytest.raises(Problem, match=r"^explain: the request is no") as caught:
        reasons.asking(body)
    assert caught.value.code == 2


def test_sampled_reasons_are_shown_with_their_error(capsys: pytest.CaptureFixture[str]) -> None:
    reason = {"column": "age", "value": 41, "contribution": -0.9, "error": 0.0126}
    output.draw(reasons.tables({"predictions": [{"score": 0.2, "reasons": [reason]}], "base": -0.5, "method": "sampled"}), output.facts)

    assert capsys.readouterr().out.splitlines()[2].split() == ["age", "41", "-0.900", "±", "0.013"]


def test_a_table_for_each_row(capsys: pytest.CaptureFixture[str]) -> None:
    output.draw(reasons.tables(ANSWER), output.facts)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]

    assert " ".join(lines[0]) == "row 1: score 0.8000, log-odds +1.386 = base -0.500 and what the columns add"
    assert lines[1:4] == [["column", "value", "adds"], ["poutcome", "success", "+2.000"], ["age", "nothing", "-0.114"]]
    assert " ".join(lines[4]).startswith("row 2: score 0.2000, log-odds -1.390 =")
    assert lines[6] == ["age", "41", "-0.900"]
