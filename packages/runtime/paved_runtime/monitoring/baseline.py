"""What the held-out rows and their scores were like, in counts that a window's counts can be held against.

A number is counted on a grid: each point of it by itself, and each gap between two points. Where the grid has every value of the held-out
rows, the two-sample statistics that follow from such counts are exact; a finer column has a grid of quantiles, and they are as exact as its
gaps are small. Counts are whole numbers and add up, so neither the order of the rows nor how they were parted matters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from paved_runtime import dates, delong, tasks
from paved_runtime.drift import BINS, counted, edges
from paved_runtime.holdout import Holdout
from paved_runtime.spec import Boolean, Category, Column, Data, Date, Text
from paved_runtime.table import Values
from paved_runtime.tasks.task import Task

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
        return _between(cuts)

    def written(self, cut: float) -> str:
        """A cut as people are shown it."""
        return _written(cut)

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
class Bins:
    """The bins of a number whose values are not known one by one: `cuts` are the upper edges of all but the last."""

    cuts: Values
    kind = "number"
    ordered = False

    @property
    def labels(self) -> list[str]:
        return _between(list(map(_written, self.cuts.tolist())))

    def count(self, values: Values) -> Counts:
        return counted(values, self.cuts)

    def bins(self, counts: Counts) -> Counts:
        return counts


@dataclass(frozen=True)
class Distribution:
    """One column of the baseline, its scores or its labels: the scale, the counts on it, and how many cells were empty."""

    scale: Scale
    counts: Counts
    missing: int = 0


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """The held-out rows: how many, their labels, their columns and their scores.

    Of a model of classes, `predicted` has the most probable ones, which of any other are of none, and `areas` the ROC AUC of each class
    against the others, by its place; a class that no held-out row has, or all, has none. `mean` is that of labels that are numbers.
    """

    task: Task
    rows: int
    labels: Distribution
    columns: Mapping[str, Distribution]
    scores: Distribution
    predicted: Distribution
    areas: Mapping[int, float]
    mean: float | None

    @classmethod
    def of(cls, content: Mapping[str, Any], data: Data) -> Baseline:
        """What `record` wrote about a model of this contract."""
        columns = {}
        for name, column in data.columns.items():
            recorded = content["columns"][name]
            columns[name] = Distribution(_recorded(recorded, column), _cells(recorded["counts"]), recorded["missing"])
        classes = list(data.classes)
        return cls(
            task=tasks.of(data),
            rows=content["rows"],
            labels=_labels(content, data),
            columns=columns,
            scores=Distribution(_numbers(content["scores"]), _cells(content["scores"]["counts"])),
            predicted=Distribution(Categories(classes), _cells([content["predicted"][name] for name in classes])),
            areas={place: content["roc_auc"][name] for place, name in enumerate(classes) if name in content["roc_auc"]},
            mean=content["target"]["mean"] if data.task == "regression" else None,
        )


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
        **(_of_classes(holdout) if data.classes else {}),
    }


def predicted(scores: Values) -> Values:
    """The place of each row's most probable class, where scores are float64 [rows, classes]; else of no row."""
    return scores.argmax(axis=1).astype(np.float64) if scores.ndim > 1 else np.empty(0)


def _of_classes(holdout: Holdout) -> dict[str, Any]:
    classes, scores, labels = holdout.task.data.classes, holdout.challenger, holdout.labels
    counts = Categories(list(classes)).count(predicted(scores))
    present = {name: place for place, name in enumerate(classes) if 0 < (labels == place).sum() < len(labels)}
    areas = {name: delong.area(scores[labels == place, place], scores[labels != place, place]) for name, place in present.items()}
    return {"predicted": dict(zip(classes, counts.tolist(), strict=True)), "roc_auc": areas}


def _labels(content: Mapping[str, Any], data: Data) -> Distribution:
    """The held-out rows' labels, by outcome or, where they are numbers, in bins. A label of two outcomes is the place of its own."""
    if data.task == "regression":
        return Distribution(Bins(np.array(content["target"]["edges"], dtype=np.float64)), _cells(content["target"]["counts"]))
    shares = {name: content["class_shares"][name] for name in data.classes} or _binary(content["positive_share"], data)
    return Distribution(Categories(list(shares)), np.rint(content["rows"] * np.array(list(shares.values()))).astype(np.int64))


def _binary(positive: float, data: Data) -> dict[str, float]:
    return {str(data.negative): 1 - positive, str(data.positive): positive}


def _cells(counts: Sequence[int]) -> Counts:
    return np.array(counts, dtype=np.int64)


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


def _written(cut: float) -> str:
    """A number with four digits that count: `12,350`, `0.1235`, `1.235e+15`."""
    short = f"{cut:.4g}"
    return f"{float(short):,.0f}" if 1e4 <= abs(cut) < 1e15 else short


def _between(cuts: Sequence[str]) -> list[str]:
    """The names of the bins that are parted by cuts."""
    if not cuts:
        return ["all"]
    return [f"up to {cuts[0]}", *(f"{low} to {high}" for low, high in pairwise(cuts)), f"above {cuts[-1]}"]
