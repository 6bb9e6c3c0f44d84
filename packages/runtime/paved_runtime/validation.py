"""Which training rows a learner looks at to know when to stop, or what to choose: a part of them, and never the holdout."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paved_runtime.table import Matrix

OUTCOMES = 100  # as many as there can be classes
FEW = 4  # rows of an outcome, on average
EVERY = 8  # one row in so many; rows arrive in an order that says nothing about them


def rows(labels: Matrix) -> NDArray[np.bool_]:
    """Every eighth row of each outcome, or, where outcomes are many, or of few rows each, of all in their order: bool [rows]."""
    chosen = np.zeros(len(labels), dtype=bool)
    outcomes = np.unique(labels)
    if len(outcomes) > min(OUTCOMES, len(labels) / FEW):
        chosen[np.argsort(labels, kind="stable")[::EVERY]] = True
        return chosen
    for label in outcomes:
        chosen[np.flatnonzero(labels == label)[::EVERY]] = True
    return chosen
