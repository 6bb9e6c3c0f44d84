"""Reasons are asked for in JSON and read as a table."""

from __future__ import annotations

import json

import pytest

from cli import output, reasons
from cli.problem import Problem
from tests import reference

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
    answer = {"predictions": [{"score": 0.2, "reasons": [reason]}], "base": -0.5, "method": "sampled"}
    output.draw(reasons.tables(answer, reference.model()), output.facts)

    assert capsys.readouterr().out.splitlines()[2].split() == ["age", "41", "-0.900", "±", "0.013"]


def test_a_table_for_each_row(capsys: pytest.CaptureFixture[str]) -> None:
    output.draw(reasons.tables(ANSWER, reference.model()), output.facts)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]

    assert " ".join(lines[0]) == "row 1: score 0.8000, log-odds +1.386 = base -0.500 and what the columns add"
    assert lines[1:4] == [["column", "value", "adds"], ["poutcome", "success", "+2.000"], ["age", "nothing", "-0.114"]]
    assert " ".join(lines[4]).startswith("row 2: score 0.2000, log-odds -1.390 =")
    assert lines[6] == ["age", "41", "-0.900"]


def test_a_class_is_shown_with_the_others_and_its_own_base(capsys: pytest.CaptureFixture[str]) -> None:
    scores = {"low": 0.1, "medium": 0.7, "high": 0.15, "severe": 0.05}
    row = {"class": "medium", "scores": scores, "reasons": [{"column": "debt", "value": 2, "contribution": 0.5}]}
    answer = {"predictions": [row], "base": {"low": -1.0, "medium": 0.347, "high": 0.0, "severe": -2.0}}
    output.draw(reasons.tables(answer, reference.model("risk_grade")), output.facts)
    shown = " ".join(capsys.readouterr().out.split())

    assert shown.startswith("row 1: medium 0.7000 (low 0.1000, high 0.1500, severe 0.0500), log-odds +0.847 = base +0.347 and what")


def test_a_number_is_shown_in_its_own_unit(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"score": 12_000.5, "reasons": [{"column": "debt", "value": 2, "contribution": -1999.5}]}
    output.draw(reasons.tables({"predictions": [row], "base": 14_000.0}, reference.model("claim_amount")), output.facts)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]

    assert lines[0] == "row 1: score 12000.5000 = base +14000.000 and what the columns add"
    assert lines[2] == "debt 2 -1999.500"
