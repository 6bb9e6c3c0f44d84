"""Groups part the rows: each row is in exactly one group of a column, whatever its values are."""

from __future__ import annotations

from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from paved_runtime.groups import groups
from paved_runtime.spec import Data
from paved_runtime.table import Table, Values

DATA = Data.model_validate(
    {
        "target": "y",
        "positive": "1",
        "negative": "0",
        "minimum_rows": 1,
        "holdout": 0.5,
        "columns": {
            "age": {"type": "number", "minimum": 0, "maximum": 100, "missing": 0.5},
            "colour": {"type": "category", "values": ["red", "green", "blue"], "missing": 0.5},
        },
    }
)
cuts = st.lists(st.integers(0, 100).map(float), min_size=1, max_size=5, unique=True).map(sorted)
sizes = st.integers(1, 40)
ages = sizes.flatmap(lambda n: hnp.arrays(np.float64, n, elements=st.integers(0, 100).map(float) | st.just(np.nan)))


def table(age: Values, colour: Values) -> Table:
    return Table({"age": 0, "colour": 1}, np.column_stack([age, colour]))


@given(ages, cuts, st.randoms(use_true_random=False))
def test_each_row_is_in_one_group_of_a_column(age: Values, points: list[float], draw: Random) -> None:
    colour = np.array([draw.choice([0.0, 1.0, 2.0, np.nan]) for _ in age])
    parts = list(groups(table(age, colour), DATA, {"age": points, "colour": ()}))

    for column in ("age", "colour"):
        assert np.array_equal(sum(group.rows.astype(int) for group in parts if group.column == column), np.ones(len(age)))
    assert len({str(group) for group in parts}) == len(parts)
    assert sum(len(group) for group in parts) == 2 * len(age)


def test_a_cut_point_begins_its_range() -> None:
    parts = list(groups(table(np.array([29.9, 30.0, 59.9, 60.0, np.nan]), np.zeros(5)), DATA, {"age": (30.0, 60.0)}))

    assert {str(group): np.flatnonzero(group.rows).tolist() for group in parts} == {
        "age below 30": [0],
        "age 30 to below 60": [1, 2],
        "age 60 and above": [3],
        "age missing": [4],
    }


def test_a_categorys_values_are_the_groups_even_without_rows() -> None:
    parts = list(groups(table(np.zeros(3), np.array([0.0, 0.0, 2.0])), DATA, {"colour": ()}))

    assert [(group.name, len(group)) for group in parts] == [("red", 2), ("green", 0), ("blue", 1)]
