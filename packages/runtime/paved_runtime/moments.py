"""What lies after the moment of the decision: a date that nobody can have known then, and that tells what came of it.

`data.time` names the moment. A column whose dates are known before they come, such as a due date, is `planned`, and may lie after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from paved_runtime import dates
from paved_runtime.media_types import RequestError
from paved_runtime.spec import Data, Date
from paved_runtime.table import Table, Values

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Moment:
    """The column that has it, and the columns of dates that may not be later."""

    column: str
    dates: tuple[str, ...]

    @classmethod
    def of(cls, data: Data) -> Self | None:
        """That of a contract; None where it has none, or no date that could be later."""
        columns = [name for name, column in data.columns.items() if isinstance(column, Date) and not column.planned and name != data.time]
        return cls(data.time, tuple(columns)) if data.time and columns else None

    @classmethod
    def among_features(cls, data: Data) -> Self | None:
        """The same as far as a request has it: None where the moment is no feature."""
        return cls.of(data) if data.time in data.columns else None

    def late(self, table: Table, times: Values) -> Iterator[tuple[str, Mask]]:
        """Of each column that the table has, which rows' dates are later than the rows' own `times`, float64 [rows] in days.

        A cell that is empty or was refused is not, and nothing is later than a refused moment.
        """
        for name in self.dates:
            if name in table.positions:
                values = table[name]
                yield name, (values > times) & np.isfinite(values)

    def demand(self, table: Table) -> None:
        """Raise RequestError for the first row, and in it the first column, that is later."""
        times = table[self.column]
        found = [(int(mask.argmax()), name) for name, mask in self.late(table, times) if mask.any()]
        if found:
            row, name = min(found, key=lambda late: late[0])
            moment, day = (dates.written(values[row]) for values in (times, table[name]))
            raise RequestError(
                422, f"row {row + 1}, column {name!r}: expected no date after {self.column!r}, which is {moment}, found {day!r}"
            )

    def refuse(self, table: Table) -> None:
        """Make every such cell of a table infinite, as refused cells are."""
        for name, mask in list(self.late(table, table[self.column])):
            table[name][mask] = np.inf
