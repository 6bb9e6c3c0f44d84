"""Data sets that keep the frozen model's contract, as rows of CSV cells, and how they are read."""

from __future__ import annotations

import csv
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from container import MODEL
from hypothesis import strategies as st

from paved_runtime import contract, spec
from paved_runtime.digests import combined
from paved_runtime.spec import Category, Integer
from paved_runtime.table import Examples, Matrix, Table, Values

DATA = spec.load(MODEL).data
COLUMNS = [*DATA.columns, "duration", DATA.target]
Frame = list[dict[str, str]]


def read(frame: Frame, columns: list[str], data: spec.Data = DATA) -> Examples:
    """The rows of a frame, written with these columns, by the contract's own reading."""
    with TemporaryDirectory() as folder:
        with (Path(folder) / "data.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(columns)
            writer.writerows([row[name] for name in columns] for row in frame)
        return contract.read(Path(folder), data)


def examples(table: Table, labels: Matrix | Values) -> Examples:
    """Rows that come from no file, digested by what is in the table."""
    cells = np.column_stack([table.values, labels]).view(np.uint64)
    return Examples(table, labels.astype(np.float64), combined(cells.T))


def _cells(name: str) -> st.SearchStrategy[str]:
    """Valid cells of a column."""
    column = DATA.columns[name]
    if isinstance(column, Category):
        return st.sampled_from(column.values)
    assert isinstance(column, Integer)
    return st.integers(column.minimum, column.maximum).map(str)


def _with_both_outcomes(frame: Frame) -> Frame:
    return [frame[0] | {"y": "yes"}, frame[1] | {"y": "no"}, *frame[2:]]


rows = st.fixed_dictionaries(
    {name: _cells(name) for name in DATA.columns} | {"duration": st.text(max_size=5), DATA.target: st.sampled_from(["yes", "no"])}
)
frames = st.lists(rows, min_size=2, max_size=6).map(_with_both_outcomes)
