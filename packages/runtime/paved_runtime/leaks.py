"""What tells the outcome better than it should: one column, two together, or which cells are empty.

All of it is cross-fitted: what a bin says of the outcome is learnt from other rows than those that it is judged by. So it does not matter
which way, or how crookedly, something tells the outcome, and what has many values gains nothing by chance. Where a bound is named, it is
the least that what was seen leaves room for: of a hundred data sets whose true figure is just what is accepted, about one is beyond it.

The rows' order must say nothing about them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]

from paved_runtime.spec import Boolean, Category, Column
from paved_runtime.table import Columns, Mask, Matrix, Values

BINS = (50, 200, 800, 3200)  # of one column: few for broad relations, many for narrow bands
ROWS_A_BIN = 4  # at least, on average
FOLDS = 5
PRIOR = 10  # rows of the average outcome that every bin begins with
CHANCE = 0.01  # of a bound that is wrong, over all columns
ROWS_A_CELL = 20  # of two columns' bins, about
MOST_BINS = 50  # of each of two columns
ROWS = 40_000  # on which pairs are looked at, at most
WORK = 100_000_000  # rows times pairs: beyond it, pairs are looked at on fewer rows
LEAST_ROWS = 4000  # but never on fewer than these, where there are as many
MOST_COLUMNS = 300  # whose pairs are looked at: those that tell most alone
SHORTLIST = 20  # pairs that are looked at again with all folds

Codes = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two columns, the ROC AUC with which both together tell the outcome, and its lower bound."""

    columns: tuple[str, str]
    roc_auc: float
    low: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Emptiness:
    """What is told by which cells of a column are empty.

    `negative` and `positive` are the shares of empty cells in the rows of either outcome; `low` is the lower bound of the ROC AUC of the
    guess, `times` that of how many times as often cells are empty, or filled, for one outcome as for the other.
    """

    negative: float
    positive: float
    low: float
    times: float

    @property
    def roc_auc(self) -> float:
        """That of the guess, whichever way round."""
        return 0.5 + abs(self.positive - self.negative) / 2


def alone(values: Values, labels: Matrix, column: Column) -> float:
    """The ROC AUC with which one column alone tells the outcome. Empty cells are a bin of their own.

    Numbers are looked at in few bins and in many, and the best counts: wide bins hide narrow bands, and bins of a few rows say little.
    """
    levels, folds = _Levels(values, column), _folds(labels)
    fine = [bins for bins in BINS[1:] if bins * ROWS_A_BIN <= len(values) and BINS[0] < len(levels)]
    return max(_cross_fitted(levels.codes(bins), labels, folds) for bins in (BINS[0], *fine))


def together(table: Columns, labels: Matrix, columns: Mapping[str, Column], *, most: int = MOST_COLUMNS, tests: int = 1) -> Pair | None:
    """The two of these columns that tell the outcome best together; None where there are no two.

    Of the columns, the first `most` are looked at; of many rows, a part that has as many of either outcome as there are.
    """
    pairs = list(combinations(list(columns)[:most], 2))
    if not pairs:
        return None
    rows = _some(labels, int(np.clip(WORK / tests / len(pairs), LEAST_ROWS, ROWS)))
    table, labels = table.take(rows), labels[rows]
    bins = int(np.clip(np.sqrt(len(rows) / ROWS_A_CELL), 4, MOST_BINS))
    codes = {name: _Levels(table[name], columns[name]).few(bins) for name in {name for pair in pairs for name in pair}}
    halves = _folds(labels) % 2 * 2 + labels.astype(np.intp)
    hints = [_hint(_crossed(codes[one], codes[other]), halves) for one, other in pairs]
    best = sorted(range(len(pairs)), key=lambda pair: -hints[pair])[:SHORTLIST]
    folds = _folds(labels)
    areas = {pairs[pair]: _cross_fitted(_crossed(*(codes[name] for name in pairs[pair])), labels, folds) for pair in best}
    told, area = max(areas.items(), key=lambda item: item[1])
    return Pair(columns=told, roc_auc=area, low=lower_bound(area, labels, tests=len(codes) * tests))


def emptiness(values: Values, labels: Matrix, *, tests: int) -> Emptiness:
    """What a column's empty cells tell, where so many columns are looked at."""
    empty, positive = np.isnan(values), labels == 1
    counts = [(int(empty[outcome].sum()), int(outcome.sum())) for outcome in (~positive, positive)]
    (low, high), (low_positive, high_positive) = (_share(count, rows, CHANCE / tests / 4) for count, rows in counts)
    apart = max(low - high_positive, low_positive - high, 0.0)
    ratios = low / high_positive, low_positive / high, (1 - high) / (1 - low_positive), (1 - high_positive) / (1 - low)
    return Emptiness(negative=counts[0][0] / counts[0][1], positive=counts[1][0] / counts[1][1], low=0.5 + apart / 2, times=max(ratios))


def empty_together(empty: Mask, labels: Matrix, *, tests: int = 1) -> tuple[float, float]:
    """The ROC AUC with which it is told by which cells of all these columns, bool [rows, columns], are empty, and its lower bound.

    Each column's evidence is added to the others': odds of an empty cell, or of a filled one, learnt from the other folds.
    """
    positive, folds = labels == 1, _folds(labels)
    scores = np.empty(len(labels))
    for fold in range(FOLDS):
        learnt, judged = folds != fold, folds == fold
        no, yes = ((empty[learnt & outcome].sum(axis=0) + 0.5) / ((learnt & outcome).sum() + 1) for outcome in (~positive, positive))
        scores[judged] = empty[judged] @ np.log(yes / no) + ~empty[judged] @ np.log((1 - yes) / (1 - no))
    ranked, codes = np.unique(scores.round(9), return_inverse=True)
    area = roc_auc(ranked, _counts(codes, labels, len(ranked)))
    return area, lower_bound(area, labels, tests=tests)


def roc_auc(scores: Values, counts: Values) -> float:
    """The ROC AUC of binned rows: `scores` float64 [bins], `counts` float64 [bins, 2] of negative and positive rows."""
    _, rank = np.unique(scores, return_inverse=True)
    negative, positive = (np.bincount(rank, counts[:, outcome]) for outcome in (0, 1))
    below = np.cumsum(negative) - negative / 2
    return float((below * positive).sum() / (negative.sum() * positive.sum()))


def lower_bound(area: float, labels: Matrix, *, tests: int, chance: float = CHANCE) -> float:
    """That of a ROC AUC, where so many are looked at (Hanley and McNeil, Radiology 143, 1982)."""
    positive = float(labels.sum())
    negative = len(labels) - positive
    both = (positive - 1) * (area / (2 - area) - area**2) + (negative - 1) * (2 * area**2 / (1 + area) - area**2)
    spread = np.sqrt(max(area * (1 - area) + both, 0.0) / (positive * negative))
    return float(area - stats.norm.isf(chance / tests) * spread)


def _cross_fitted(codes: Codes, labels: Matrix, folds: Codes) -> float:
    """The ROC AUC of rows in bins, each scored by its bin's share of positive rows in the other folds."""
    bins = int(codes.max()) + 1
    counts = _counts(folds * bins + codes, labels, FOLDS * bins).reshape(FOLDS, bins, 2)
    rates = _rates(counts.sum(axis=0) - counts)
    return float(np.mean([roc_auc(rate, count) for rate, count in zip(rates, counts, strict=True)]))


def _hint(codes: Codes, halves: Codes) -> float:
    """The same in haste: one half of the rows is judged by the other. `halves` is twice the half, and 1 more for a positive row."""
    counts = np.bincount(codes * 4 + halves, minlength=4 * (int(codes.max()) + 1)).reshape(-1, 2, 2).astype(np.float64)
    return roc_auc(_rates(counts[None, :, 0])[0], counts[:, 1])


def _rates(counts: Values) -> Values:
    """Each bin's share of positive rows, [parts, bins], drawn to that of its part; `counts` is [parts, bins, 2]."""
    average = counts[:, :, 1].sum(axis=1) / counts.sum(axis=(1, 2))
    return np.asarray((counts[:, :, 1] + PRIOR * average[:, None]) / (counts.sum(axis=2) + PRIOR))


def _counts(codes: Codes, labels: Matrix, bins: int) -> Values:
    """Negative and positive rows in each bin, float64 [bins, 2]."""
    return np.bincount(codes * 2 + labels.astype(np.intp), minlength=bins * 2).reshape(bins, 2).astype(np.float64)


class _Levels:
    """The different values of a column, in rising order and an empty cell last, and which of them each row has."""

    def __init__(self, values: Values, column: Column) -> None:
        distinct, self._rows, self._times = np.unique(values, return_inverse=True, return_counts=True)
        self._empty, self._category = bool(np.isnan(distinct[-1])), isinstance(column, Category | Boolean)

    def __len__(self) -> int:
        return len(self._times)

    def codes(self, bins: int) -> Codes:
        """Each row's bin, of about so many of equally many rows. Categories, and a value of as many rows as a bin, have their own."""
        if self._category or len(self) <= bins:
            return self._rows
        rows = len(self._rows)
        places = (np.cumsum(self._times) - self._times) * bins // rows
        apart = self._times * bins >= rows
        apart[-1] |= self._empty
        return np.concatenate([[0], np.cumsum((np.diff(places) > 0) | apart[1:] | apart[:-1])])[self._rows]

    def few(self, bins: int) -> Codes:
        """The same, and so many at most: those with the fewest rows share one."""
        codes = self.codes(bins)
        times = np.bincount(codes)
        rank = np.empty(len(times), dtype=np.intp)
        rank[np.argsort(-times, kind="stable")] = np.arange(len(times))
        return np.minimum(rank, bins - 1)[codes]


def _crossed(one: Codes, other: Codes) -> Codes:
    """The cell of each row in the table of two columns' bins."""
    return one * (int(other.max()) + 1) + other


def _folds(labels: Matrix) -> Codes:
    """The fold of each row; every fold has its share of each outcome."""
    folds = np.empty(len(labels), dtype=np.intp)
    for label in (0, 1):
        rows = np.flatnonzero(labels == label)
        folds[rows] = np.arange(len(rows)) % FOLDS
    return folds


def _some(labels: Matrix, most: int) -> Codes:
    """At most so many rows, in their order: half of them of each outcome, or all there are of one."""
    positive, negative = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    kept = min(len(positive), max(most // 2, most - len(negative)))
    return np.sort(np.concatenate([positive[:kept], negative[: most - kept]]))


def _share(count: int, rows: int, chance: float) -> tuple[float, float]:
    """The bounds of a share of which `count` of `rows` were seen (Clopper and Pearson, Biometrika 26, 1934)."""
    low = float(stats.beta.ppf(chance, count, rows - count + 1)) if count else 0.0
    high = float(stats.beta.isf(chance, count + 1, rows - count)) if count < rows else 1.0
    return low, high
