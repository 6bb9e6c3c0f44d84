"""Made-up rows: the same for the same seed, within what is known of each column, with outcomes that follow the columns in part."""

from __future__ import annotations

import csv
import subprocess
import sys
from datetime import date
from pathlib import Path
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from paved_runtime import contract, dates, synthetic
from paved_runtime.rules import NUMERAL
from paved_runtime.spec import Data
from paved_runtime.synthetic import Amount, Classes, Column, Dates, Identifiers, Numbers, Outcome, Values, Words, write

COLUMNS: dict[str, Column] = {
    "age": Numbers(quantiles=[18, 30, 45, 90], lift=[-2, 0, 2], whole=True),
    "balance": Numbers(quantiles=[-3.5, 0, 2_000, 50_000], missing=0.25),
    "segment": Values(weights={"private": 3, "business": 1}, lift={"business": 1.5}),
    "note": Values(weights={"a": 1, "b": 1}, missing=0.5),
}
OUTCOME = Outcome(target="bought", positive="yes", negative="no", intercept=-1)
DATA = Data.model_validate(
    {
        "target": "bought",
        "positive": "yes",
        "negative": "no",
        "minimum_rows": 1,
        "holdout": 0.2,
        "columns": {
            "age": {"type": "integer", "minimum": 18, "maximum": 90},
            "balance": {"type": "number", "minimum": -3.5, "maximum": 50_000, "missing": 0.5},
            "segment": {"type": "category", "values": ["private", "business"]},
            "note": {"type": "category", "values": ["a", "b"], "missing": 0.9},
        },
    }
)
Row = dict[str, str]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("synthetic") / "data.csv"
    write(path, COLUMNS, OUTCOME, count=4000, seed=5)
    return path


@pytest.fixture(scope="module")
def rows(file: Path) -> list[Row]:
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def share(rows: list[Row], **cells: str) -> float:
    return sum(all(row[name] == cell for name, cell in cells.items()) for row in rows) / len(rows)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, file: Path) -> None:
    for seed in (5, 6):
        write(tmp_path / f"{seed}.csv", COLUMNS, OUTCOME, count=4000, seed=seed)

    assert (tmp_path / "5.csv").read_bytes() == file.read_bytes() != (tmp_path / "6.csv").read_bytes()


def test_the_rows_keep_the_contract_that_they_were_made_for(file: Path) -> None:
    assert len(contract.read(file.parent, DATA)) == 4000


def test_columns_are_drawn_as_often_as_they_say(rows: list[Row]) -> None:
    assert list(rows[0]) == [*COLUMNS, "bought"]
    assert share(rows, segment="business") == pytest.approx(0.25, abs=0.03)
    assert (share(rows, balance=""), share(rows, note="")) == pytest.approx((0.25, 0.5), abs=0.03)
    balances = [float(row["balance"]) for row in rows if row["balance"]]
    assert sum(balance < 2_000 for balance in balances) / len(balances) == pytest.approx(2 / 3, abs=0.03)


def test_the_outcome_follows_the_columns(rows: list[Row]) -> None:
    business, private = ([row for row in rows if row["segment"] == name] for name in ("business", "private"))
    young, old = ([row for row in rows if low <= int(row["age"]) < high] for low, high in ((18, 30), (46, 91)))

    assert share(business, bought="yes") > share(private, bought="yes") + 0.1
    assert share(old, bought="yes") > share(young, bought="yes") + 0.3
    assert {row["bought"] for row in young} == {"yes", "no"}


GRADED: dict[str, Column] = {
    "age": Numbers(quantiles=[18, 30, 90], lift=[[0, 1, 0], [2, 0, 0]], whole=True),
    "segment": Values(weights={"a": 1, "b": 1}, lift={"a": [0, 0, 3]}, missing=0.5),
}


def drawn(file: Path, columns: dict[str, Column], target: Classes | Amount, count: int = 4000) -> list[Row]:
    write(file, columns, target, count=count, seed=5)
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_classes_follow_the_columns(tmp_path: Path) -> None:
    rows = drawn(tmp_path / "data.csv", GRADED, Classes(target="grade", intercepts={"low": 0, "high": 0, "none": -1}))
    old = [row for row in rows if int(row["age"]) > 30 and not row["segment"]]
    young = [row for row in rows if int(row["age"]) < 30 and not row["segment"]]

    assert share(old, grade="low") == pytest.approx(2.718**2 / (2.718**2 + 1 + 1 / 2.718), abs=0.04)
    assert share(young, grade="high") == pytest.approx(2.718 / (1 + 2.718 + 1 / 2.718), abs=0.04)
    segment = [row for row in rows if row["segment"] == "a"]
    assert share(segment, grade="none") > share(young, grade="none") + 0.3
    assert {row["grade"] for row in rows} == {"low", "high", "none"}


SPENT: dict[str, Column] = {"age": Numbers(quantiles=[18, 30, 90], lift=[-10, 10], whole=True), "note": Words(least=1, most=2, longest=20)}
PLACES, NUMBERS = [-15, -10, 10, 15], [-2, 0.5, 100, 5000]


def test_numbers_follow_the_columns_and_chance(tmp_path: Path) -> None:
    certain = drawn(tmp_path / "certain.csv", SPENT, Amount(target="spent", places=PLACES, numbers=NUMBERS, noise=0))
    assert {(int(row["age"]) >= 30, float(row["spent"])) for row in certain} == {(False, 0.5), (True, 100)}

    rows = drawn(tmp_path / "data.csv", SPENT, Amount(target="spent", places=PLACES, numbers=NUMBERS, noise=3))
    young, old = ([float(row["spent"]) for row in rows if (int(row["age"]) >= 30) == kind] for kind in (False, True))
    assert sorted(young)[len(young) // 2] == pytest.approx(0.5, abs=1)
    assert sorted(old)[len(old) // 2] == pytest.approx(100, abs=30)
    assert -2 <= min(young) < max(young) < sorted(old)[len(old) // 4] < max(old) <= 5000


places = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=6, unique=True).map(sorted)


@given(places, st.data(), st.floats(-2e6, 2e6), st.booleans())
def test_a_number_is_one_of_its_range(ordered: list[float], data: st.DataObject, lift: float, whole: bool) -> None:
    values = st.integers(-(10**9), 10**9).map(float) if whole else st.floats(-1e9, 1e9)
    known = sorted(data.draw(st.lists(values, min_size=len(ordered), max_size=len(ordered))))
    amount = Amount(target="y", places=ordered, numbers=known, noise=1, whole=whole)
    cell = amount.draw([lift], Random(0))  # noqa: S311 - repeatable, not secret

    assert NUMERAL.fullmatch(cell)
    assert known[0] <= float(cell) <= known[-1]
    assert not whole or float(cell).is_integer()


def test_a_cell_that_is_missing_adds_nothing(tmp_path: Path) -> None:
    columns = {"segment": Values(weights={"business": 1}, lift={"business": 50}, missing=0.5)}
    write(tmp_path / "data.csv", columns, Outcome(target="y", positive="1", negative="0", intercept=-25), count=500, seed=1)
    with (tmp_path / "data.csv").open(newline="") as stream:
        drawn = {tuple(row) for row in csv.reader(stream)}

    assert drawn == {("segment", "y"), ("business", "1"), ("", "0")}


numbers = st.lists(st.floats(-1e12, 1e12), min_size=2, max_size=6, unique=True).map(sorted)


@given(numbers, st.integers(0, 99), st.booleans())
@example([1_234_567.1, 1_234_567.2], 0, False)
def test_a_number_lies_between_the_ends(quantiles: list[float], seed: int, whole: bool) -> None:
    ends = [float(round(quantile)) for quantile in quantiles] if whole else quantiles
    lift = range(len(ends) - 1)
    cell, added = Numbers(quantiles=ends, lift=lift, whole=whole).draw(Random(seed))  # noqa: S311 - repeatable, not secret

    assert NUMERAL.fullmatch(cell)
    assert ends[0] <= float(cell) <= ends[-1]
    assert added in lift
    assert not whole or float(cell).is_integer()


def test_it_needs_nothing_but_python(tmp_path: Path) -> None:
    program = f"""
import sys
sys.path.insert(0, {str(Path(synthetic.__file__).parents[1])!r})
from paved_runtime.synthetic import Outcome, Values, program
program({{"a": Values(weights={{"x": 1}})}}, Outcome(target="y", positive="1", negative="0", intercept=0))
"""
    argv = [sys.executable, "-I", "-S", "-c", program, "--rows", "10", "--out", str(tmp_path / "data.csv")]
    subprocess.run(argv, check=True)

    assert (tmp_path / "data.csv").read_text().splitlines()[0] == "a,y"
    assert len((tmp_path / "data.csv").read_text().splitlines()) == 11


DATED: dict[str, Column] = {
    "customer": Identifiers(count=300),
    "asked": Dates(quantiles=["2025-01-01", "2025-12-31", "2026-06-30"]),
    "paid": Dates(quantiles=["2025-01-01", "2026-06-30"], lift=[1], missing=0.3),
    "due": Dates(quantiles=["2026-01-01", "2027-06-30"], planned=True),
    "active": Values(weights={"Y": 3, "N": 1}, lift={"Y": 1}),
    "note": Words(least=2, most=9, longest=40, missing=0.1),
}
DATED_DATA = DATA.model_dump() | {
    "split": "time",
    "time": "asked",
    "group": "customer",
    "columns": {
        "paid": {"type": "date", "minimum": date(2025, 1, 1), "maximum": date(2026, 6, 30), "missing": 0.5},
        "due": {"type": "date", "minimum": date(2026, 1, 1), "maximum": date(2027, 6, 30), "planned": True},
        "active": {"type": "boolean", "true": "Y", "false": "N"},
        "note": {"type": "text", "maximum_length": 40, "missing": 0.2},
    },
}


def test_dates_keep_to_the_order_of_what_happened(tmp_path: Path) -> None:
    write(tmp_path / "data.csv", DATED, OUTCOME, count=2000, seed=5, time="asked")
    reading = contract.inspect(tmp_path, Data.model_validate(DATED_DATA))
    table, times = reading.examples.table, reading.examples.times

    assert [check for check in reading.checks if not check.passed] == []
    assert times is not None
    assert reading.examples.groups is not None
    assert len(set(reading.examples.groups.tolist())) == 300
    assert (table["due"] > times).any()
    assert len(set(table.texts["note"].tolist())) > 1000
    assert ((table["paid"] < times) & (table["paid"] > dates.days("2025-01-01"))).mean() > 0.2


def test_without_that_they_would_not(tmp_path: Path) -> None:
    write(tmp_path / "data.csv", DATED, OUTCOME, count=2000, seed=5)
    checks = contract.inspect(tmp_path, Data.model_validate(DATED_DATA)).checks

    assert {(check.column, check.rule) for check in checks if not check.passed} == {("paid", "future")}
