"""How the story's world moves: chosen from any model's contract and data, seen by the monitor, and borne by training."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from statistics import NormalDist

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli import rows, shift, world
from cli.problem import Problem
from paved_runtime.spec import Boolean, Category, Column, Date, Integer, ModelSpec, Number
from tests import reference
from tests.support.rows import synthetic

MODEL = reference.model()


def model(**columns: Column) -> ModelSpec:
    """The reference's model with other columns."""
    return MODEL.model_copy(update={"data": MODEL.data.model_copy(update={"columns": columns})})


def number(minimum: float = 0, maximum: float = 1000) -> Number:
    return Number(type="number", minimum=minimum, maximum=maximum)


def category(*values: str) -> Category:
    return Category(type="category", values=values)


def test_the_reference_moves_in_a_category_and_a_number() -> None:
    known = list(synthetic(8000))
    text, grown = world.choose_shifts(MODEL, known)

    assert (text, grown) == world.choose_shifts(MODEL, known)
    name, _, change = text.partition("=")
    value, _, share = change.rpartition(":")
    counts = [sum(row[name] == value for row in known) for value in MODEL.data.columns[name].values]  # type: ignore[union-attr]
    assert float(share) == 0.25
    assert sum(row[name] == value for row in known) == min(count for count in counts if count >= 0.01 * len(known))
    assert grown == "age=+7" or grown == "age=+8"


def test_a_number_grows_by_half_of_its_interquartile_range() -> None:
    known = [{"real": f"{cell / 100}", "whole": str(cell)} for cell in range(1000)]
    assert world._candidate("real", number(), [row["real"] for row in known]) == "real=+2.5025"
    assert world._candidate("whole", Integer(type="integer", minimum=0, maximum=2000), [row["whole"] for row in known]) == "whole=+250"
    assert world._candidate("flag", Integer(type="integer", minimum=0, maximum=9), ["0", "1"] * 9) == "flag=+1"


@pytest.mark.parametrize("cells", [["5"] * 100, ["", "5"], []])
def test_a_number_that_does_not_vary_does_not_move(cells: list[str]) -> None:
    assert world._candidate("real", number(), cells) == ""


def test_a_category_moves_to_its_rarest_usual_value() -> None:
    cells = ["often"] * 900 + ["seldom"] * 95 + ["never"] * 5
    assert world._candidate("kind", category("never", "often", "seldom"), cells) == "kind=seldom:0.25"
    assert world._candidate("kind", category("often", "never"), ["often"] * 999 + ["never"]) == ""


def test_columns_that_nobody_would_see_or_training_refuses_are_passed_over() -> None:
    even = [{"coin": "head" if n % 2 else "tail", "rare": "a" if n % 50 else "b"} for n in range(2000)]
    assert world.choose_shifts(model(coin=category("head", "tail"), rare=category("a", "b")), even) == ("rare=b:0.25",)

    constant = [{"constant": "0"}] * 1000
    with pytest.raises(Problem, match="no column of its data can move so that it is seen: leave --story out"):
        world.choose_shifts(model(constant=number()), constant)


@given(st.lists(st.floats(0, 1000, allow_nan=False).map(lambda cell: f"{cell:.3f}"), min_size=60, max_size=200))
@settings(max_examples=60, deadline=None)
def test_what_is_chosen_is_within_the_bounds_whatever_the_data(cells: list[str]) -> None:
    spec, known = model(real=number()), [{"real": cell} for cell in cells]
    assert spec.monitoring is not None
    try:
        (text,) = world.choose_shifts(spec, known)
    except Problem:
        return
    moved = shift.apply([shift.parse(text, spec)], known, world.SEED)
    index = world.stability_index(cells, [row["real"] for row in moved], spec.data.columns["real"])
    assert 2 * spec.monitoring.psi <= index <= spec.data.maximum_change


def test_the_index_of_what_has_not_moved_is_nothing() -> None:
    cells = [str(cell) for cell in range(100)] + [""] * 5
    assert world.stability_index(cells, cells, number()) == 0
    assert world.stability_index(["a", "b"], ["b", "a"], category("a", "b")) == 0
    assert world.stability_index(cells, [""] * 105, number()) > 1


def test_the_later_parts_have_moved_and_the_earlier_ones_have_not(tmp_path: Path) -> None:
    known = list(synthetic(8000))
    file = rows.write(tmp_path / "all.csv", known)
    parted = world.part(file, MODEL, tmp_path)
    column = shift.parse(parted.shifts[0], MODEL).column
    value = parted.shifts[0].partition("=")[2].rpartition(":")[0]

    def share(part: list[rows.Row]) -> float:
        return sum(row[column] == value for row in part) / len(part)

    first, fresh = (rows.read(each.path, MODEL.data) for each in (parted.first, parted.fresh))
    assert len(first) + len(fresh) + sum(map(len, (parted.calm, parted.moved, parted.later))) == len(known)
    assert max(share(first), share(list(parted.calm))) < 0.1
    assert min(share(fresh), share(list(parted.moved)), share(list(parted.later))) > 0.2


OPENED = Date(type="date", minimum=date(2020, 1, 1), maximum=date(2030, 12, 31))
ACTIVE = Boolean(type="boolean", true="yes", false="no")
KNOWN = [
    {
        "opened": (date(2024, 1, 1) + timedelta(NormalDist(200, 100).inv_cdf((n + 0.5) / 2000))).isoformat(),
        "active": "no" if n % 25 else "yes",
        "asked": "2026-01-01",
    }
    for n in range(2000)
]


def test_a_date_and_a_boolean_move_so_that_it_is_seen() -> None:
    text, later = world.choose_shifts(model(opened=OPENED, active=ACTIVE), KNOWN)

    assert text == "active=yes:0.25"
    assert later == "opened=+68"


def test_no_date_moves_past_the_decision() -> None:
    dated = model(opened=OPENED, asked=OPENED, active=ACTIVE)
    decided = dated.model_copy(update={"data": dated.data.model_copy(update={"time": "asked"})})

    assert world.choose_shifts(decided, KNOWN) == ("active=yes:0.25",)
