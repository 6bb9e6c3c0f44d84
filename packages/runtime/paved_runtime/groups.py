"""Parts of the rows by one column: slices and fairness look at the same people in the same way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from paved_runtime import dates
from paved_runtime.spec import Boolean, Category, Cut, Data
from paved_runtime.table import Table, Values


@dataclass(frozen=True, slots=True)
class Group:
    """`rows` is bool [rows]: which of a table's rows have this value, or a value in this range."""

    column: str
    name: str
    rows: NDArray[np.bool_]

    def __str__(self) -> str:
        return f"{self.column} {self.name}"

    def __len__(self) -> int:
        return int(self.rows.sum())


def groups(table: Table, data: Data, by: Mapping[str, Sequence[Cut]]) -> Iterator[Group]:
    """Column by column, groups that hold each row exactly once: a category's values, a number's ranges, and the rows without a value.

    A boolean has values, a date has ranges. A cut point belongs to the range that it begins. A group without rows is there all the same,
    except "missing".
    """
    for column, cuts in by.items():
        kind, values = data.columns[column], table[column]
        missing = np.isnan(values)
        codes, names = (values, kind.values) if isinstance(kind, Category | Boolean) else (_ranges(values, cuts), _names(cuts))
        for code, name in enumerate(names):
            yield Group(column, name, (codes == code) & ~missing)
        if missing.any():
            yield Group(column, "missing", missing)


def _ranges(values: Values, cuts: Sequence[Cut]) -> NDArray[np.intp]:
    points = np.array([dates.number(cut) if isinstance(cut, date) else cut for cut in cuts], dtype=np.float64)
    return np.searchsorted(points, values, side="right")


def _names(cuts: Sequence[Cut]) -> list[str]:
    ends = [cut.isoformat() if isinstance(cut, date) else f"{cut:.12g}" for cut in cuts]
    return [f"below {ends[0]}", *(f"{low} to below {high}" for low, high in pairwise(ends)), f"{ends[-1]} and above"]
