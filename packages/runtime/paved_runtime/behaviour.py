"""Behaviour: how the score answers when a row changes, whatever its outcome was. It is asked as callers ask it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from paved_runtime.rules import Value, rules
from paved_runtime.spec import Behaviour, Boolean, Category, Column, Data, Date, Integer, Invariance, MinimumFunction, Text
from paved_runtime.table import Mask, Table, Values
from paved_runtime.verdict import Verdict, at_least

GATE = "behaviour"
TOLERANCE = 1e-6  # of the range of scores: they are float32
STEPS = 17  # points over a number's accepted range, and as many over the values that occur
Score = Callable[[Table], Values]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One test: in how many of the rows it held, and in which share of them it must."""

    name: str
    kind: str
    kept: Mask
    share: float
    advice: str

    @property
    def verdict(self) -> Verdict:
        """Passes when the test held in its share of the rows."""
        return at_least(GATE, f"{self.name} ({self.kind}), share of rows that keep it", self.kept_share, self.share, advice=self.advice)

    @property
    def kept_share(self) -> float:
        """NaN without rows."""
        return float(self.kept.mean()) if len(self.kept) else np.nan

    def as_json(self) -> dict[str, Any]:
        """The test as it stands in report.json."""
        return {
            "name": self.name,
            "kind": self.kind,
            "rows": len(self.kept),
            "kept": self.verdict.found,
            "passed": self.verdict.passed,
        }


def examine(table: Table, data: Data, behaviour: Behaviour, score: Score) -> Iterator[Outcome]:
    """Every test that `model.toml` names, on the rows of `table`, each of which has one score."""
    for column, direction in behaviour.monotone.items():
        yield _monotone(table, data, column, direction, score)
    for invariance in behaviour.invariance:
        yield _invariance(table, data, invariance, score)
    for function in behaviour.minimum_function:
        yield _minimum_function(table, data, function, score)


def _monotone(table: Table, data: Data, column: str, direction: str, score: Score) -> Outcome:
    steps = np.diff(_over(table, data, column, score), axis=1) * (1 if direction == "increasing" else -1)
    return Outcome(
        name=f"{column} {direction}",
        kind="monotone",
        kept=np.asarray((steps >= -TOLERANCE * data.span).all(axis=1)),
        share=1.0,
        advice=f"train with the constraint (training.py is given it), and see that no other feature turns {column!r} round",
    )


def _invariance(table: Table, data: Data, rule: Invariance, score: Score) -> Outcome:
    scores = _over(table, data, rule.column, score)
    return Outcome(
        name=rule.name,
        kind="invariance",
        kept=scores.max(axis=1) - scores.min(axis=1) <= rule.maximum_change,
        share=rule.share,
        advice=f"the score leans on {rule.column!r} by more than {rule.maximum_change}: leave the column out, or train it to matter less",
    )


def _minimum_function(table: Table, data: Data, rule: MinimumFunction, score: Score) -> Outcome:
    return Outcome(
        name=rule.name,
        kind="minimum function",
        kept=score(_with(table, data, rule.higher)) > score(_with(table, data, rule.lower)),
        share=rule.share,
        advice=f"a row with {_cells(rule.higher)} must score above itself with {_cells(rule.lower)}: see what the training data say of it",
    )


def _over(table: Table, data: Data, column: str, score: Score) -> Values:
    """Scores of each row with many values of one column, in rising order, its own among them: float64 [rows, values]."""
    own, grid = table[column], _grid(data.columns[column], table[column])
    own = np.where(np.isnan(own), grid[0], own)
    values = np.sort(np.column_stack([np.tile(grid, (len(table), 1)), own]), axis=1)
    repeated = table.take(np.repeat(np.arange(len(table)), values.shape[1]))
    repeated[column][:] = values.ravel()
    return score(repeated).reshape(values.shape)


def _grid(column: Column, own: Values) -> Values:
    """A category's or a boolean's values; of a number or a date, points over the accepted range and over the values that occur."""
    if isinstance(column, Category | Boolean):
        return np.arange(len(column.values), dtype=np.float64)
    assert not isinstance(column, Text)  # `model.toml` may not name one
    present = own[~np.isnan(own)]
    even = np.linspace(*(column.days if isinstance(column, Date) else (column.minimum, column.maximum)), STEPS)
    common = np.quantile(present, np.linspace(0, 1, STEPS)) if len(present) else even
    points = np.concatenate([even, common])
    return np.unique(points.round() if isinstance(column, Integer | Date) else points)


def _with(table: Table, data: Data, cells: Mapping[str, Value]) -> Table:
    """The same rows with some cells replaced."""
    accepted, values = rules(data), table.values.copy()
    for column, cell in cells.items():
        values[:, table.positions[column]] = accepted[column].read(cell)
    return table.with_values(values)


def _cells(cells: Mapping[str, Value]) -> str:
    return ", ".join(f"{column} = {cell!r}" for column, cell in cells.items())
