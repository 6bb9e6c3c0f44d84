"""Reasons are asked for in JSON and read as a table."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from cli import invoke, output, reasons, target
from cli.problem import Problem
from tests.cli.conftest import Road

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


def test_a_table_for_each_row(capsys: pytest.CaptureFixture[str]) -> None:
    output.draw(reasons.tables(ANSWER), output.facts)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]

    assert " ".join(lines[0]) == "row 1: score 0.8000, log-odds +1.386 = base -0.500 and what the columns add"
    assert lines[1:4] == [["column", "value", "adds"], ["poutcome", "success", "+2.000"], ["age", "nothing", "-0.114"]]
    assert " ".join(lines[4]).startswith("row 2: score 0.2000, log-odds -1.390 =")
    assert lines[6] == ["age", "41", "-0.900"]


class Endpoint:
    """A target, its clients and the endpoint behind them."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}

    def client(self, *_: Any) -> Endpoint:
        return self

    def invoke_endpoint(self, **request: Any) -> Any:
        self.asked = request
        return {"Body": io.BytesIO(json.dumps(ANSWER).encode())}


@pytest.mark.parametrize(("json_wanted", "first"), [(False, "row 1: score 0.8000,"), (True, json.dumps(ANSWER))])
def test_a_person_gets_tables_and_a_machine_the_endpoints_own_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], json_wanted: bool, first: str
) -> None:
    endpoint = Endpoint()
    monkeypatch.setattr(target, "choose", lambda _: endpoint)
    (tmp_path / "lead.json").write_text('{"age": 41}')
    invoke.invoke("lead_scoring", json_file=tmp_path / "lead.json", explain=True, json=json_wanted)

    assert capsys.readouterr().out.strip().startswith(first)
    assert endpoint.asked["ContentType"] == invoke.JSON
    assert json.loads(endpoint.asked["Body"]) == {"instances": [{"age": 41}], "explain": True}


def test_without_explain_the_request_goes_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = Endpoint()
    monkeypatch.setattr(target, "choose", lambda _: endpoint)
    (tmp_path / "leads.csv").write_text("58,admin.\n")
    invoke.invoke("lead_scoring", csv_file=tmp_path / "leads.csv")

    assert (endpoint.asked["ContentType"], endpoint.asked["Body"]) == (invoke.CSV, b"58,admin.\n")


def test_reasons_of_csv_are_one_line_of_refusal(road: Road, tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_text("58,admin.,married\n")
    done = road("invoke", "lead_scoring", "--explain", "--csv-file", str(tmp_path / "leads.csv"))

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].endswith("give rows as JSON: CSV has no place to ask for reasons")
