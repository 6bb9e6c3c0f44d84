"""A CSV cell that a batch turns into JSON is accepted, and means, what it is and means in CSV."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paved_runtime.batch import spelling
from paved_runtime.batch.spelling import Spelling
from paved_runtime.rules import BooleanRule, CategoryRule, DateRule, NumberRule, OptionalRule, Rule, RuleError, TextRule, is_text

PLAIN: list[Rule] = [
    NumberRule(-1e6, 1e6, whole=False),
    NumberRule(-10, 2**60, whole=True),
    CategoryRule({"a": 0.0, "": 1.0, "ü": 2.0, "7": 3.0}),
    BooleanRule("yes", "no"),
    BooleanRule("true", "false"),
    DateRule(0, 30_000),
    TextRule(5),
]
RULES = [*PLAIN, *map(OptionalRule, PLAIN)]
numerals = st.floats(allow_nan=False, width=32).map(repr) | st.integers(-(10**20), 10**20).map(str)
cells = (
    numerals
    | st.dates().map(str)
    | st.sampled_from(["yes", "no", "true", "a", "ü", "7", "", "+1", ".5", "007", "1e3", "null", '"'])
    | st.text(max_size=6)
)


def read(rule: Rule, cell: str) -> float | None:
    try:
        return rule.parse(cell)
    except RuleError:
        return None


def judged(rule: Rule, value: object) -> float | None:
    try:
        return rule.read(value)
    except RuleError:
        return None


@given(rule=st.sampled_from(RULES), cell=cells)
def test_it_is_judged_alike(rule: Rule, cell: str) -> None:
    value = json.loads(Spelling(rule)[cell])
    expected, actual = read(rule, cell), judged(rule, value)

    assert (expected is None) == (actual is None)
    assert expected is None or actual == expected or (math.isnan(expected) and actual is not None and math.isnan(actual))
    assert not is_text(rule) or value in (cell, None)


def test_a_column_of_many_cells_is_not_remembered_whole() -> None:
    column = Spelling(NumberRule(0, 1e9, whole=True))
    for number in range(spelling.REMEMBERED + 5):
        assert column[str(number)] == str(number)

    assert len(column) == 5


@pytest.mark.parametrize("length", [spelling.SHORT, spelling.SHORT + 1])
def test_a_long_cell_is_not_remembered(length: int) -> None:
    column = Spelling(TextRule(100))

    assert column["x" * length] == json.dumps("x" * length)
    assert len(column) == (length <= spelling.SHORT)
