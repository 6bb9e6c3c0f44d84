"""The ROC AUC and how sure one may be of it: DeLong's formula (Biometrics 44, 1988).

Its variance is that of the share of rows of the other outcome that each row is ranked rightly against.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats  # type: ignore[import-untyped]

from paved_runtime.table import Values


def area(positive: Values, negative: Values) -> float:
    """The ROC AUC of the scores of both outcomes, at least one of each."""
    return float(_placements(positive, negative).mean())


def roc_auc(positive: Values, negative: Values, confidence: float) -> tuple[float, float, float]:
    """The ROC AUC of the scores of both outcomes, at least two of each, and its two-sided interval."""
    wins, losses = _placements(positive, negative), _placements(negative, positive)
    area = float(wins.mean())
    spread = float(np.sqrt(wins.var(ddof=1) / len(wins) + losses.var(ddof=1) / len(losses)))
    reach = float(stats.norm.isf((1 - confidence) / 2)) * spread
    return area, max(area - reach, 0.0), min(area + reach, 1.0)


def mean_roc_auc(labels: Values, scores: Values, classes: Sequence[int], confidence: float) -> tuple[float, float, float]:
    """The mean, over some classes, of the ROC AUC of each against the rows of all others, and its two-sided interval.

    Labels are places of classes, float64 [rows], scores float64 [rows, all classes]. Each row moves the ROC AUC of every class: by how
    much in all is added up before it is squared, so what the classes share is counted once.
    """
    influence, areas = np.zeros(len(labels)), []
    for place in classes:
        inside = labels == place
        positive, negative = scores[inside, place], scores[~inside, place]
        wins, losses = _placements(positive, negative), _placements(negative, positive)
        areas.append(float(wins.mean()))
        influence[inside] += (wins - wins.mean()) / len(wins)
        influence[~inside] -= (losses - losses.mean()) / len(losses)
    mean = float(np.mean(areas))
    reach = float(stats.norm.isf((1 - confidence) / 2) * np.sqrt((influence**2).sum())) / len(classes)
    return mean, max(mean - reach, 0.0), min(mean + reach, 1.0)


def _placements(scores: Values, others: Values) -> Values:
    """float64 [scores]: the share of `others` that are below each score, ties counting half."""
    ranked = np.sort(others)
    return (np.searchsorted(ranked, scores, "left") + np.searchsorted(ranked, scores, "right")) / (2.0 * len(ranked))
