"""`road invoke`: a machine gets the endpoint's own answer, a person tables of reasons."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

import naming
from cli.commands import invoke
from cli.endpoint import CSV
from tests import reference
from tests.reference import CONFIG
from tests.support.fakes import Fake
from tests.support.road import Road
from tests.support.target import FakeTarget

MODEL, PLACE = reference.model(), CONFIG.environments[-1]
REASONS = [{"column": "poutcome", "value": "success", "contribution": 2.0}, {"column": "age", "value": 41, "contribution": -0.113706}]
ANSWER = {"predictions": [{"score": 0.8, "reasons": REASONS}], "base": -0.5, "model_version": "0123"}


def endpoint() -> Fake:
    """A SageMaker runtime with one answer."""
    return Fake(invoke_endpoint=lambda **_: {"Body": io.BytesIO(json.dumps(ANSWER).encode())})


@pytest.mark.parametrize(("tables", "first"), [(True, "row 1: score 0.8000,"), (False, json.dumps(ANSWER))])
def test_a_person_gets_tables_and_a_machine_the_endpoints_own_answer(capsys: pytest.CaptureFixture[str], tables: bool, first: str) -> None:
    runtime = endpoint()
    invoke.score(FakeTarget(sagemaker_runtime=runtime), MODEL, PLACE, b"1,2", CSV, tables=tables)

    assert capsys.readouterr().out.strip().startswith(first)
    (request,) = runtime.asked("invoke_endpoint")
    name = naming.endpoint(CONFIG, MODEL.name, PLACE)
    assert request == {"EndpointName": name, "Body": b"1,2", "ContentType": CSV, "Accept": CSV}


def test_reasons_of_csv_are_one_line_of_refusal(road: Road, tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_text("58,admin.,married\n")
    done = road("invoke", MODEL.name, "--explain", "--csv-file", str(tmp_path / "leads.csv"))

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].endswith("give rows as JSON: CSV has no place to ask for reasons")
