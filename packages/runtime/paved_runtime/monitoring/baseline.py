"""What the held-out rows and their scores were like, in counts that a window's counts can be held against.

A number is counted on a grid: each point of it by itself, and each gap between two points. Where the grid has every value of the held-out
rows, the two-sample statistics that follow from such counts are exact; a finer column has a grid of quantiles, and they are as exact as its
gaps are small. Counts are whole numbers and add up, so neither the order of the rows nor how they were parted matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from paved_runtime import dates
from paved_runtime.drift import BINS, edges
from paved_runtime.holdout import Holdout
from paved_runtime.spec import Boolean, Category, Column, Data, Date, Text
from paved_runtime.table import Values

VERSION = 1
POINTS = 1000  # of a grid, at most about so many
Counts = NDArray[np.int64]


class Scale(Protocol):
    """How one column is counted, and the few bins of it that people are shown and that the population stability index is taken of."""

    @property
    def kind(self) -> str:
        """What is counted: numbers, dates, lengths of texts, or values."""

    @property
    def labels(self) -> list[str]:
        """The names of the bins."""

    @property
    def ordered(self) -> bool:
        """Whether this is a number of many values: Kolmogorov and Smirnov's test is for those, the chi-square test for the others."""

    def count(self, values: Values) -> Counts:
        """How often each value occurs: int64 [cells]. What is not finite is not counted."""

    def bins(self, counts: Counts) -> Counts:
        """The same counts by bin: int64 [bins]."""


@dataclass(frozen=True)
class Numbers:
    """The grid of a number: points rising, of which `cuts` are the upper edges of bins. Of a few values, each is a bin of its own."""

    points: Values
    cuts: Values
    kind = "number"

    @classmethod
    def of(cls, values: Values) -> Self:
        """The grid that fits some values."""
        finite = values[np.isfinite(values)]
        distinct = np.unique(finite)
        if len(distinct) <= BINS:
            return cls(distinct, distinct)
        cuts = edges(finite, BINS)
        if len(distinct) > POINTS:
            quantiles = np.quantile(finite, np.arange(POINTS + 1) / POINTS, method="inverted_cdf")
            distinct = np.union1d(quantiles, cuts)
        return cls(distinct, cuts)

    @property
    def ordered(self) -> bool:
        return len(self.points) > len(self.cuts)

    @property
    def labels(self) -> list[str]:
        cuts = list(map(self.written, self.cuts.tolist()))
        if not self.ordered:
            return [*cuts, "other"]
        between = [f"{low} to {high}" for low, high in pairwise(cuts)]
        return [f"up to {cuts[0]}", *between, f"above {cuts[-1]}"]

    def written(self, cut: float) -> str:
        """A cut as people are shown it."""
        return f"{cut:.4g}"

    def count(self, values: Values) -> Counts:
        finite = values[np.isfinite(values)]
        at = np.searchsorted(self.points, finite)
        on_point = np.append(self.points, np.nan)[at] == finite
        return np.bincount(2 * at + on_point, minlength=2 * len(self.points) + 1)

    def bins(self, counts: Counts) -> Counts:
        if not self.ordered:
            return np.append(counts[1::2], counts[0::2].sum())
        starts = 2 * np.searchsorted(self.points, self.cuts) + 2
        return np.add.reduceat(counts, np.concatenate([[0], starts]))


@dataclass(frozen=True)
class Dates(Numbers):
    """The grid of a date, in days."""

    kind = "date"

    def written(self, cut: float) -> str:
        return dates.written(cut)


@dataclass(frozen=True)
class Lengths(Numbers):
    """The grid of a text, of which only the length is counted."""

    kind = "text"

    def written(self, cut: float) -> str:
        return f"{cut:.0f} characters"


@dataclass(frozen=True)
class Categories:
    """The values of a category, or of a boolean, in the contract's order."""

    labels: list[str]
    kind = "category"
    ordered = False

    def count(self, values: Values) -> Counts:
        return np.bincount(values[np.isfinite(values)].astype(np.intp), minlength=len(self.labels))

    def bins(self, counts: Counts) -> Counts:
        return counts


@dataclass(frozen=True)
class Distribution:
    """One column of the baseline, or the scores: the scale, the counts on it, and how many cells were empty."""

    scale: Scale
    counts: Counts
    missing: int = 0


@dataclass(frozen=True)
class Baseline:
    """The held-out rows: how many, their share of positive ones, their columns and their scores."""

    rows: int
    positive_share: float
    columns: Mapping[str, Distribution]
    scores: Distribution

    @classmethod
    def of(cls, content: Mapping[str, Any], data: Data) -> Baseline:
        """What `record` wrote about a model of this contract."""
        columns = {}
        for name, column in data.columns.items():
            counted = content["columns"][name]
            columns[name] = Distribution(_recorded(counted, column), np.array(counted["counts"], dtype=np.int64), counted["missing"])
        scores = Distribution(_numbers(content["scores"]), np.array(content["scores"]["counts"], dtype=np.int64))
        return cls(content["rows"], content["positive_share"], columns, scores)


def record(holdout: Holdout) -> dict[str, Any]:
    """The content of baseline.json. It has no row: each column is counted by itself."""
    table, task = holdout.table, holdout.task
    data, scores = task.data, task.scalar(holdout.challenger)
    return {
        "version": VERSION,
        "rows": len(table),
        **task.profile(holdout.labels),
        "columns": {name: _counted(_fitting(table[name], column), table[name]) for name, column in data.columns.items()},
        "scores": _counted(Numbers.of(scores), scores),
    }


def _counted(scale: Categories | Numbers, values: Values) -> dict[str, Any]:
    grid = {"points": scale.points.tolist(), "cuts": scale.cuts.tolist()} if isinstance(scale, Numbers) else {}
    return {**grid, "counts": scale.count(values).tolist(), "missing": int(np.isnan(values).sum())}


def _fitting(values: Values, column: Column) -> Categories | Numbers:
    if isinstance(column, Category | Boolean):
        return Categories(list(column.values))
    return _grid(column).of(values)


def _recorded(counted: Mapping[str, Any], column: Column) -> Categories | Numbers:
    if isinstance(column, Category | Boolean):
        return Categories(list(column.values))
    return _numbers(counted, _grid(column))


def _grid(column: Column) -> type[Numbers]:
    return Dates if isinstance(column, Date) else Lengths if isinstance(column, Text) else Numbers


def _numbers(counted: Mapping[str, Any], kind: type[Numbers] = Numbers) -> Numbers:
    return kind(np.array(counted["points"], dtype=np.float64), np.array(counted["cuts"], dtype=np.float64))
