"""What a row turned out to be: every cell of a target is accepted or refused with its row and with what to do, and reads back."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import task_rows
from hypothesis import given
from hypothesis import strategies as st

from paved_runtime import contract, rules, spec, split, tasks
from paved_runtime.spec import Data
from paved_runtime.table import Examples

GRADE, AMOUNT = (spec.load(task_rows.MODELS[task]).data for task in ("multiclass", "regression"))
LEFT_OUT = "leave out the rows whose outcome is not known"
ROWS = {"multiclass": task_rows.made("multiclass", 60), "regression": task_rows.made("regression", 60)}


def read(data: Data, cells: dict[int, str]) -> Examples:
    """A data set whose target has other cells in some rows."""
    made = [row | ({data.target: cells[place]} if place in cells else {}) for place, row in enumerate(ROWS[data.task])]
    with TemporaryDirectory() as folder:
        lines = [",".join(made[0]), *(",".join(row.values()) for row in made)]
        (Path(folder) / "data.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return contract.read(Path(folder), data)


@pytest.mark.parametrize(
    ("data", "cell", "advice"),
    [
        (GRADE, "Severe", "spelt 'severe' it would be an outcome: correct the spelling, where that is what it means"),
        (GRADE, " low", "spelt 'low' it would be an outcome: correct the spelling, where that is what it means"),
        (GRADE, "lowest", "correct the cell, or leave out the row: data.classes in model.toml are the only outcomes"),
        (GRADE, "0", "correct the cell, or leave out the row: data.classes in model.toml are the only outcomes"),
        (GRADE, "", LEFT_OUT),
        (AMOUNT, "", LEFT_OUT),
        *(
            (AMOUNT, cell, "correct the cell, leave out the row, or widen data.target_minimum and data.target_maximum in model.toml")
            for cell in ("-0.01", "50000.01", "nan", "inf", "1e400", "twelve", "0x10", "1_000")
        ),
    ],
)
def test_a_target_that_is_none_is_refused_by_row_and_with_advice(data: Data, cell: str, advice: str) -> None:
    with pytest.raises(contract.ContractError) as caught:
        read(data, {6: cell, 41: cell})
    (violation,) = caught.value.violations

    assert (violation.column, violation.count, violation.rows) == (data.target, 2, (7, 42))
    assert violation.advice == advice
    assert rules.target(data).expected in str(violation)


@pytest.mark.parametrize("cell", ["0", "50000", "0.0", "1e3", "-0"])
def test_both_ends_of_the_range_are_amounts(cell: str) -> None:
    assert read(AMOUNT, {3: cell}).labels[3] == float(cell)


@given(st.floats(0, 50_000))
def test_an_amount_reads_back_as_it_was(amount: float) -> None:
    rule = rules.target(AMOUNT)

    assert rule.accepts(rule.spell(amount))
    assert rule.label(rule.spell(amount)) == amount


@given(st.floats() | st.text(max_size=12))
def test_a_cell_is_an_amount_where_it_is_in_the_range_and_nothing_else_breaks(cell: float | str) -> None:
    rule, spelt = rules.target(AMOUNT), str(cell)

    assert not rule.accepts(spelt) or 0 <= float(spelt) <= 50_000
    assert not isinstance(cell, float) or rule.accepts(spelt) is (0 <= cell <= 50_000)
    assert 0 <= rule.label(spelt) <= 50_000
    assert rule.advice(spelt)


@given(st.sampled_from(GRADE.classes) | st.text(max_size=8))
def test_a_cell_is_a_class_where_it_is_spelt_so_and_nothing_else_breaks(cell: str) -> None:
    rule = rules.target(GRADE)

    assert rule.accepts(cell) is (cell in GRADE.classes)
    assert not rule.accepts(cell) or rule.spell(rule.label(cell)) == cell
    assert rule.label(cell) in range(4)
    assert rule.advice(cell)


@pytest.mark.parametrize("data", [GRADE, AMOUNT])
def test_what_is_written_reads_back(data: Data) -> None:
    examples = read(data, {})
    with TemporaryDirectory() as folder:
        contract.write(Path(folder) / "part.csv", examples, data)
        again = contract.read(Path(folder), data)

    assert again.labels.tolist() == examples.labels.tolist()


def test_each_class_is_held_out_in_its_share_and_numbers_in_theirs() -> None:
    for data in (GRADE, AMOUNT):
        examples = read(data, {})
        train, held = split.split(examples, tasks.of(data), share=0.25, seed=0)
        counts = [tasks.of(data).counts(part.labels) for part in (examples, held)]

        assert counts[1] == {name: round(rows * 0.25) for name, rows in counts[0].items()}
        assert len(held) == pytest.approx(15, abs=len(data.classes) / 2)
        assert sorted([*train.labels, *held.labels]) == sorted(examples.labels)
        assert np.isfinite(held.labels).all()
