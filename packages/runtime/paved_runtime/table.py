"""The one shape in which rows reach feature code, in training and in serving alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from paved_runtime.digests import Digests

Mask = NDArray[np.bool_]
Matrix = NDArray[np.float32]
Values = NDArray[np.float64]
Texts = NDArray[np.object_]
NONE: Mapping[str, Texts] = {}
PART = 65_536  # rows that are scored at a time


class Columns(Protocol):
    """Rows whose columns are looked at one by one."""

    def __getitem__(self, column: str) -> Values:
        """One column, float64 [rows]."""

    def take(self, rows: NDArray[np.intp]) -> Self:
        """The given rows, in the given order."""


@dataclass(frozen=True, slots=True)
class Table:
    """`values` is float64 [rows, columns] in the order of `model.toml`; a category holds its value's position there, a
    boolean 0 or 1, a date its days since 1970-01-01.

    A missing cell, where `model.toml` accepts one, is NaN. Of a text there is the length, and in `texts`, by column, the text itself:
    str [rows], "" where it is missing.
    """

    positions: Mapping[str, int]
    values: Values
    texts: Mapping[str, Texts] = field(default_factory=lambda: NONE)

    def __getitem__(self, column: str) -> Values:
        """One column, float64 [rows]; a view, not a copy."""
        return self.values[:, self.positions[column]]

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: NDArray[np.intp] | Mask) -> Table:
        """The given rows, in the given order; or those where a mask says so."""
        return self.with_values(self.values[rows], rows)

    def parts(self, rows: int = PART) -> Iterator[Table]:
        """All rows, at most so many at a time, and at least one part; views, not copies."""
        for start in range(0, max(len(self), 1), rows):
            some = slice(start, start + rows)
            yield Table(self.positions, self.values[some], {name: texts[some] for name, texts in self.texts.items()})

    def with_values(self, values: Values, rows: NDArray[np.intp] | Mask | None = None) -> Table:
        """Other numbers beside the texts of the same rows, or of the given ones."""
        if not self.texts:
            return Table(self.positions, values)
        return Table(self.positions, values, {name: texts if rows is None else texts[rows] for name, texts in self.texts.items()})


@dataclass(frozen=True, slots=True)
class Selection:
    """Some rows of a table, in an order of their own: a column is copied when it is asked for, and the table never."""

    table: Table
    rows: NDArray[np.intp]

    def __getitem__(self, column: str) -> Values:
        """One column, float64 [rows]."""
        return self.table[column][self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: NDArray[np.intp]) -> Selection:
        """The given rows of these, in the given order."""
        return Selection(self.table, self.rows[rows])


def column(cells: Sequence[str | None]) -> Texts:
    """A column of texts; a missing one is "" there."""
    texts = np.empty(len(cells), dtype=np.object_)
    texts[:] = ["" if cell is None else cell for cell in cells]
    return texts


@dataclass(frozen=True, slots=True)
class Examples:
    """Rows whose outcome is known: `labels` is float64 [rows], as the model's task has them. `digests` are those of the rows in their file.

    `groups`, uint64 [rows], are equal where `data.group` is; `times`, float64 [rows], are the days of `data.time`, infinite where a cell is
    refused. Each is None where `model.toml` or the file has no such column.
    """

    table: Table
    labels: Values
    digests: Digests
    groups: Digests | None = None
    times: Values | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: NDArray[np.intp]) -> Examples:
        """The given rows, in the given order."""
        groups = None if self.groups is None else self.groups[rows]
        times = None if self.times is None else self.times[rows]
        return Examples(self.table.take(rows), self.labels[rows], self.digests[rows], groups, times)
