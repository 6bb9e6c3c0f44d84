"""The columns as they are: what is tried is the framework."""

from __future__ import annotations

import numpy as np

from paved_runtime.table import Matrix, Table

NAMES = ("age", "income", "debt", "visits", "region")


def features(table: Table) -> Matrix:
    """float32 [rows, 5], in the order of NAMES."""
    return table.values.astype(np.float32)
