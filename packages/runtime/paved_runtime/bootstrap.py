"""The stratified bootstrap: again and again, as many rows of each outcome as there are are drawn from them; always the same ones.

See Efron and Tibshirani, An Introduction to the Bootstrap, 1993. How often a row is drawn is its weight.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.int64]

SEED = 0
CELLS = 100_000  # weights held at a time: what the bootstrap needs of memory is this, or one resample


def resamples(*strata: int, count: int, cells: int = CELLS) -> Iterator[tuple[Weights, ...]]:
    """`count` resamples, some at a time: the weights of the rows of each stratum, which has so many: int64 [some, rows]."""
    draw = np.random.default_rng(SEED)
    size = max(1, cells // sum(strata))
    for start in range(0, count, size):
        some = min(size, count - start)
        yield tuple(_weights(draw, some, rows) for rows in strata)


def _weights(draw: np.random.Generator, resamples: int, rows: int) -> Weights:
    """How often each of `rows` rows is drawn in as many draws: int64 [resamples, rows]."""
    drawn = draw.integers(0, rows, (resamples, rows)) + np.arange(resamples)[:, None] * rows
    return np.bincount(drawn.ravel(), minlength=resamples * rows).reshape(resamples, rows).astype(np.int64, copy=False)
