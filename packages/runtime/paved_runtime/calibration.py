"""Calibration: of the rows that score 0.2, do two in ten turn out positive?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paved_runtime.table import Mask, Values

BINS = 10


@dataclass(frozen=True, slots=True)
class Reliability:
    """Bins from the lowest scores to the highest: their mean score, their share of positive rows, or, where labels are numbers, their mean
    label, their rows; each float64 [bins].
    """

    score: Values
    positive: Values
    count: Values

    @property
    def error(self) -> float:
        """The expected calibration error: the distance of score and share, weighted by rows (Naeini et al., AAAI 2015)."""
        return float(np.average(np.abs(self.score - self.positive), weights=self.count))


def reliability(labels: Mask | Values, scores: Values) -> Reliability:
    """Bins of equal size (Nguyen and O'Connor, EMNLP 2015), except that rows of the same score share a bin, whatever their order."""
    placed = bins(scores, np.sort(scores))
    count = np.bincount(placed, minlength=BINS).astype(np.float64)
    filled = count > 0
    sums = (np.bincount(placed, weights, minlength=BINS) for weights in (scores, labels))
    score, positive = (total[filled] / count[filled] for total in sums)
    return Reliability(score, positive, count[filled])


def bins(scores: Values, ranked: Values) -> NDArray[np.intp]:
    """The bin of each score among `ranked`, which are all of them, rising."""
    return np.asarray(np.searchsorted(ranked, scores, side="left") * BINS // len(ranked))
