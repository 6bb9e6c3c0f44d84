"""Columns of CSV cells as numbers, some rows at a time: of a file of any length no more is held than what its rows come to.

Columns repeat themselves: each different cell is judged, and digested, once, as long as it is remembered. What is remembered is bounded.
A column with more different cells than that, as measurements have, is judged a chunk at a time where it needs no digests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from paved_runtime.digests import REMEMBERED, SHORT, Digests, of_cell
from paved_runtime.rules import Rule, RuleError, TargetRule, shown
from paved_runtime.table import Values

FIRST, EXAMPLES = 5, 3
Judge = Callable[[str], tuple[float, str]]  # a cell's number, and what it breaks: nothing where it is accepted
AtOnce = Callable[[Sequence[str]], Values]


class Encoded(NamedTuple):
    """Some rows of a column: float64 [rows], and the cells' digests, uint64 [rows], where they are asked for."""

    numbers: Values
    digests: Digests


@dataclass(slots=True)
class Refused:
    """The rows that break one rule: how many, the first of them, counted from 1, and what the first different ones look like."""

    count: int = 0
    rows: list[int] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)

    def add(self, rows: Sequence[int], cells: Sequence[str], before: int) -> None:
        """Add `rows` of a chunk, rising, behind `before` rows."""
        self.count += len(rows)
        self.rows += [before + row + 1 for row in rows[: FIRST - len(self.rows)]]
        if len(self.examples) < EXAMPLES:
            looks = map(shown, dict.fromkeys(cells[row] for row in rows))
            self.examples = list(dict.fromkeys([*self.examples, *looks]))[:EXAMPLES]


class Column:
    """One column, read chunk by chunk. `refused` has the rows that break a rule, by what they break."""

    def __init__(self, judge: Judge, *, digested: bool = False, at_once: AtOnce | None = None) -> None:
        """`at_once` gives the same numbers as `judge`, or raises RuleError where that refuses a cell."""
        self.refused: dict[str, Refused] = {}
        self._judge, self._digested, self._at_once, self._rows = judge, digested, None if digested else at_once, 0
        self._cells = _Cells(judge, digested=digested)
        self._diverse = False

    @classmethod
    def of(cls, rule: Rule, *, digested: bool = False) -> Self:
        """A column with a rule. A refused cell is infinite, which no accepted one is."""
        return cls(_by(rule), digested=digested, at_once=rule.parse_all)

    def encode(self, cells: Sequence[str]) -> Encoded:
        """The next rows. A refused cell has whatever number `judge` gives it."""
        if self._diverse and self._at_once:
            with suppress(RuleError):
                numbers = self._at_once(cells)
                self._rows += len(cells)
                return Encoded(numbers, self._cells.no_digests)
        return self._one_by_one(cells)

    def _one_by_one(self, cells: Sequence[str]) -> Encoded:
        known = self._cells
        places = np.fromiter(map(known.__getitem__, cells), dtype=np.intp, count=len(cells))
        encoded = known.take(places)
        if known.broken:
            self._refuse(cells, places, known.broken)
        self._rows += len(cells)
        if known.full:
            self._diverse = True
            self._cells = _Cells(self._judge, digested=self._digested)
        return encoded

    def _refuse(self, cells: Sequence[str], places: NDArray[np.intp], broken: dict[int, str]) -> None:
        rows: dict[str, list[int]] = {}
        for row in np.flatnonzero(np.isin(places, list(broken))).tolist():
            rows.setdefault(broken[int(places[row])], []).append(row)
        for rule, breaking in rows.items():
            self.refused.setdefault(rule, Refused()).add(breaking, cells, self._rows)


class _Cells(dict[str, int]):
    """Cells that were seen, each with its place among them; `broken` has what those at some places break."""

    def __init__(self, judge: Judge, *, digested: bool) -> None:
        super().__init__()
        self.broken: dict[int, str] = {}
        self._judge, self._digested, self._long = judge, digested, False
        self._numbers: list[float] = []
        self._digests: list[int] = []
        self.no_digests: Digests = np.empty(0, dtype=np.uint64)
        self._encoded = Encoded(np.empty(0), self.no_digests)

    def __missing__(self, cell: str) -> int:
        place = self[cell] = len(self)
        number, broken = self._judge(cell)
        self._numbers.append(number)
        if broken:
            self.broken[place] = broken
        if self._digested:
            self._digests.append(of_cell(cell))
        self._long |= len(cell) > SHORT
        return place

    @property
    def full(self) -> bool:
        """Whether it is time to forget them."""
        return self._long or len(self) > REMEMBERED

    def take(self, places: NDArray[np.intp]) -> Encoded:
        """What stands at some places."""
        if len(self._encoded.numbers) < len(self):
            self._encoded = Encoded(np.array(self._numbers), np.array(self._digests, dtype=np.uint64))
        numbers, digests = self._encoded
        return Encoded(numbers[places], digests[places] if self._digested else digests)


class Growing:
    """An array to which rows are added: as parts that are joined in the end, it would be held twice."""

    def __init__(self, dtype: DTypeLike, *shape: int) -> None:
        """Of rows that have such a shape."""
        self._array: NDArray[Any] = np.empty((0, *shape), dtype=dtype)
        self._rows = 0

    def more(self, rows: int) -> NDArray[Any]:
        """Room for so many rows, to be filled before more is asked for."""
        start, self._rows = self._rows, self._rows + rows
        if self._rows > len(self._array):
            self._resize(self._rows + self._rows // 8)
        return self._array[start : self._rows]

    def add(self, rows: NDArray[Any]) -> None:
        """Add some rows."""
        self.more(len(rows))[:] = rows

    def whole(self) -> NDArray[Any]:
        """All rows."""
        self._resize(self._rows)
        return self._array

    def _resize(self, rows: int) -> None:
        self._array.resize((rows, *self._array.shape[1:]), refcheck=False)  # moves pages, where the system can, and copies nothing


def _by(rule: Rule) -> Judge:
    def judge(cell: str) -> tuple[float, str]:
        try:
            return rule.parse(cell), ""
        except RuleError as error:
            return np.inf, error.broken

    return judge


def by_target(rule: TargetRule) -> Judge:
    """The rule of a target: what a cell that it does not accept breaks is said as what to do about it."""
    return lambda cell: (rule.label(cell), "" if rule.accepts(cell) else rule.advice(cell))


def filled(cell: str) -> tuple[float, str]:
    """That a cell is not empty; it has no number."""
    return np.nan, "" if cell else "missing"


def anything(cell: str) -> tuple[float, str]:
    """Nothing is asked of a cell, and it has no number."""
    del cell
    return np.nan, ""
