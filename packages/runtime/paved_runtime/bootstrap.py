"""The stratified bootstrap: again and again, as many rows of each outcome as there are are drawn from them; always the same ones.

See Efron and Tibshirani, An Introduction to the Bootstrap, 1993. How often a row is drawn is its weight.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paved_runtime.table import Values

Weights = NDArray[np.integer[Any]]

SEED = 0
CELLS = 100_000  # weights held at a time: what the bootstrap needs of memory is this, or one resample


def resamples(*strata: int, count: int, cells: int = CELLS) -> Iterator[tuple[Weights, ...]]:
    """`count` resamples, some at a time: the weights of the rows of each stratum, which has so many: int32 [some, rows]."""
    draw = np.random.default_rng(SEED)
    size = max(1, cells // sum(strata))
    for start in range(0, count, size):
        some = min(size, count - start)
        yield tuple(_weights(draw, some, rows) for rows in strata)


def sums(weights: Weights | Values, values: Values) -> Values:
    """float64 [k, figures]: sums of `values`, float64 [figures, rows], over rows that count as often as the weights, [k, rows], say.

    The same whatever threads a library for matrices would have, and at no time waiting for them.
    """
    return np.asarray(np.einsum("kr,fr->kf", weights, values, dtype=np.float64, casting="unsafe"))


class Parts:
    """The rows of each of several parts, and sums over them."""

    def __init__(self, places: NDArray[np.intp], count: int) -> None:
        """The part of each row, intp [rows], of so many."""
        self._order, self._count = np.argsort(places, kind="stable"), count
        self._filled, self._starts = np.unique(places[self._order], return_index=True)

    def sums(self, values: Values) -> Values:
        """float64 [k, parts] of float64 [k, rows]."""
        totals = np.zeros((len(values), self._count))
        totals[:, self._filled] = np.add.reduceat(np.take(values, self._order, axis=1), self._starts, axis=1)
        return totals


def _weights(draw: np.random.Generator, resamples: int, rows: int) -> Weights:
    """How often each of `rows` rows is drawn in as many draws: int32 [resamples, rows], half the memory to go through."""
    drawn = draw.integers(0, rows, (resamples, rows)) + np.arange(resamples)[:, None] * rows
    return np.bincount(drawn.ravel(), minlength=resamples * rows).reshape(resamples, rows).astype(np.int32)
