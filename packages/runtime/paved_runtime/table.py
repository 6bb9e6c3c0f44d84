"""The one shape in which rows reach feature code, in training and in serving alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paved_runtime.digests import Digests

Matrix = NDArray[np.float32]
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Table:
    """`values` is float64 [rows, columns] in the order of `model.toml`; a category holds its value's position there.

    A missing cell, where `model.toml` accepts one, is NaN.
    """

    positions: Mapping[str, int]
    values: Values

    def __getitem__(self, column: str) -> Values:
        """One column, float64 [rows]; a view, not a copy."""
        return self.values[:, self.positions[column]]

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True)
class Examples:
    """Rows whose outcome is known: `labels` is float32 [rows], 1 for the positive one. `digests` are those of the rows in their file."""

    table: Table
    labels: Matrix
    digests: Digests

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: NDArray[np.intp]) -> Examples:
        """The given rows, in the given order."""
        return Examples(Table(self.table.positions, self.table.values[rows]), self.labels[rows], self.digests[rows])
