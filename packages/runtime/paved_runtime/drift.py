"""How a column is distributed, in few enough numbers to travel with a model, and how far another data set is from that.

Numbers are counted in quantile bins that are open on the left: a value belongs to the bin whose upper edge it is. So a flag's two
values are two bins, and a value that many rows share has a bin of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from paved_runtime.spec import Boolean, Category, Column
from paved_runtime.table import Examples, Table, Values

if TYPE_CHECKING:
    from paved_runtime.tasks.task import Task

BINS = 10
LEAST = 0.5  # rows that an empty bin counts for: a share of nothing has no logarithm
Profile = Mapping[str, Any]
Counts = NDArray[np.int64]


def profile(examples: Examples, task: Task) -> dict[str, Any]:
    """The columns' counts and what the labels are like, as data.json has them."""
    data = task.data
    columns = {name: _counted(examples.table[name], data.columns[name]) for name in examples.table.positions}
    return {**task.profile(examples.labels), "columns": columns}


def changes(reference: Profile, examples: Examples, task: Task) -> dict[str, float]:
    """The population stability index of every column that `reference` has too, and of a target of the same task."""
    table, data = examples.table, task.data
    indices = {
        name: change(reference["columns"][name], table, name, data.columns[name])
        for name in table.positions
        if reference["columns"].get(name, {}).get("type") == _type(data.columns[name])
    }
    target = task.distribution(reference, examples.labels)
    return indices | ({data.target: index(*target)} if target else {})


def change(reference: Profile, table: Table, name: str, column: Column) -> float:
    """The population stability index of one column against its part of a profile: in the profile's bins, empty cells a bin of their own."""
    values = table[name]
    if isinstance(column, Category | Boolean):
        now = _counted(values, column)["counts"]
        named = list(dict.fromkeys([*reference["counts"], *now]))
        before, after = ([counts.get(value, 0) for value in named] for counts in (reference["counts"], now))
    else:
        before, after = reference["counts"], counted(values, reference["edges"]).tolist()
    return index([*before, reference["missing"]], [*after, int(np.isnan(values).sum())])


def index(expected: Sequence[float], actual: Sequence[float]) -> float:
    """The population stability index, Σ (p - q)·ln(p / q), of two rows of counts over the same bins."""
    p, q = (np.maximum(counts, LEAST) / np.sum(counts) for counts in (actual, expected))
    return float(np.sum((p - q) * np.log(p / q)))


def edges(values: Values, bins: int) -> Values:
    """The inner edges of about `bins` bins that hold equally many of `values`; values that are fewer than that have a bin each."""
    distinct = np.unique(values)
    if len(distinct) <= bins:
        return distinct[:-1]
    cuts, times = np.unique(np.quantile(values, np.arange(1, bins) / bins, method="inverted_cdf"), return_counts=True)
    before = np.searchsorted(distinct, cuts[times > 1]) - 1
    return np.setdiff1d(np.union1d(cuts, distinct[before[before >= 0]]), distinct[-1:])


def counted(values: Values, inner: Sequence[float] | Values) -> Counts:
    """How many of `values` are in each bin: int64 [edges + 1]. What is not a finite number is in none."""
    return np.bincount(np.searchsorted(inner, values[np.isfinite(values)]), minlength=len(inner) + 1)


def _counted(values: Values, column: Column) -> dict[str, Any]:
    finite, missing = values[np.isfinite(values)], int(np.isnan(values).sum())
    if isinstance(column, Category | Boolean):
        counts = np.bincount(finite.astype(np.intp), minlength=len(column.values)).tolist()
        return {"type": _type(column), "counts": dict(zip(column.values, counts, strict=True)), "missing": missing}
    inner = edges(finite, BINS)
    return {"type": _type(column), "edges": inner.tolist(), "counts": counted(finite, inner).tolist(), "missing": missing}


def _type(column: Column) -> str:
    """What a column is counted as: an integer is a number."""
    return "number" if column.type == "integer" else column.type
