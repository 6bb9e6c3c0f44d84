"""Holdouts that are as new to the model as the world will be: whole groups, and the newest rows; and dates that nobody could have known."""

from __future__ import annotations

import csv
import json
import random
import re
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from container import MODEL, job, put_rows
from hypothesis import given
from hypothesis import strategies as st

from paved_runtime import artifact, contract, dates, golden, spec, tasks, validation_rows
from paved_runtime.artifact import ArtifactError
from paved_runtime.contract import ContractError
from paved_runtime.csv_requests import CsvRequests
from paved_runtime.evaluate import evaluate
from paved_runtime.invocations import Invocations
from paved_runtime.media_types import JSON, RequestError
from paved_runtime.monitoring.bodies import Body
from paved_runtime.monitoring.request_log import Exchange, Reader
from paved_runtime.prepare import prepare
from paved_runtime.requests import Requests
from paved_runtime.search import search
from paved_runtime.spec import Data, Date, ModelSpec
from paved_runtime.split import by_group, divide, newest, order
from paved_runtime.table import Examples
from paved_runtime.train import train

WHOLE = spec.load(MODEL)
FIRST, LAST = date(2024, 1, 1), date(2026, 11, 30)
DAY = Date(type="date", minimum=FIRST, maximum=LAST)
Row = dict[str, str]


def declared(model: ModelSpec = WHOLE, **data: Any) -> ModelSpec:
    """The frozen model with other settings of its data, checked as a file's are. What `rows` adds and they do not name is excluded."""
    unused = {"customer", "asked"} - {data.get("group"), data.get("time")}
    settings = {"exclude": [*model.data.exclude, *sorted(unused)]} | data
    return ModelSpec.model_validate(model.model_dump() | {"data": model.data.model_dump() | settings})


@pytest.fixture(scope="module")
def rows(data: Path) -> list[Row]:
    """A customer for every three rows or so, who asked on some day."""
    draw = np.random.default_rng(5)
    with data.open(newline="") as stream:
        plain = list(csv.DictReader(stream))
    customers, ages = draw.integers(0, len(plain) // 3, len(plain)), draw.integers(0, 1000, len(plain))
    return [
        row | {"customer": f"C{customer:05d}", "asked": (FIRST + timedelta(int(age))).isoformat()}
        for row, customer, age in zip(plain, customers, ages, strict=True)
    ]


def parted(root: Path, rows: Sequence[Row], model: ModelSpec) -> tuple[list[Row], list[Row]]:
    """The original rows that are for training and those that are held out, found again by their balance, age, day and campaign."""
    put_rows(root, rows)
    prepare(job(root, model))
    identity = ("age", "balance", "day", "month", "campaign", "job", "pdays", "previous", "education", "marital", "y")
    known = {tuple(row[name] for name in identity): row for row in rows}
    assert len(known) > 0.99 * len(rows)
    sides = []
    for part, file in (("train", "train.csv"), ("holdout", "holdout.csv")):
        with (root / "work" / part / file).open(newline="") as stream:
            sides.append([known[tuple(row[name] for name in identity)] for row in csv.DictReader(stream)])
    return sides[0], sides[1]


def refused(root: Path, rows: Sequence[Row], model: ModelSpec) -> ContractError:
    put_rows(root, rows)
    with pytest.raises(ContractError) as caught:
        prepare(job(root, model))
    assert not (root / "work").exists()
    return caught.value


def described(root: Path) -> dict[str, Any]:
    content: dict[str, Any] = artifact.read_json(root / "work/train/data.json")["split"]
    return content


def test_the_newest_rows_are_held_out(tmp_path: Path, rows: list[Row]) -> None:
    older, newer = parted(tmp_path, rows, declared(split="time", time="asked"))
    cut = described(tmp_path)["dates"]

    assert max(row["asked"] for row in older) == cut["train"][1] < cut["holdout"][0] == min(row["asked"] for row in newer)
    assert len(newer) == pytest.approx(0.2 * len(rows), abs=8)
    assert len(older) + len(newer) == len(rows)
    assert described(tmp_path)["by"] == "time"
    assert described(tmp_path)["rows"] == {"train": len(older), "holdout": len(newer), "left_out": 0}


def test_a_group_is_on_one_side(tmp_path: Path, rows: list[Row]) -> None:
    model = declared(split="group", group="customer")
    train_rows, held = parted(tmp_path, rows, model)
    sides = [{row["customer"] for row in side} for side in (train_rows, held)]

    assert len(sides[0] & sides[1]) <= 1  # of rows that are equal but for the customer
    assert len(train_rows) + len(held) == len(rows)
    assert len(held) == pytest.approx(0.2 * len(rows), rel=0.15)
    assert sum(described(tmp_path)["groups"].values()) == len({row["customer"] for row in rows})


def test_groups_of_the_newest_rows_are_left_out_of_training(tmp_path: Path, rows: list[Row]) -> None:
    train_rows, held = parted(tmp_path, rows, declared(split="time", time="asked", group="customer"))
    left = described(tmp_path)["rows"]["left_out"]

    assert len({row["customer"] for row in train_rows} & {row["customer"] for row in held}) <= 2
    assert left == len(rows) - len(train_rows) - len(held) > 100
    assert max(row["asked"] for row in train_rows) <= min(row["asked"] for row in held)


def test_no_id_and_no_moment_that_is_no_feature_gets_into_what_training_is_given(tmp_path: Path, rows: list[Row]) -> None:
    parted(tmp_path, rows, declared(split="time", time="asked", group="customer"))

    for file in (tmp_path / "work").rglob("*"):
        content = file.read_bytes() if file.is_file() else b""
        assert b"C00" not in content
        assert file.suffix != ".csv" or b"asked" not in content


@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=40),
    st.integers(0, 3),
    st.floats(0.05, 0.85),
    st.randoms(use_true_random=False),
)
def test_a_group_stays_on_its_side_whatever_comes_beside_it(groups: list[int], seed: int, share: float, draw: Any) -> None:
    more = [*groups, *range(20, 40)]
    draw.shuffle(more)
    column, longer = (np.array(ids, dtype=np.uint64) for ids in (groups, more))
    sides = dict(zip(groups, by_group(column, share=share, seed=seed).tolist(), strict=True))

    assert by_group(column, share=share, seed=seed).tolist() == [sides[group] for group in groups]
    assert all(sides.get(group, held) == held for group, held in zip(more, by_group(longer, share=share, seed=seed).tolist(), strict=True))


@given(st.lists(st.integers(0, 12), min_size=1, max_size=40), st.floats(0.05, 0.85))
def test_the_newest_are_newer_than_all_others_and_as_many_as_can_be(days: list[int], share: float) -> None:
    times = np.array(days, dtype=np.float64)
    held = newest(times, share=share)
    apart = [int((times >= day).sum()) for day in set(days) if day != min(days)] or [len(days)]

    assert not held.any() or held.all() or times[held].min() > times[~held].max()
    assert abs(int(held.sum()) - share * len(days)) == min(abs(count - share * len(days)) for count in apart)


def test_the_order_of_the_rows_does_not_matter(tmp_path: Path, rows: list[Row]) -> None:
    for model in (declared(split="group", group="customer"), declared(split="time", time="asked", group="customer")):
        (tmp_path / model.data.split).mkdir()
        put_rows(tmp_path / model.data.split, rows)
        examples = contract.inspect(tmp_path / model.data.split / "input/data/data", model.data).examples
        shuffled = examples.take(np.random.default_rng(1).permutation(len(rows)))
        for once, again in zip(sides(examples, model.data), sides(shuffled, model.data), strict=True):
            assert np.array_equal(once.table.values, again.table.values)
            assert np.array_equal(once.labels, again.labels)


def sides(examples: Examples, data: Data) -> list[Examples]:
    parts = divide(examples, data, order(examples.digests, seed=data.seed))
    return [examples.take(side) for side in (parts.train, parts.holdout, parts.left_out)]


@pytest.mark.parametrize(
    ("settings", "cells", "column", "rule", "found"),
    [
        ({"split": "time", "time": "asked"}, {"asked": "2026-01-01"}, "y", "split", r"of the rarer one 0 training, \d+ held out"),
        (
            {"split": "group", "group": "customer"},
            {"customer": "C1"},
            "y",
            "split",
            r"of the rarer one (0 training, \d+|\d+ training, 0) held out",
        ),
        ({"split": "group", "group": "customer"}, {"customer": ""}, "customer", "missing", "''"),
        ({"split": "time", "time": "asked"}, {"asked": "30.11.2026"}, "asked", "type", "'30.11.2026'"),
    ],
)
def test_a_split_that_cannot_be(
    tmp_path: Path, rows: list[Row], settings: dict[str, Any], cells: Row, column: str, rule: str, found: str
) -> None:
    (violation,) = [
        each for each in refused(tmp_path, [row | cells for row in rows], declared(**settings)).violations if each.column == column
    ]

    assert violation.rule == rule
    assert re.fullmatch(found, violation.found)


def test_a_column_that_says_how_to_split_must_be_there(tmp_path: Path, rows: list[Row]) -> None:
    bare = [{name: cell for name, cell in row.items() if name not in ("asked", "customer")} for row in rows]
    error = refused(tmp_path, bare, declared(split="time", time="asked", group="customer"))

    assert {(v.column, v.rule) for v in error.violations} == {("asked", "absent"), ("customer", "absent")}


PAYMENT = {name: column.model_dump() for name, column in WHOLE.data.columns.items()} | {"paid": DAY.model_dump() | {"missing": 0.9}}


def with_payments(rows: Sequence[Row], days: int) -> list[Row]:
    """Every third row has a date so many days after it was asked."""
    return [
        row | {"paid": "" if n % 3 else dates.written(dates.days(row["asked"]) + days)}
        for n, row in enumerate(rows)
        if row["asked"] > "2024-03"
    ]


def test_a_date_after_the_decision_is_a_leak(tmp_path: Path, rows: list[Row]) -> None:
    late = with_payments(rows, -10)
    late[3] |= {"paid": "2026-10-02", "asked": "2026-10-01"}
    late[6] |= {"paid": "2026-10-01", "asked": "2026-10-01"}
    error = refused(tmp_path, late, declared(columns=PAYMENT, time="asked"))

    (violation,) = error.violations
    assert (violation.column, violation.rule, violation.count, violation.rows) == ("paid", "future", 1, (4,))
    assert violation.found == "2026-10-02 where that is 2026-10-01"
    assert "move paid to data.exclude" in violation.advice


def test_a_planned_date_may_lie_ahead(tmp_path: Path, rows: list[Row]) -> None:
    planned = PAYMENT | {"paid": PAYMENT["paid"] | {"planned": True, "maximum": date(2030, 1, 1)}}
    put_rows(tmp_path, with_payments(rows, 30))
    prepare(job(tmp_path, declared(columns=planned, time="asked")))

    checks = artifact.read_json(tmp_path / "work/train/data.json")["checks"]
    assert "future" not in {check["rule"] for check in checks}


PLANNED = Date(type="date", minimum=date(2026, 1, 1), maximum=date(2030, 1, 1), planned=True)
DATES = Data.model_validate(
    WHOLE.data.model_dump()
    | {"columns": {"paid": DAY.model_dump() | {"missing": 0.5}, "asked": DAY.model_dump(), "due": PLANNED.model_dump()}, "time": "asked"}
)
DECIDED = WHOLE.model_copy(update={"data": DATES})
GOOD = {"paid": "2026-10-01", "asked": "2026-10-01", "due": "2029-01-01"}
LATE = GOOD | {"paid": "2026-10-02"}
MESSAGE = "row 2, column 'paid': expected no date after 'asked', which is 2026-10-01, found '2026-10-02'"


def test_a_request_with_a_date_after_its_decision_is_refused() -> None:
    requests, lines = Requests(DATES), CsvRequests(DATES)
    bodies = {
        requests.json: json.dumps({"instances": [GOOD, LATE, LATE]}),
        requests.plain: json.dumps([GOOD, LATE]),
        requests.lines: "\n".join(map(json.dumps, (GOOD, LATE))),
        lines.table: "".join(",".join(row.values()) + "\n" for row in (GOOD, LATE)),
    }
    for read, body in bodies.items():
        with pytest.raises(RequestError) as caught:
            read(body.encode())
        assert (caught.value.status, str(caught.value)) == (422, MESSAGE)
        read(body.encode().replace(b"2026-10-02", b"2026-09-30"))


def test_a_moment_that_is_no_feature_is_ignored_in_requests() -> None:
    data = DATES.model_copy(update={"columns": {"paid": DATES.columns["paid"]}, "group": "customer", "split": "group"})
    paid = {"paid": "2026-10-02"}
    plain = Requests(data).json(json.dumps(paid).encode()).table

    assert plain is not None
    for body in (json.dumps(paid | {"asked": "2026-10-01", "customer": 7}), json.dumps({"instances": [paid | {"customer": None}]})):
        table = Requests(data).json(body.encode()).table
        assert table is not None
        assert np.array_equal(table.values, plain.values)
    assert np.array_equal(CsvRequests(data).table(b"customer,paid\n7,2026-10-02").values, plain.values)


def test_golden_requests_keep_to_the_order_of_dates() -> None:
    draw = random.Random(0)  # noqa: S311 - the same rows every time
    rows = [golden._row(DECIDED, lambda column: golden._drawn(column, draw)) for _ in range(200)]
    ends = [golden._row(DECIDED, lambda column, end=end: golden._edge(column, end)) for end in (0, -1)]  # type: ignore[misc]
    table = Requests(DATES).json(json.dumps({"instances": [*rows, *ends]}).encode()).table

    assert table is not None
    assert len(np.unique(table["paid"])) > 100
    assert (table["paid"][~np.isnan(table["paid"])] <= table["asked"][~np.isnan(table["paid"])]).all()


def test_the_monitor_counts_a_late_date_as_a_broken_row() -> None:
    answer = json.dumps({"predictions": [{"score": 0.5}] * 2})
    asked = [Exchange(Body(json.dumps({"instances": [GOOD, LATE]}), "JSON", JSON), Body(answer, "JSON", JSON))]
    (reading,) = Reader(tasks.of(DATES)).read(asked)

    assert np.isinf(reading.table["paid"]).tolist() == [False, True]


def test_a_champion_scores_no_row_that_its_contract_refuses(tmp_path: Path, rows: list[Row]) -> None:
    late = with_payments(rows, -10)
    late[3] |= {"paid": "2026-10-02", "asked": "2026-10-01"}
    put_rows(tmp_path, late)
    reading = contract.inspect(tmp_path / "input/data/data", declared(columns=PAYMENT, time="asked").data)

    assert np.flatnonzero(np.isinf(reading.examples.table.values).any(axis=1)).tolist() == [3]


def test_a_model_that_is_split_by_time_is_trained_and_evaluated_as_any_other(tmp_path: Path, rows: list[Row]) -> None:
    model = declared(split="time", time="asked", group="customer")
    put_rows(tmp_path, rows)
    for step in (prepare, train, evaluate):
        step(job(tmp_path, model))

    evaluation, report = (artifact.read_json(tmp_path / file) for file in ("model/evaluation.json", "output/data/report.json"))
    split = report["data"]["split"]
    assert evaluation["rows"] == {name: split["rows"][name] for name in ("train", "holdout")}
    assert (split["by"], split["share"], split["rows"]["left_out"] > 0) == ("time", 0.2, True)
    assert split["outcomes"]["holdout"][model.data.positive] == contract.read(tmp_path / "work/holdout", model.data).labels.sum()
    golden.replay(artifact.read_json(tmp_path / "model/golden.json"), Invocations.load(model, tmp_path / "model"))


@pytest.mark.parametrize("settings", [{"split": "group", "group": "customer"}, {"split": "time", "time": "asked", "group": "customer"}])
def test_a_search_is_judged_on_rows_that_are_parted_like_the_held_out_ones(
    tmp_path: Path, rows: list[Row], settings: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    searching = {"jobs": 1, "ranges": {"eta": {"minimum": 0.1, "maximum": 0.3}}}
    whole = declared(**settings).model_dump()
    model = ModelSpec.model_validate(whole | {"training": whole["training"] | {"search": searching}})
    train_rows, held = parted(tmp_path, rows, model)
    capsys.readouterr()
    search(job(tmp_path, model))
    printed = capsys.readouterr().out

    parts = validation_rows.read(tmp_path / "work/train" / validation_rows.NAME, len(train_rows))
    learnt, judged = ([train_rows[row] for row in side] for side in (parts.train, parts.holdout))
    customers = {name: {row["customer"] for row in side} for name, side in (("learnt", learnt), ("judged", judged), ("held", held))}
    assert min(map(len, customers.values())) > 50
    assert customers["learnt"].isdisjoint(customers["judged"])
    assert customers["judged"].isdisjoint(customers["held"])
    if "time" in settings:
        assert max(row["asked"] for row in learnt) < min(row["asked"] for row in judged)
    assert f"a trial on {len(learnt)} rows, judged on {len(judged)}" in printed
    assert re.search(r"^metric validation_roc_auc=0\.[5-9]", printed, re.MULTILINE)


def test_parts_of_other_rows_are_refused(tmp_path: Path) -> None:
    (tmp_path / validation_rows.NAME).write_bytes(bytes(3))
    with pytest.raises(ArtifactError, match=r"validation\.bin is of 3 rows, there are 4: prepare them again"):
        validation_rows.read(tmp_path / validation_rows.NAME, 4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"split": "time"}, "split = 'time' goes by the column that time names: give it, too"),
        ({"split": "group"}, "split = 'group' goes by the column that group names: give it, too"),
        ({"group": "customer"}, "group 'customer' keeps no rows together while split is 'random': choose 'group' or 'time'"),
        ({"time": "duration"}, "time names column 'duration', which is the target or excluded: name another one"),
        ({"time": "age"}, "time names column 'age', which is no date without missing cells: every row needs its moment"),
        (
            {"split": "group", "group": "c", "time": "c"},
            "group and time both name column 'c': what keeps rows together is no date of a decision",
        ),
        ({"split": "group", "group": "explain"}, "column 'explain' has a name that requests use for themselves"),
        (
            {
                "time": "asked",
                "columns": {"asked": DAY.model_dump(), "paid": DAY.model_dump() | {"minimum": date(2027, 1, 1), "maximum": LAST}},
            },
            "minimum 2027-01-01 is later than maximum 2026-11-30",
        ),
        (
            {
                "time": "asked",
                "columns": {"asked": DAY.model_dump(), "paid": {"type": "date", "minimum": date(2027, 1, 1), "maximum": date(2028, 1, 1)}},
            },
            "no date of column 'paid' can be before 'asked', which ends on 2026-11-30",
        ),
    ],
)
def test_what_model_toml_may_not_say(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Data.model_validate(WHOLE.data.model_dump() | settings)
