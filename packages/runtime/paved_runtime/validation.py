"""Which training rows a learner looks at to know when to stop, or what to choose: a part of them, and never the holdout."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paved_runtime.table import Matrix

OUTCOMES = 100  # as many as there can be classes
EVERY = 8  # one row in so many; rows arrive in an order that says nothing about them


def rows(labels: Matrix) -> NDArray[np.bool_]:
    """Every eighth row of each outcome, or, where outcomes are many numbers, of all: bool [rows]."""
    chosen = np.zeros(len(labels), dtype=bool)
    outcomes = np.unique(labels)
    if len(outcomes) > OUTCOMES:
        chosen[::EVERY] = True
        return chosen
    for label in outcomes:
        chosen[np.flatnonzero(labels == label)[::EVERY]] = True
    return chosen
