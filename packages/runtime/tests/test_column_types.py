"""Booleans and dates, from a file's cells to a served model's reasons: every way in reads them alike, and every check knows them."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from container import MODEL, job, put_rows
from hypothesis import given
from hypothesis import strategies as st

from paved_runtime import artifact, behaviour, contract, dates, drift, golden, openapi, rules, spec, tasks
from paved_runtime.csv_requests import CsvRequests
from paved_runtime.evaluate import evaluate
from paved_runtime.groups import groups
from paved_runtime.invocations import Invocations
from paved_runtime.media_types import CSV, JSON, RequestError
from paved_runtime.monitoring.baseline import Baseline
from paved_runtime.monitoring.bodies import Body
from paved_runtime.monitoring.request_log import Exchange, Reader
from paved_runtime.prepare import prepare
from paved_runtime.requests import Question, Requests
from paved_runtime.spec import Boolean, Column, Date
from paved_runtime.table import Examples, Table
from paved_runtime.train import train

WHOLE = spec.load(MODEL)
FIRST, LAST = date(2020, 1, 1), date(2027, 12, 31)
LOAN = Boolean(type="boolean", true="yes", false="no")
HOUSING = LOAN.model_copy(update={"missing": 0.3})
CONTACTED = Date(type="date", minimum=FIRST, maximum=LAST, missing=0.95)
COLUMNS: dict[str, Column] = {**WHOLE.data.columns, "loan": LOAN, "housing": HOUSING, "pdays": CONTACTED}
GATES = WHOLE.gates.model_copy(update={"behaviour": spec.Behaviour()})  # the frozen model's names cells that are others now
SPEC = WHOLE.model_copy(update={"data": WHOLE.data.model_copy(update={"columns": COLUMNS}), "gates": GATES})
REQUESTS, CSV_REQUESTS = Requests(SPEC.data), CsvRequests(SPEC.data)
PLAIN: dict[str, Any] = {name: golden._edge(column, -1) for name, column in WHOLE.data.columns.items()}
ROW = PLAIN | {"loan": True, "housing": False, "pdays": "2026-11-30"}
INSTANCES = [ROW, ROW | {"loan": False}, ROW | {"housing": None}, ROW | {"pdays": None}, ROW | {"pdays": "2020-01-01", "housing": True}]

days = st.dates(FIRST, LAST)
columns: st.SearchStrategy[Column] = st.one_of(
    st.just(LOAN),
    st.just(Boolean(type="boolean")),
    st.tuples(st.dates(), st.dates()).map(lambda ends: Date(type="date", minimum=min(ends), maximum=max(ends))),
    st.just(Date(type="date", minimum=FIRST, maximum=LAST)),
)
cells = st.sampled_from(
    ["true", "false", "yes", "no", "TRUE", "1", "", "2026-02-30", "20261130", "2026-11-30T00:00:00", "\u0662\u0660\u0662\u0666-11-30"]
)
cells |= days.map(date.isoformat) | st.dates().map(date.isoformat) | st.text(max_size=12)


def parsed(rule: rules.Rule, cell: str) -> float | str:
    try:
        return rule.parse(cell)
    except rules.RuleError as error:
        return error.broken


@given(columns, st.booleans(), st.lists(cells, max_size=5))
def test_many_cells_are_parsed_as_each_is(column: Column, may_be_empty: bool, given_cells: list[str]) -> None:
    rule = rules.OptionalRule(rules.of(column)) if may_be_empty else rules.of(column)
    one_by_one = [parsed(rule, cell) for cell in given_cells]

    if broken := [word for word in one_by_one if isinstance(word, str)]:
        with pytest.raises(rules.RuleError) as caught:
            rule.parse_all(given_cells)
        assert caught.value.broken in broken
    else:
        assert list(map(repr, rule.parse_all(given_cells).tolist())) == list(map(repr, one_by_one))


@given(columns, st.booleans(), cells)
def test_what_is_parsed_is_written_and_spelt_so_that_it_reads_back(column: Column, may_be_empty: bool, cell: str) -> None:
    rule = rules.OptionalRule(rules.of(column)) if may_be_empty else rules.of(column)
    number = parsed(rule, cell)
    if isinstance(number, str):
        assert number in rule.breaks
        return

    assert repr(rule.read(json.loads(json.dumps(rule.write(number))))) == repr(number)
    spelt = rule.spell(number)
    assert ("" if spelt is None else spelt) == cell


@given(st.dates())
def test_days_are_numpys(day: date) -> None:
    assert dates.days(day.isoformat()) == dates.number(day) == np.datetime64(day, "D").astype(int)
    assert dates.written(dates.number(day)) == day.isoformat()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loan": "yes"}, "column 'loan': expected true or false, in CSV 'yes' or 'no', found 'yes'"),
        ({"loan": 1}, "column 'loan': expected true or false, in CSV 'yes' or 'no', found 1"),
        ({"loan": None}, "column 'loan': expected true or false, in CSV 'yes' or 'no', found null"),
        (
            {"pdays": "2026-02-30"},
            "column 'pdays': expected a date between 2020-01-01 and 2027-12-31, null or an empty cell, found '2026-0",
        ),
        ({"pdays": "2028-01-01"}, "column 'pdays': expected a date between 2020-01-01 and 2027-12-31"),
        ({"pdays": "2026-11-30T10:00:00Z"}, "column 'pdays': expected a date between"),
        ({"pdays": 20787}, "column 'pdays': expected a date between"),
        ({"age": True}, "column 'age': expected an integer"),
    ],
)
def test_what_is_refused(change: dict[str, Any], message: str) -> None:
    for read in (REQUESTS.json, REQUESTS.plain):
        with pytest.raises(RequestError) as caught:
            read(json.dumps({"instances": [ROW, ROW | change]}).encode())
        assert str(caught.value).startswith(f"row 2, {message}")


values = st.none() | st.booleans() | st.integers(0, 130) | st.floats() | cells
edits = st.dictionaries(st.sampled_from(["loan", "housing", "pdays", "age", "duration"]), values, max_size=4)


@given(st.lists(edits, min_size=1, max_size=3), st.booleans())
def test_the_fast_reading_agrees_with_the_plain_one(changes: list[dict[str, Any]], as_lists: bool) -> None:
    rows: list[Any] = [ROW | change for change in changes]
    rows = [[row[name] for name in COLUMNS] for row in rows] if as_lists else rows
    body = json.dumps({"instances": rows}).encode()

    assert outcome(REQUESTS.json, body) == outcome(REQUESTS.plain, body)
    lines = "\n".join(map(json.dumps, rows)).encode()
    assert outcome(REQUESTS.lines, lines) == outcome(REQUESTS.plain_lines, lines)


@given(st.lists(st.tuples(st.booleans(), st.none() | st.booleans(), st.none() | days), min_size=1, max_size=4))
def test_csv_and_json_read_the_same(drawn: list[tuple[bool, bool | None, date | None]]) -> None:
    instances = [ROW | {"loan": loan, "housing": housing, "pdays": day and day.isoformat()} for loan, housing, day in drawn]

    assert outcome(CSV_REQUESTS.table, lines_of(instances)) == outcome(REQUESTS.json, json.dumps(instances).encode())


def lines_of(instances: list[dict[str, Any]]) -> bytes:
    spelt = {True: "yes", False: "no", None: ""}
    rows = [
        [spelt[row[name]] if row[name] is None or isinstance(row[name], bool) else str(row[name]) for name in COLUMNS] for row in instances
    ]
    return "".join(",".join(row) + "\n" for row in rows).encode()


def outcome(read: Callable[[bytes], Question | Table], body: bytes) -> list[str] | str:
    try:
        answer = read(body)
    except RequestError as error:
        return f"{error.status} {error}"
    table = answer.table if isinstance(answer, Question) else answer
    assert table is not None
    return list(map(repr, table.values.ravel().tolist()))


@pytest.fixture(scope="module")
def root(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ML_ROOT in which a model was trained and evaluated: on booleans, and on the days of the last contact, where there was one."""
    root = tmp_path_factory.mktemp("types")
    with data.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    put_rows(
        root, [row | {"pdays": contacted(int(row["pdays"])), "housing": row["housing"] if n % 10 else ""} for n, row in enumerate(rows)]
    )
    prepare(job(root, SPEC))
    train(job(root, SPEC))
    evaluate(job(root, SPEC))
    return root


def contacted(days_ago: int) -> str:
    return "" if days_ago < 0 else dates.written(dates.number(date(2026, 11, 30)) - days_ago)


@pytest.fixture(scope="module")
def model(root: Path) -> Invocations:
    return Invocations.load(SPEC, root / "model")


def test_json_and_csv_are_scored_alike_and_golden_requests_have_them(model: Invocations, root: Path) -> None:
    answer = json.loads(model.reply(JSON, json.dumps({"instances": INSTANCES}).encode()).body)
    scores = [prediction["score"] for prediction in answer["predictions"]]
    recorded = artifact.read_json(root / "model" / artifact.GOLDEN)
    drawn = recorded["requests"][-1]["body"]["instances"]

    assert [float(line) for line in model.reply(CSV, lines_of(INSTANCES)).body.split()] == pytest.approx(scores, abs=1e-7)
    golden.replay(recorded, model)
    assert {row["loan"] for row in drawn} == {True, False}
    assert {row["housing"] for row in drawn} == {True, False, None}
    assert len({row["pdays"] for row in drawn}) > 30


def test_reasons_say_the_value_as_the_request_did(model: Invocations) -> None:
    answer = json.loads(model.reply(JSON, json.dumps({"instances": INSTANCES, "explain": True}).encode()).body)

    for row, prediction in zip(INSTANCES, answer["predictions"], strict=True):
        assert {reason["column"]: reason["value"] for reason in prediction["reasons"]} == row
        total = answer["base"] + sum(reason["contribution"] for reason in prediction["reasons"])
        assert total == pytest.approx(math.log(prediction["score"] / (1 - prediction["score"])), abs=1e-4)


def test_what_preparation_wrote_is_what_it_read(root: Path) -> None:
    read = contract.inspect(root / "input/data/data", SPEC.data).examples
    parts = [contract.read(root / "work" / part, SPEC.data) for part in ("train", "holdout")]

    for name in COLUMNS:
        again = np.concatenate([part.table[name] for part in parts])
        assert np.array_equal(np.sort(again), np.sort(read.table[name]), equal_nan=True)
    assert set(read.table["loan"]) == {0.0, 1.0}
    assert np.nanmin(read.table["pdays"]) > 18000


def test_a_baseline_names_days_and_values(root: Path) -> None:
    content = artifact.read_json(root / "model" / artifact.BASELINE)
    baseline = Baseline.of(content, SPEC.data)

    assert baseline.columns["loan"].scale.labels == ["false", "true"]
    labels = baseline.columns["pdays"].scale.labels
    assert labels[0].startswith("up to 20")
    assert all(dates.days(end) for label in labels for end in label.removeprefix("up to ").removeprefix("above ").split(" to "))
    holdout = contract.read(root / "work/holdout", SPEC.data).table
    for name in ("loan", "housing", "pdays"):
        assert np.array_equal(baseline.columns[name].scale.count(holdout[name]), baseline.columns[name].counts)


def test_a_profile_is_no_change_against_itself_and_a_shift_is_one(root: Path) -> None:
    train_rows = contract.read(root / "work/train", SPEC.data)
    known = artifact.read_json(root / "model" / artifact.DATA)
    later = Table(train_rows.table.positions, train_rows.table.values.copy())
    later["pdays"][:] += 200
    later["loan"][:] = 1 - later["loan"]
    moved = drift.changes(known, Examples(later, train_rows.labels, train_rows.digests), tasks.of(SPEC.data))

    assert {known["columns"][name]["type"] for name in ("loan", "housing")} == {"boolean"}
    assert known["columns"]["pdays"]["type"] == "date"
    assert max(drift.changes(known, train_rows, tasks.of(SPEC.data)).values()) == pytest.approx(0, abs=1e-9)
    assert moved["loan"] > 1
    assert moved["pdays"] > 0.1
    assert moved["housing"] == pytest.approx(0, abs=1e-9)


def test_data_capture_is_read_as_it_was_asked(model: Invocations) -> None:
    reader = Reader(tasks.of(SPEC.data))
    bodies = [(JSON, json.dumps({"instances": INSTANCES})), (CSV, lines_of(INSTANCES).decode())]
    exchanges = [
        Exchange(Body(body, kind_name, kind), Body(model.reply(kind, body.encode()).body.decode(), kind_name, kind))
        for (kind, body), kind_name in zip(bodies, ("JSON", "CSV"), strict=True)
    ]
    expected = REQUESTS.json(bodies[0][1].encode()).table
    assert expected is not None

    readings = list(reader.read(exchanges))
    assert [reading.failed for reading in readings] == [0, 0]
    for reading in readings:
        assert np.array_equal(reading.table.values, expected.values, equal_nan=True)


def test_a_capture_with_a_wrong_date_is_read_as_far_as_it_goes() -> None:
    wrong = json.dumps({"instances": [ROW | {"pdays": "2026-02-30"}, ROW]})
    (reading,) = Reader(tasks.of(SPEC.data)).read([Exchange(Body(wrong, "JSON", JSON), Body("{}", "JSON", JSON))])

    assert reading.failed == 1
    assert np.isinf(reading.table["pdays"]).tolist() == [True, False]


def test_the_schema_says_what_they_are() -> None:
    content = openapi.invocations(SPEC, None)["post"]["requestBody"]["content"][JSON]["schema"]["oneOf"]
    properties = next(schema for schema in content if "age" in schema.get("properties", ()))["properties"]

    assert properties["loan"] == {"type": "boolean"}
    assert properties["housing"] == {"anyOf": [{"type": "boolean"}, {"type": "null"}]}
    day = {"type": "string", "format": "date", "description": "From 2020-01-01 to 2027-12-31."}
    assert properties["pdays"] == {"anyOf": [day, {"type": "null"}]}


def test_slices_of_days_begin_at_their_cut_points(root: Path) -> None:
    table = contract.read(root / "work/holdout", SPEC.data).table
    cut = date(2026, 8, 1)
    parts = {str(part): part.rows for part in groups(table, SPEC.data, {"loan": [], "pdays": [cut]})}

    assert list(parts) == ["loan false", "loan true", "pdays below 2026-08-01", "pdays 2026-08-01 and above", "pdays missing"]
    assert np.array_equal(parts["loan true"], table["loan"] == 1)
    assert np.array_equal(parts["pdays 2026-08-01 and above"], table["pdays"] >= dates.number(cut))
    assert np.array_equal(sum(part.astype(int) for name, part in parts.items() if name.startswith("pdays")), np.ones(len(table)))


def test_behaviour_is_tried_over_days_and_both_values(root: Path) -> None:
    table = contract.read(root / "work/holdout", SPEC.data).take(np.arange(20)).table
    seen: dict[str, set[float]] = {"loan": set(), "pdays": set()}

    def score(asked: Table) -> Any:
        for name, had in seen.items():
            had.update(asked[name][~np.isnan(asked[name])].tolist())
        return (asked["loan"] + 0.0) / 2

    declared = spec.Behaviour.model_validate(
        {
            "monotone": {"loan": "increasing", "pdays": "increasing"},
            "minimum_function": [
                {"name": "a loan", "higher": {"loan": True, "pdays": date(2021, 1, 1)}, "lower": {"loan": False, "pdays": "2021-01-02"}}
            ],
        }
    )
    outcomes = list(behaviour.examine(table, SPEC.data, declared, score))

    assert [outcome.kept_share for outcome in outcomes] == [1, 1, 1]
    assert {0.0, 1.0} <= seen["loan"]
    assert {dates.number(day) for day in (FIRST, LAST, date(2021, 1, 1))} <= seen["pdays"]
    assert all(day.is_integer() for day in seen["pdays"])
