"""Which of two models ranks the same rows better, and how sure one may be of it.

The ROC AUC is the share of pairs of one positive and one negative row that a model puts in the right order, ties counting half (Hanley and
McNeil, Radiology 143, 1982). Its uncertainty comes from a paired bootstrap, stratified by outcome, as in Robin et al., BMC Bioinformatics
12:77, 2011: P of P positive and N of N negative rows are drawn with replacement, the same ones for both models, and

    D* = AUC*(challenger) - AUC*(champion)

is computed each time. Bounds are quantiles of D* (the percentile method: Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
ch. 13), rounded outwards to a D* that occurred. Of classes it is the mean of each against the others (macro-averaged, one against the
rest), with as many rows of each class drawn as there are. Of numbers it is R², with as many rows drawn as there are; a draw of rows that
are all of one number has none, and counts for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from paved_runtime import bootstrap
from paved_runtime.bootstrap import CELLS, Weights
from paved_runtime.table import Mask, Values

RESAMPLES = 2000
EQUAL = 1e-12  # of the squares of numbers: what rounding leaves of a variance that is none


@dataclass(frozen=True, slots=True)
class Difference:
    """The headline of the challenger less the champion's. `low` and `high` are one-sided bounds, each at `confidence`."""

    value: float
    low: float
    high: float
    confidence: float


class Ranking:
    """One model's order of the rows, from which the ROC AUC follows in linear time however often each row is counted."""

    def __init__(self, positive: Values, negative: Values) -> None:
        """Scores of the rows of either outcome: float64 [P] and [N]."""
        self._order = np.argsort(negative)
        ranked = negative[self._order]
        self._below = np.searchsorted(ranked, positive, side="left")
        self._not_above = np.searchsorted(ranked, positive, side="right")

    def auc(self, positive: Weights, negative: Weights) -> Values:
        """float64 [k]: the ROC AUC when rows count as often as the weights [k, P] and [k, N] say. Exact: whole numbers until the end."""
        counts = np.zeros((len(negative), negative.shape[1] + 1), dtype=negative.dtype)
        np.cumsum(np.take(negative, self._order, axis=1), axis=1, out=counts[:, 1:])
        twice = np.take(counts, self._below, axis=1) + np.take(counts, self._not_above, axis=1)
        wins = np.einsum("kp,kp->k", positive, twice, dtype=np.int64)
        return np.asarray(wins / (2.0 * positive.sum(axis=1) * negative.sum(axis=1)), dtype=np.float64)


def of_outcomes(
    labels: Mask, challenger: Values, champion: Values, *, confidence: float, resamples: int = RESAMPLES, cells: int = CELLS
) -> Difference:
    """That of the ROC AUC: labels bool [rows], scores float64 [rows]. Both outcomes must occur. `cells` bounds the memory.

    The same rows give the same answer.
    """
    rankings = [Ranking(scores[labels], scores[~labels]) for scores in (challenger, champion)]
    draws = bootstrap.resamples(int(labels.sum()), int((~labels).sum()), count=resamples, cells=cells)
    return _bounded(lambda weights: rankings[0].auc(*weights) - rankings[1].auc(*weights), draws, confidence)


def of_classes(
    labels: Values, challenger: Values, champion: Values, *, confidence: float, resamples: int = RESAMPLES, cells: int = CELLS
) -> Difference:
    """That of the mean ROC AUC of each class against the others: labels float64 [rows], scores float64 [rows, classes].

    Classes are those that occur in the rows, two of them at least.
    """
    classes = np.unique(labels).astype(np.intp)
    rows = [np.flatnonzero(labels == label) for label in classes]
    ours, theirs = ([against_others(rows, at, scores[:, label]) for at, label in enumerate(classes)] for scores in (challenger, champion))

    def drawn(weights: tuple[Weights, ...]) -> Values:
        apart = np.zeros(len(weights[0]))
        for at, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            parted = weights[at], others(weights, at)
            apart += one.auc(*parted) - other.auc(*parted)
        return apart / len(classes)

    return _bounded(drawn, bootstrap.resamples(*map(len, rows), count=resamples, cells=cells), confidence)


def of_amounts(
    labels: Values, challenger: Values, champion: Values, *, confidence: float, resamples: int = RESAMPLES, cells: int = CELLS
) -> Difference:
    """That of R²: labels and scores float64 [rows], of which the labels are not all the same."""
    centred = labels - labels.mean()
    gain = (champion - labels) ** 2 - (challenger - labels) ** 2
    moments = np.array([gain, centred, centred**2])

    def drawn(weights: tuple[Weights, ...]) -> Values:
        gained, sums, squares = bootstrap.sums(weights[0], moments).T
        return np.asarray(gained / varied(squares, sums**2 / len(labels)))

    return _bounded(drawn, bootstrap.resamples(len(labels), count=resamples, cells=cells), confidence)


def _bounded(drawn: Callable[[tuple[Weights, ...]], Values], draws: Iterator[tuple[Weights, ...]], confidence: float) -> Difference:
    """What `drawn` makes of rows as they are, and of resamples of them."""
    first = next(draws)
    once = tuple(np.ones((1, weights.shape[1]), dtype=np.int64) for weights in first)
    every = np.concatenate([drawn(weights) for weights in chain([first], draws)])
    every = every[~np.isnan(every)]
    low = float(np.quantile(every, 1 - confidence, method="lower"))
    high = float(np.quantile(every, confidence, method="higher"))
    return Difference(float(drawn(once)[0]), low, high, confidence)


def against_others(rows: Sequence[NDArray[np.intp]], at: int, scores: Values) -> Ranking:
    """The order of a class's rows among those of the others: `rows` of each class, float64 [rows] scores of the one at that place."""
    return Ranking(scores[rows[at]], scores[np.concatenate([*rows[:at], *rows[at + 1 :]])])


def others(weights: Sequence[Weights], at: int) -> Weights:
    """The weights of the rows of all classes but the one at that place."""
    return np.concatenate([*weights[:at], *weights[at + 1 :]], axis=1)


def varied(squares: Values, squared: Values) -> Values:
    """What squares sum up to beyond those of their mean; NaN where that is no more than rounding leaves of equal numbers."""
    beyond = squares - squared
    return np.where(beyond > EQUAL * squares, beyond, np.nan)
