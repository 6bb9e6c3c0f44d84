"""The ROC AUC and how sure one may be of it: DeLong's formula (Biometrics 44, 1988).

Its variance is that of the share of rows of the other outcome that each row is ranked rightly against.
"""

from __future__ import annotations

import numpy as np
from scipy import stats  # type: ignore[import-untyped]

from paved_runtime.table import Values


def roc_auc(positive: Values, negative: Values, confidence: float) -> tuple[float, float, float]:
    """The ROC AUC of the scores of both outcomes, at least two of each, and its two-sided interval."""
    wins, losses = _placements(positive, negative), _placements(negative, positive)
    area = float(wins.mean())
    spread = float(np.sqrt(wins.var(ddof=1) / len(wins) + losses.var(ddof=1) / len(losses)))
    reach = float(stats.norm.isf((1 - confidence) / 2)) * spread
    return area, max(area - reach, 0.0), min(area + reach, 1.0)


def _placements(scores: Values, others: Values) -> Values:
    """float64 [scores]: the share of `others` that are below each score, ties counting half."""
    ranked = np.sort(others)
    return (np.searchsorted(ranked, scores, "left") + np.searchsorted(ranked, scores, "right")) / (2.0 * len(ranked))
