"""What a data set's columns are taken for, what is left out with which sentence, and that it is what the training job then accepts."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli import datasets, model_toml, profiles, proposals
from cli.model_toml import Words
from cli.problem import Problem
from cli.profiles import Excluded, Profile
from paved_runtime import contract, spec
from paved_runtime.spec import Boolean, Category, Date, Integer, ModelSpec, Number, Text
from tests.reference import CONFIG
from tests.support import data_sets
from tests.support.data_sets import SHAPES

DATES = "it holds dates that are not written as 2026-11-30, without a time: rewrite them, or take an age in days"
CONSTANT = "it holds one value only"
NUMBERS = [str(number) for number in range(1, 41)]


def table(file: Path, columns: Mapping[str, Sequence[str]]) -> Path:
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return file


def refusal(file: Path, **options: str | Sequence[str]) -> str:
    with pytest.raises(Problem) as raised:
        profiles.read(file, target="y", **options)  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)
    return str(raised.value).replace(str(file), "FILE")


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (NUMBERS * 2, Integer(type="integer", minimum=0, maximum=79)),
        (["-20", *NUMBERS * 2], Integer(type="integer", minimum=-80, maximum=100)),
        ([f"{number}.5" for number in NUMBERS], Number(type="number", minimum=0, maximum=80)),
        (["0.001", "0.002", "0.0035"] * 20, Number(type="number", minimum=0, maximum=0.006)),
        (["1", "2", "3"] * 20, Category(type="category", values=("1", "2", "3"))),
        (["10", "9", "-1"] * 20, Category(type="category", values=("-1", "9", "10"))),
        (["b", "a"] * 20, Category(type="category", values=("a", "b"))),
        (["b", "a", "a", ""] * 20, Category(type="category", values=("a", "b"), missing=0.51)),
        (["", "yes"] * 20, Category(type="category", values=("", "yes"))),
        ([*NUMBERS * 2, ""], Integer(type="integer", minimum=0, maximum=79, missing=0.04)),
        (["1", "01"] * 20, Excluded(CONSTANT)),
        (["1", "1.0", "2"] * 20, Integer(type="integer", minimum=0, maximum=3)),
        (["a"] * 40, Excluded(CONSTANT)),
        ([""] * 40, Excluded(CONSTANT)),
        (NUMBERS, Excluded("another value in every row: an identifier")),
        ([f"a {number}" for number in NUMBERS], Excluded("another text in every row: an identifier")),
        ([f"a {number}" for number in NUMBERS] * 2, Excluded("40 different texts: too many for a category of 80 rows")),
        ([f"2026-11-{day}" for day in range(10, 30)] * 2, Date(type="date", minimum=date(2026, 1, 1), maximum=date(2026, 12, 31))),
        ([f"{year}-11-30" for year in range(2000, 2021)], Date(type="date", minimum=date(1980, 1, 1), maximum=date(2040, 12, 31))),
        (["2026-11-30", "2026-02-30"] * 40, Excluded(DATES)),
        ([f"called {number} times" for number in range(10, 50)], Text(type="text", maximum_length=30)),
        (["", *(f"called {number} times" for number in range(10, 49))], Text(type="text", maximum_length=30, missing=0.06)),
        ([f"call-{number} again" for number in range(10, 50)], Excluded("another text in every row: an identifier")),
        (["True", "False", ""] * 10, Boolean(type="boolean", true="True", false="False", missing=0.68)),
        (["true", "false", "True"] * 20, Category(type="category", values=("True", "false", "true"))),
        ([f"2026-11-{day} 10:00:00" for day in range(10, 30)] * 2, Excluded(DATES)),
        ([f"{day}.11.2026" for day in range(10, 30)] * 2, Excluded(DATES)),
        ([f"11/{day}/2026" for day in range(10, 30)] * 2, Excluded(DATES)),
        ([f"202611{day}" for day in range(10, 30)] * 2, Excluded(DATES)),
        (["n/a", *NUMBERS * 2], Excluded("numbers and texts are mixed, such as 'n/a': write missing cells as nothing")),
        ([str(2**60), *NUMBERS], Excluded("it has numbers that are too large to be exact")),
        (["1e999", *NUMBERS], Excluded("it has numbers that are too large to be exact")),
    ],
)
def test_a_column_is_judged_by_its_cells(cells: list[str], expected: object) -> None:
    assert profiles.judge("column", cells) == expected


@pytest.mark.parametrize(("name", "left_out"), [("customer_id", True), ("customerId", True), ("paid", False)])
def test_an_identifier_is_known_by_its_name_too(name: str, left_out: bool) -> None:
    """Its values may repeat now and then, as where one customer has two rows."""
    cells = [f"{number}.5" for number in range(99)] + ["1.5"]
    assert isinstance(profiles.judge(name, cells), Excluded) is left_out


@pytest.mark.parametrize("name", ['say "yes"', "a\\b", "two\nlines"])
def test_a_name_that_no_request_may_have_is_left_out(name: str) -> None:
    judged = profiles.judge(name, ["1", "2"])
    assert isinstance(judged, Excluded)
    assert judged.why.endswith("which no request may have: rename the column")


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"a": "123", "x": "010"}, "column 'y': FILE has a, x: name one of them"),
        (
            {"y": "10"},
            "data file FILE: no column is left to learn from: it has the target only: give the data set columns of numbers or categories",
        ),
        (
            {"a": "11", "y": "10"},
            f"data file FILE: no column is left to learn from: a: {CONSTANT}: give the data set columns of numbers or categories",
        ),
        ({"a": "12", "y": ["1", ""]}, "target 'y' of FILE: 1 rows have none, the first is row 2: take those rows out, or fill them in"),
        (
            {"a": "12", "explain": "12", "y": "01"},
            "column 'explain' of FILE: requests use this name for themselves: rename the column in the data set",
        ),
    ],
)
def test_a_data_set_that_no_model_can_learn_from_is_refused(tmp_path: Path, columns: Mapping[str, Sequence[str]], expected: str) -> None:
    assert refusal(table(tmp_path / "data.csv", columns)) == expected


def test_files_without_rows_or_with_ragged_ones_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    file.write_text("a,y\n")
    assert refusal(file) == "data file FILE: it has a header and no rows: name a file with rows"
    file.write_text("a,y\n1,0\n2\n")
    assert refusal(file) == "data file FILE: row 2: expected 2 cells, found 1: correct the file"
    file.write_text("a,y\n1,0\n\n2,1\n")
    assert refusal(file) == "data file FILE: row 2: expected 2 cells, found 0: correct the file"


def test_long_cells_are_shown_by_their_beginning(tmp_path: Path) -> None:
    long = [letter * 10_000 for letter in "abc"]
    assert len(refusal(table(tmp_path / "data.csv", {"a": "123", "y": long}))) < 300
    mixed = profiles.judge("column", [long[0], *NUMBERS])
    assert isinstance(mixed, Excluded)
    assert len(mixed.why) < 200


def test_options_that_name_what_is_not_there_are_refused(tmp_path: Path) -> None:
    file = table(tmp_path / "data.csv", {"a": "1212", "b": "3443", "y": "0110"})
    assert refusal(file, positive="yes") == "--positive yes: target 'y' of FILE has '0' and '1': name one"
    assert refusal(file, task="multiclass").startswith("target 'y' of FILE: it has 2 values, and a model has 3 to 100 classes")
    assert refusal(file, exclude=["c"]) == "column 'c': FILE has a, b, y: name one of them"
    assert refusal(file, exclude=["y"]) == "--exclude y: it is the target: name another column"
    assert profiles.read(file, target="y", exclude=["b"]).excluded == {"b": "you asked for it"}


def test_a_warehouses_export_is_told_apart(tmp_path: Path) -> None:
    make, target = SHAPES["odd_columns"]
    profile = profiles.read(data_sets.write(tmp_path / "data.csv", make()), target=target)

    assert dict(profile.excluded) == {
        "customer_id": "another value in every row: an identifier",
        "uuid": "another text in every row: an identifier",
        "seen": DATES,
        "booked": DATES,
        "currency": CONSTANT,
    }
    assert profile.columns["note"] == Text(type="text", maximum_length=70)
    assert profile.columns["opened"] == Date(type="date", minimum=date(2022, 1, 1), maximum=date(2027, 12, 31))
    assert profile.columns["grade"] == Category(type="category", values=("1", "2", "3", "4", "7"))
    assert isinstance(profile.columns["income (kEUR)"], Number)


CELLS = st.one_of(
    st.sampled_from(
        ["", "0", "-0", "1", "01", "1.0", "+1", "1e3", ".5", "5.", "yes", "no", " ", "n/a", "nan", "inf", "٣", "a,b", '"', "\u2028"]
    ),
    st.integers(-(10**17), 10**17).map(str),
    st.floats().map(str),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=5),
)
POOLS = st.lists(CELLS, min_size=1, max_size=6)


TARGETS = st.one_of(
    st.just(["1", "0"]),
    st.just(["a", "b", "c", "0"]),
    st.lists(st.floats(-(2**53), 2**53).map(str), min_size=2, max_size=9, unique_by=float),
)


@given(data=st.data())
@settings(deadline=None, max_examples=150)
def test_what_is_declared_accepts_what_was_read(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """The written model.toml is valid, and by it the look before an upload and the training job read every cell of the file."""
    rows, outcomes = data.draw(st.integers(100, 140)), data.draw(TARGETS)
    columns = {
        f"c{i}": data.draw(st.lists(st.sampled_from(pool), min_size=rows, max_size=rows))
        for i, pool in enumerate(data.draw(st.lists(POOLS, min_size=1, max_size=3)))
    }
    folder = tmp_path_factory.mktemp("data")
    file = table(folder / "data.csv", {**columns, "y": [outcomes[row % len(outcomes)] for row in range(rows)]})
    if all(isinstance(profiles.judge(name, cells), Excluded) for name, cells in columns.items()):
        assert "no column is left to learn from" in refusal(file)
        return
    profile = profiles.read(file, target="y")
    model = written(folder, profile)

    assert model.data.columns == profile.columns
    assert datasets.check(file, model).rows == rows
    assert len(contract.read(folder, model.data)) == rows


def written(folder: Path, profile: Profile) -> ModelSpec:
    """The model whose model.toml a new model would begin with."""
    (folder / "model").mkdir()
    words = Words(purpose="Scores rows.", owner="jo@acme.test", framework="xgboost")
    text = model_toml.write(profile, proposals.draft(profile.outcomes), words, config=CONFIG)
    (folder / "model/model.toml").write_text(text, encoding="utf-8")
    return spec.load("model", folder)


@given(content=st.binary(max_size=80) | st.text('ay01,\n"; ü', max_size=60).map(str.encode))
@settings(deadline=None, max_examples=300)
def test_any_file_is_profiled_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "any.csv"
    file.write_bytes(b"a,y\n" + content)
    try:
        line = ", ".join(profiles.read(file, target="y").columns)
    except Problem as problem:
        line = str(problem)
    assert line
    assert "\n" not in line
