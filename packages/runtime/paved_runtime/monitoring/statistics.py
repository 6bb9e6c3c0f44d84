"""The tests of the monitor, each from counts alone where counts are enough. What is not known here comes from scipy.

Kolmogorov and Smirnov's statistic of two samples has the asymptotic p-value that scipy's `ks_2samp` gives it. On tied values it errs on the
safe side: it says "changed" less often than it may. The calibration error of few rows is never zero: what chance adds is drawn, bin by bin,
from the binomial distribution, of numbers from the normal one (the parametric bootstrap), and taken off before anything is judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped]

from paved_runtime import calibration
from paved_runtime.calibration import Reliability
from paved_runtime.table import Values

LEAST_EXPECTED = 1  # rows in a cell of a chi-square test (Cochran, Biometrics 10, 1954); more would hide what was rare and is no longer
DRAWS, SEED = 2000, 0
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Test:
    """A test's name, its statistic, and how likely one as large is where nothing has changed."""

    name: str
    statistic: float
    p_value: float


def kolmogorov_smirnov(expected: Counts, actual: Counts) -> Test:
    """Two samples that were counted on the same grid; both have rows."""
    n, m = float(expected.sum()), float(actual.sum())
    distance = float(np.abs(np.cumsum(expected) / n - np.cumsum(actual) / m).max())
    size = np.round(n * m / (n + m))
    return Test("ks", distance, float(np.clip(stats.kstwo.sf(distance, max(size, 1)), 0, 1)))


def chi_square(expected: Counts, actual: Counts) -> Test | None:
    """Whether two samples of categories are of one kind. Sparse categories are pooled; None where one is all that remains."""
    counts = pooled(np.stack([expected, actual]))
    if counts.shape[1] < 2:
        return None
    test = stats.chi2_contingency(counts)
    return Test("chi2", float(test.statistic), float(test.pvalue))


def pooled(counts: Counts) -> Counts:
    """int64 [2, categories] with the rarest categories made one, until each is expected often enough in either sample."""
    total = counts.sum(axis=0)
    counts = counts[:, np.argsort(total, kind="stable")][:, np.count_nonzero(total == 0) :]
    least = LEAST_EXPECTED / (counts.sum(axis=1).min() / counts.sum())
    total = np.cumsum(counts.sum(axis=0))
    sparse = np.count_nonzero(counts.sum(axis=0) < least)
    if not sparse:
        return counts
    enough = max(sparse, int(np.searchsorted(total, least)) + 1)  # the pool itself may need one more
    return np.column_stack([counts[:, :enough].sum(axis=1), counts[:, enough:]])


def rise(before: int, of: int, now: int, among: int) -> float:
    """How likely a share of `now` among so many is by chance when it was `before` of `of`: one-sided, for a difference of proportions."""
    share = (before + now) / (of + among)
    spread = np.sqrt(share * (1 - share) * (1 / of + 1 / among))
    return float(stats.norm.sf((now / among - before / of) / spread)) if spread else 1.0


def adjusted(p_values: Sequence[float]) -> list[float]:
    """Each p-value for the whole family (Benjamini and Hochberg, J. R. Statist. Soc. B 57, 1995)."""
    values: list[float] = stats.false_discovery_control(p_values).tolist() if p_values else []
    return values


def certain_error(reliability: Reliability, confidence: float) -> float:
    """The calibration error of an outcome less what chance adds: it is at least so large with this confidence."""
    draw = np.random.default_rng(SEED)
    count = reliability.count.astype(np.int64)
    drawn = draw.binomial(count, reliability.positive, (DRAWS, len(count))) / count - reliability.positive
    return _surely(reliability, drawn, confidence)


def certain_distance(labels: Values, scores: Values, confidence: float) -> float:
    """The same of numbers, in their unit: labels and scores float64 [rows]."""
    reliability = calibration.reliability(labels, scores)
    placed = np.unique(calibration.bins(scores, np.sort(scores)), return_inverse=True)[1]
    errors = labels - scores
    squares = np.bincount(placed, (errors - (reliability.positive - reliability.score)[placed]) ** 2)
    several = np.maximum(reliability.count - 1, 1)
    variances = np.where(reliability.count > 1, squares / several, errors.var())  # of one row nothing is known but of all of them
    draw = np.random.default_rng(SEED)
    drawn = draw.normal(size=(DRAWS, len(variances))) * np.sqrt(variances / reliability.count)
    return _surely(reliability, drawn, confidence)


def r2(labels: Values, scores: Values, confidence: float) -> tuple[float, float, float]:
    """R² and its two-sided interval: labels, which differ, and scores float64 [rows].

    The delta method (van der Vaart, Asymptotic Statistics, 1998, ch. 3) on the logarithm of 1 - R², a ratio of two means of squares.
    """
    errors, distances = (scores - labels) ** 2, (labels - labels.mean()) ** 2
    error, variance = errors.mean(), distances.mean()
    if not error:
        return 1.0, 1.0, 1.0
    spread = np.sqrt(((errors / error - distances / variance) ** 2).mean() / len(labels))
    reach = stats.norm.isf((1 - confidence) / 2) * spread
    value, low, high = (float(1 - error / variance * factor) for factor in (1, np.exp(reach), np.exp(-reach)))
    return value, low, high


def _surely(reliability: Reliability, drawn: Values, confidence: float) -> float:
    """The error less the `confidence` quantile of what chance alone would make of it; `drawn` are distances, float64 [draws, bins]."""
    chance = np.quantile(np.average(np.abs(drawn), weights=reliability.count, axis=1), confidence, method="higher")
    return max(reliability.error - float(chance), 0.0)
