"""What a page draws of one model's scores: curves thinned to what an eye can tell apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import metrics  # type: ignore[import-untyped]

from paved_runtime.table import Mask, Values

POINTS = 200
EDGES = np.linspace(0, 1, 21)
Curve = dict[str, list[float]]


def roc(labels: Mask, scores: Values) -> Curve:
    """x: the share of negative rows above a threshold; y: of positive rows. From (0, 0) to (1, 1)."""
    negative, positive, _ = metrics.roc_curve(labels, scores)
    return _thinned(negative, positive)


def precision_recall(labels: Mask, scores: Values) -> Curve:
    """x: recall, y: precision; from the lowest threshold to the highest."""
    precision, recall, _ = metrics.precision_recall_curve(labels, scores)
    return _thinned(recall, precision)


def counts(scores: Values) -> list[int]:
    """How many scores fall between each two of EDGES."""
    drawn: list[int] = np.histogram(scores, EDGES)[0].tolist()
    return drawn


def lists(**columns: Values) -> dict[str, Any]:
    """Arrays as JSON has them, with six digits."""
    return {name: [float(f"{number:.6g}") for number in values.tolist()] for name, values in columns.items()}


def _thinned(x: Values, y: Values) -> Curve:
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), POINTS)).round().astype(np.intp))
    return lists(x=x[kept], y=y[kept])
