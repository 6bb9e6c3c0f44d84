"""Which rows are held out is a property of what the file says of them, not of their order in it, of `model.toml` or of a random state."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paved_runtime.digests import Digests, seeded
from paved_runtime.table import Examples, Matrix

Rows = NDArray[np.intp]


def split(examples: Examples, *, share: float, seed: int) -> tuple[Examples, Examples]:
    """Training and held-out rows: `share` of each outcome is held out, each part in an order of its own.

    The same rows in any order give the same two parts, in the same order.
    """
    train, holdout = parts(examples.labels, order(examples.digests, seed=seed), share=share)
    return examples.take(train), examples.take(holdout)


def parts(labels: Matrix, order: Rows, *, share: float) -> tuple[Rows, Rows]:
    """Which rows are for training and which are held out: of each outcome, the first `share` in the given order."""
    outcome = labels[order]
    held = np.zeros(len(order), dtype=bool)
    for label in (0, 1):
        rows = np.flatnonzero(outcome == label)
        held[rows[: round(len(rows) * share)]] = True
    return order[~held], order[held]


def order(digests: Digests, *, seed: int) -> Rows:
    """The rows in an order that says nothing about them and is the same however they come; equal rows are neighbours."""
    return np.argsort(seeded(digests, seed), kind="stable")
