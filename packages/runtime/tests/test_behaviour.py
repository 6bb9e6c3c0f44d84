"""Behaviour: each test finds a model that misbehaves in one row in a hundred, and lets one pass that does not."""

from __future__ import annotations

import numpy as np
import pytest

from paved_runtime import behaviour
from paved_runtime.behaviour import Outcome
from paved_runtime.spec import Behaviour, Data
from paved_runtime.table import Table, Values

ROWS = 200
DATA = Data.model_validate(
    {
        "target": "y",
        "positive": "1",
        "negative": "0",
        "minimum_rows": 1,
        "holdout": 0.5,
        "columns": {
            "calls": {"type": "integer", "minimum": 0, "maximum": 1000, "missing": 0.5},
            "rate": {"type": "number", "minimum": 0, "maximum": 1},
            "colour": {"type": "category", "values": ["red", "green", "blue"]},
        },
    }
)


def rows() -> Table:
    draw = np.random.default_rng(0)
    calls = np.where(np.arange(ROWS) % 50 == 7, np.nan, draw.integers(0, 12, ROWS))
    return Table({"calls": 0, "rate": 1, "colour": 2}, np.column_stack([calls, draw.random(ROWS), draw.integers(0, 3, ROWS)]))


def outcome(score: behaviour.Score, **rules: object) -> Outcome:
    (test,) = behaviour.examine(rows(), DATA, Behaviour.model_validate(rules), score)
    return test


def falls(table: Table) -> Values:
    return 1 / (1 + np.nan_to_num(table["calls"]) / 5 + table["rate"])


@pytest.mark.parametrize(("column", "direction", "passes"), [("calls", "decreasing", True), ("calls", "increasing", False)])
def test_monotone(column: str, direction: str, passes: bool) -> None:
    test = outcome(falls, monotone={column: direction})

    assert test.verdict.passed is passes
    assert test.as_json() == {
        "name": f"{column} {direction}",
        "kind": "monotone",
        "rows": ROWS,
        "kept": 1.0 if passes else 0.0,
        "passed": passes,
    }


def test_one_step_the_wrong_way_in_one_row_is_found() -> None:
    """The step is where values occur, a hundredth of the accepted range; and only one row in 200 has it."""
    odd = rows().values[3, 1]

    def score(table: Table) -> Values:
        return np.where((table["calls"] > 5) & (table["rate"] == odd), 0.501, 0.5)

    test = outcome(score, monotone={"calls": "decreasing"})
    assert test.verdict.passed is False
    assert (~test.kept).sum() == 1
    assert "share of rows that keep it: found 0.995, accepted is >= 1" in str(test.verdict)


def test_a_constant_is_monotone_and_nan_is_not() -> None:
    assert outcome(lambda table: np.full(len(table), 0.3), monotone={"rate": "increasing"}).verdict.passed is True
    assert outcome(lambda table: np.full(len(table), np.nan), monotone={"rate": "increasing"}).verdict.passed is False


@pytest.mark.parametrize(("column", "weight", "passes"), [("colour", 0.02, True), ("colour", 0.04, False), ("rate", 0.0, True)])
def test_invariance(column: str, weight: float, passes: bool) -> None:
    rule = {"name": "it hardly matters", "column": column, "maximum_change": 0.05}
    test = outcome(lambda table: 0.5 + weight * table[column], invariance=[rule])

    assert test.verdict.passed is passes
    assert test.kept_share == (1.0 if passes else 0.0)


def test_invariance_in_a_share_of_the_rows() -> None:
    def score(table: Table) -> Values:
        return 0.5 + 0.2 * table["colour"] * (table["rate"] > 0.9)

    rule = {"name": "it hardly matters", "column": "colour", "maximum_change": 0.05}
    share = (rows()["rate"] <= 0.9).mean()

    assert outcome(score, invariance=[rule | {"share": share}]).verdict.passed is True
    strict = outcome(score, invariance=[rule])
    assert strict.verdict.passed is False
    assert strict.verdict.found == share
    assert "the score leans on 'colour' by more than 0.05" in strict.verdict.advice


def test_minimum_function() -> None:
    rule = {"name": "red is better", "higher": {"colour": "red", "calls": 3}, "lower": {"colour": "blue", "calls": 3}}
    kept = outcome(lambda table: 0.9 - 0.1 * table["colour"] - 0.01 * table["calls"], minimum_function=[rule])
    equal = outcome(falls, minimum_function=[rule])

    assert kept.verdict.passed is True
    assert equal.verdict.passed is False, "equal is not above"
    assert "a row with colour = 'red', calls = 3 must score above itself with colour = 'blue', calls = 3" in equal.verdict.advice


def test_the_rows_themselves_are_left_alone() -> None:
    table = rows()
    before = table.values.copy()
    every = {
        "monotone": {"calls": "decreasing"},
        "invariance": [{"name": "rate", "column": "rate", "maximum_change": 0.9}],
        "minimum_function": [{"name": "red", "higher": {"colour": "red"}, "lower": {"colour": "blue"}}],
    }
    assert len(list(behaviour.examine(table, DATA, Behaviour.model_validate(every), falls))) == 3
    assert np.array_equal(table.values, before, equal_nan=True)


@pytest.mark.parametrize(("fall", "passes"), [(0.5e-6, True), (2e-6, False)])
@pytest.mark.parametrize("span", [1e-3, 1.0, 1e9])
def test_a_step_counts_by_the_range_of_the_scores(span: float, fall: float, passes: bool) -> None:
    """Scores of single precision take steps of about a millionth of it."""
    numbers = DATA.model_dump(exclude={"positive", "negative"}) | {"target_minimum": 0, "target_maximum": span}
    data = Data.model_validate(numbers)

    def score(table: Table) -> Values:
        return np.where(table["rate"] > 0.5, span * (0.5 - fall), span * 0.5)

    (test,) = behaviour.examine(rows(), data, Behaviour.model_validate({"monotone": {"rate": "increasing"}}), score)
    assert test.verdict.passed is passes
