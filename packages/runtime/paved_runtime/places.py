"""One number for the probabilities of several classes. What scores and what answers needs it, and neither should bring the other."""

from __future__ import annotations

import numpy as np

from paved_runtime.table import Matrix, Values


def mean_place(scores: Matrix | Values) -> Values:
    """Of the probabilities of several classes, [rows, classes], the mean place among them: 0 is the first, 1 the last."""
    return np.asarray(scores @ np.linspace(0, 1, scores.shape[1]), dtype=np.float64)
