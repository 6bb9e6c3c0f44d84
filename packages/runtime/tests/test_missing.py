"""Columns whose cells may be missing, from a file with empty cells to a served model that accepts null; the others refuse it as ever."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bodies
import numpy as np
import pytest
from container import MODEL, job, put_rows
from hypothesis import given
from hypothesis import strategies as st

from paved_runtime import artifact, golden, openapi, spec
from paved_runtime.invocations import Invocations
from paved_runtime.media_types import CSV, JSON, RequestError
from paved_runtime.prepare import prepare
from paved_runtime.requests import Question, Requests
from paved_runtime.spec import Column
from paved_runtime.train import train

MISSING = {"age": 0.1, "poutcome": 0.05}
WHOLE = spec.load(MODEL)


def optional(column: Column, share: float) -> Column:
    return column.model_copy(update={"missing": share})


COLUMNS = {name: optional(column, MISSING.get(name, 0)) for name, column in WHOLE.data.columns.items()}
SPEC = WHOLE.model_copy(update={"data": WHOLE.data.model_copy(update={"columns": COLUMNS})})
REQUESTS = Requests(SPEC.data)
ROW: dict[str, Any] = bodies.ROW
INSTANCES = [ROW, ROW | {"age": None}, ROW | {"poutcome": None}, ROW | dict.fromkeys(MISSING)]


@pytest.fixture(scope="module")
def emptied(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ML_ROOT with a data set in which every tenth age and every twentieth outcome of an earlier campaign are missing."""
    root = tmp_path_factory.mktemp("emptied")
    with data.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    empty = [{name: "" for name, share in MISSING.items() if number % round(1 / share) == 0} for number in range(len(rows))]
    put_rows(root, [row | cells for row, cells in zip(rows, empty, strict=True)])
    return root


@pytest.fixture(scope="module")
def model(emptied: Path) -> Invocations:
    """A model trained on it, loaded."""
    prepare(job(emptied, SPEC))
    train(job(emptied, SPEC))
    return Invocations.load(SPEC, emptied / "model")


@pytest.mark.usefixtures("model")
def test_empty_cells_are_counted_in_the_profile(emptied: Path) -> None:
    columns = artifact.read_json(emptied / "model" / artifact.DATA)["columns"]

    assert {name for name, column in columns.items() if column["missing"]} == set(MISSING)
    assert columns["age"]["missing"] == pytest.approx(0.1 * 3200, rel=0.15)


def test_a_missing_cell_is_scored_in_json_and_csv_alike(model: Invocations) -> None:
    answer = json.loads(model.reply(JSON, json.dumps({"instances": INSTANCES}).encode()).body)
    lines = "".join(",".join("" if row[name] is None else str(row[name]) for name in COLUMNS) + "\n" for row in INSTANCES)
    scores = [prediction["score"] for prediction in answer["predictions"]]

    assert [float(line) for line in model.reply(CSV, lines.encode()).body.split()] == pytest.approx(scores, abs=1e-7)
    assert len(set(scores)) > 1


def test_the_reasons_of_a_row_with_missing_cells_sum_up(model: Invocations) -> None:
    answer = json.loads(model.reply(JSON, json.dumps({"instances": INSTANCES, "explain": True}).encode()).body)

    for row, prediction in zip(INSTANCES, answer["predictions"], strict=True):
        total = answer["base"] + sum(reason["contribution"] for reason in prediction["reasons"])
        assert total == pytest.approx(math.log(prediction["score"] / (1 - prediction["score"])), abs=1e-4)
        assert {reason["column"]: reason["value"] for reason in prediction["reasons"]} == row


def test_golden_requests_have_missing_cells_and_none_where_none_may_be(model: Invocations) -> None:
    recorded = golden.record(SPEC, model)
    rows = recorded["requests"][-1]["body"]["instances"]

    golden.replay(json.loads(json.dumps(recorded)), model)
    assert {name for row in rows for name, value in row.items() if value is None} == set(MISSING)


def test_where_every_cell_may_be_missing_null_is_no_bad_request() -> None:
    columns = {name: optional(column, 0.5) for name, column in COLUMNS.items()}
    anything = SPEC.model_copy(update={"data": SPEC.data.model_copy(update={"columns": columns})})
    needed, none = (golden._bad_requests(model, ROW) for model in (SPEC, anything))

    assert len(needed) == len(none) + 1
    assert not [bad for bad in none if "null" in bad["body"]]


def test_the_schema_says_where_null_is_accepted() -> None:
    content = openapi.invocations(SPEC, None)["post"]["requestBody"]["content"][JSON]["schema"]["oneOf"]
    properties = next(schema for schema in content if "age" in schema.get("properties", ()))["properties"]

    assert properties["age"] == {"anyOf": [{"type": "integer", "minimum": 18, "maximum": 120}, {"type": "null"}]}
    assert {name for name in COLUMNS if "anyOf" in properties[name]} == set(MISSING)


scalars = st.none() | st.booleans() | st.integers(0, 130) | st.floats() | st.sampled_from(["success", "yes", ""])
edits = st.dictionaries(st.sampled_from([*MISSING, "job", "day", "duration"]), scalars, max_size=4)


@given(st.lists(edits, min_size=1, max_size=3))
def test_the_fast_reading_agrees_with_the_plain_one(changes: list[dict[str, Any]]) -> None:
    body = json.dumps({"instances": [ROW | change for change in changes]}).encode()

    assert outcome(REQUESTS.json, body) == outcome(REQUESTS.plain, body)


def outcome(read: Callable[[bytes], Question], body: bytes) -> list[str] | str:
    try:
        table = read(body).table
    except RequestError as error:
        return f"{error.status} {error}"
    assert table is not None
    return list(map(repr, table.values.ravel().tolist()))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (ROW | {"job": None}, "column 'job': expected one of"),
        (ROW | {"day": None}, "column 'day': expected an integer between 1 and 31, found null"),
        (ROW | {"age": ""}, "column 'age': expected an integer between 18 and 120, null or an empty cell, found ''"),
        (
            {name: value for name, value in ROW.items() if name != "age"},
            "column 'age': expected an integer between 18 and 120, null or an empty cell, found nothing",
        ),
    ],
)
def test_what_is_still_refused(row: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        REQUESTS.json(json.dumps({"instances": [row]}).encode())


def test_null_is_nan() -> None:
    table = REQUESTS.json(json.dumps({"instances": INSTANCES}).encode()).table

    assert table is not None
    assert np.isnan(table["age"]).tolist() == [False, True, False, True]
    assert np.isnan(table["poutcome"]).tolist() == [False, False, True, True]
    assert not np.isnan(table["job"]).any()
