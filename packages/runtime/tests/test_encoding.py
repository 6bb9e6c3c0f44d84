"""A column that is read chunk by chunk comes to what its cells come to one by one, however they are parted."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from frames import DATA
from hypothesis import given
from hypothesis import strategies as st

from paved_runtime import contract, digests, encoding
from paved_runtime.contract import CHUNK, Check
from paved_runtime.digests import REMEMBERED, SHORT
from paved_runtime.encoding import Column, Growing
from paved_runtime.rules import BooleanRule, CategoryRule, DateRule, NumberRule, OptionalRule, OutcomeRule, Rule, RuleError, TextRule, shown

RULES: dict[str, Rule] = {
    "number": NumberRule(-5, 5, whole=False),
    "integer": OptionalRule(NumberRule(0, 9, whole=True)),
    "category": CategoryRule({"a": 0.0, "b": 1.0, "": 2.0}),
    "boolean": OptionalRule(BooleanRule("1", "0")),
    "date": DateRule(0, 20000),
    "text": OptionalRule(TextRule(3)),
}
cells = st.sampled_from(["1", "1.0", "0", "-3", "7", "99", "a", "b", "", "x", "abcd", "1970-02-01", "2026-11-30", "2026-02-30"])
columns = st.lists(cells | st.text(st.characters(exclude_categories=["Cs"]), max_size=4), min_size=1, max_size=40)


def parted(cells: Sequence[str], cuts: Sequence[int]) -> Iterator[Sequence[str]]:
    ends = sorted({cut % len(cells) for cut in cuts} - {0})
    for start, end in zip([0, *ends], [*ends, len(cells)], strict=True):
        yield cells[start:end]


def parsed(rule: Rule, cell: str) -> tuple[float, str]:
    try:
        return rule.parse(cell), ""
    except RuleError as error:
        return np.inf, error.broken


@given(st.sampled_from(sorted(RULES)), columns, st.lists(st.integers(0, 40), max_size=5))
def test_parts_come_to_what_the_whole_does(kind: str, cells: list[str], cuts: list[int]) -> None:
    rule = RULES[kind]
    column = Column.of(rule, digested=True)
    parts = [column.encode(part) for part in parted(cells, cuts)]
    expected = [parsed(rule, cell) for cell in cells]

    assert np.array_equal(np.concatenate([part.numbers for part in parts]), [number for number, _ in expected], equal_nan=True)
    assert np.array_equal(digests.of_rows([("x", np.concatenate([part.digests for part in parts]))]), digests.digests([("x", cells)]))
    assert set(column.refused) == {broken for _, broken in expected if broken}
    for broken, refused in column.refused.items():
        rows = [row for row, (_, why) in enumerate(expected, start=1) if why == broken]
        assert (refused.count, refused.rows) == (len(rows), rows[:5])
        assert refused.examples == list(dict.fromkeys(shown(cells[row - 1]) for row in rows))[:3]


@given(columns, st.lists(st.integers(0, 40), max_size=5))
def test_a_target_refuses_each_cell_with_its_advice(cells: list[str], cuts: list[int]) -> None:
    rule = OutcomeRule({"a": 1.0, "b": 0.0}, "data.positive and data.negative")
    column = Column(encoding.by_target(rule))
    numbers = np.concatenate([column.encode(part).numbers for part in parted(cells, cuts)])

    assert numbers.tolist() == [rule.label(cell) for cell in cells]
    wrong = [cell for cell in cells if cell not in ("a", "b")]
    assert sum(refused.count for refused in column.refused.values()) == len(wrong)
    assert set(column.refused) == set(map(rule.advice, wrong))


def test_what_is_remembered_of_cells_is_bounded_and_changes_nothing() -> None:
    rule = NumberRule(0, 1e9, whole=True)
    column, plain = Column.of(rule, digested=True), Column.of(rule, digested=True)
    many = [str(number % (REMEMBERED + 500)) for number in range(3 * REMEMBERED)]
    parts = [column.encode(many[start : start + CHUNK]) for start in range(0, len(many), CHUNK)]

    assert len(column._cells) <= REMEMBERED
    whole = plain.encode(many)
    assert np.array_equal(np.concatenate([part.numbers for part in parts]), whole.numbers)
    assert np.array_equal(np.concatenate([part.digests for part in parts]), whole.digests)


@pytest.mark.parametrize("wrong", [[], [5], [REMEMBERED + 2 * CHUNK, REMEMBERED + 2 * CHUNK + 7]])
def test_a_column_of_many_different_cells_is_judged_like_any_other(wrong: list[int]) -> None:
    cells = [f"{number / 7:.9f}" for number in range(REMEMBERED + 4 * CHUNK)]
    for row in wrong:
        cells[row] = "x"
    column = Column.of(OptionalRule(NumberRule(0, 1e9, whole=False)))
    numbers = np.concatenate([column.encode(cells[start : start + CHUNK]).numbers for start in range(0, len(cells), CHUNK)])

    assert numbers.tolist() == [np.inf if cell == "x" else float(cell) for cell in cells]
    assert {broken: (refused.count, refused.rows) for broken, refused in column.refused.items()} == (
        {"type": (len(wrong), [row + 1 for row in wrong])} if wrong else {}
    )


def test_long_cells_are_not_remembered() -> None:
    column = Column.of(TextRule(10_000))
    column.encode(["x" * SHORT])
    assert len(column._cells) == 1
    column.encode(["x" * (SHORT + 1)])
    assert len(column._cells) == 0


@given(st.lists(st.integers(0, 50), max_size=20))
def test_an_array_grows_by_what_is_added(sizes: list[int]) -> None:
    growing = Growing(np.float64, 2)
    parts = [np.full((size, 2), number, dtype=np.float64) for number, size in enumerate(sizes)]
    for part in parts:
        growing.add(part)

    assert np.array_equal(growing.whole(), np.concatenate([np.empty((0, 2)), *parts]))


WRONG = [1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1]  # rows on both sides of where a chunk ends


def written(file: Path, rows: int, age: dict[int, str]) -> None:
    """A data set in which `age` is wrong in some rows, and the target in row 15,000."""
    line = {name: str(getattr(column, "minimum", getattr(column, "values", "?")[0])) for name, column in DATA.columns.items()}
    line |= {name: column.values[0] for name, column in DATA.columns.items() if hasattr(column, "values")}
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([*line, "y"])
        for row in range(1, rows + 1):
            outcome = "maybe" if row == 15_000 else "yes" if row % 2 else "no"
            writer.writerow([*(line | {"age": age.get(row, line["age"])}).values(), outcome])


def refused(*files: tuple[int, dict[int, str]]) -> list[Check]:
    with TemporaryDirectory() as folder:
        for number, (rows, age) in enumerate(files):
            written(Path(folder) / f"{number}.csv", rows, age)
        with pytest.raises(contract.ContractError) as caught:
            contract.read(Path(folder), DATA)
    return list(caught.value.violations)


def test_violations_of_many_chunks_are_counted_through() -> None:
    ages, target = refused((2 * CHUNK + 1, dict(zip(WRONG, ["x", "17", "y", "x", "z"], strict=True)))), 15_000
    found = {(check.column, check.rule): (check.found, check.count, check.rows) for check in ages}

    assert found == {
        ("age", "range"): ("'17'", 1, (CHUNK,)),
        ("age", "type"): ("'x', 'y', 'z'", 4, (1, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1)),
        ("y", "target"): ("'maybe'", 1, (target,)),
    }


def test_and_of_several_files() -> None:
    (age,) = refused((CHUNK + 1, {CHUNK + 1: "x"}), (2, {1: "y"}))

    assert (age.found, age.count, age.rows) == ("'x', 'y'", 2, (CHUNK + 1, CHUNK + 2))


def test_a_column_that_one_file_lacks_is_told_once_and_its_cells_are_not(tmp_path: Path) -> None:
    for name, header in (("a", "age,balance,y"), ("b", "age,y")):
        cells = "x,x,yes\n40,x,no" if name == "a" else "41,yes\n42,no"
        (tmp_path / f"{name}.csv").write_text(f"{header}\n{cells}\n")
    data = DATA.model_copy(update={"columns": {name: DATA.columns[name] for name in ("age", "balance")}, "exclude": ()})
    reading = contract.inspect(tmp_path, data)

    assert list(reading.examples.table.positions) == ["age"]
    assert reading.examples.table["age"].tolist() == [np.inf, 40, 41, 42]
    broken = [(check.column, check.rule, check.found) for check in reading.checks if not check.passed]
    assert broken == [("balance", "absent", "no such column in b.csv"), ("age", "type", "'x'")]
