"""Reasons of a model whose framework has none that are exact: Shapley values of its columns, by sampled orders, with their error.

One walks from a background row to the row that is explained, a column after the other; what the log-odds do at a column's turn is what it
adds, averaged over orders and background rows (Castro, Gómez and Tejada 2009; Štrumbelj and Kononenko 2014). Each order is walked forwards
and backwards: what comes early in one comes late in the other, and the two err in opposite ways; where no more than two columns ever act
together, not at all. Every walk begins at a background row's log-odds and ends at the row's own, so that contributions add up to the score,
whatever was drawn.

Orders and background are drawn once, for every row: the same row has the same reasons, whoever asks, and beside whatever other rows.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from paved_runtime.artifact import ArtifactError
from paved_runtime.reasons import ROUNDING, log_odds
from paved_runtime.scoring import Score
from paved_runtime.table import Matrix, Values

BACKGROUND = 32  # rows
ORDERS = 2  # drawn for each background row; two are the least that say how far apart they are
CELLS = 2**20  # of a matrix that is scored at once
Ranks = NDArray[np.intp]


class Sampler:
    """Explains rows by scoring rows between them and a background. Safe to call from several threads where its score is."""

    def __init__(self, score: Score, background: Matrix, positions: Sequence[int], columns: int, seed: str) -> None:
        """`background` is float32 [rows, features]; `positions` holds, for each feature, the position of its column among `columns` ones.

        Raises:
            ArtifactError: a row of the background gets a score that is no probability.
        """
        self._score, self._background, self._positions, self._columns = score, background, np.array(positions), columns
        by = random.Random(seed)  # noqa: S311 - the same orders every time is the point
        drawn = [[by.sample(range(columns), columns) for _ in range(ORDERS)] for _ in background]
        forwards: Ranks = np.array(drawn, dtype=np.intp).reshape(-1, columns)
        self._ranks = np.stack([forwards, columns - 1 - forwards], axis=1).reshape(-1, columns)  # [walks, columns]: when it is whose turn
        self._starts = np.repeat(np.arange(len(background)), 2 * ORDERS)  # [walks]: the background row that each begins at
        scores = score(background)
        if not ((scores >= 0) & (scores <= 1)).all():
            raise ArtifactError("a row that the contract accepts gets a score that is no probability: see what the features do with it")
        self._base = _log_odds(scores)

    @property
    def scorings(self) -> int:
        """How many rows are scored to explain one."""
        return len(self._ranks) * (self._columns - 1) + 1

    def __call__(self, matrix: Matrix) -> tuple[float, Matrix, Matrix]:
        """The base, what each column adds to it, and the standard error of that, both float32 [rows, columns], in log-odds.

        The base is the background's mean; the error is what other orders would have changed, the background being what it is.
        """
        explained = [self._explained(row) for row in matrix]
        added, errors = (np.array(part, dtype=np.float32).reshape(-1, self._columns) for part in zip(*explained, strict=True))
        return float(self._base.mean()), added, errors

    def _explained(self, row: Matrix) -> tuple[Values, Values]:
        """What each column adds to a row's log-odds, and the error of that: float64 [columns]."""
        starts, end = self._base[self._starts, None], np.broadcast_to(_log_odds(self._score(row[None])), (len(self._ranks), 1))
        steps = np.diff(np.concatenate([starts, self._between(row), end], axis=1), axis=1)
        added = np.take_along_axis(steps, self._ranks, axis=1)
        pairs = added.reshape(len(self._background), ORDERS, 2, self._columns).mean(axis=2)  # a pair's two walks are no two samples
        variance = pairs.var(axis=1, ddof=1).sum(axis=0) / (ORDERS * len(self._background) ** 2)
        return pairs.mean(axis=(0, 1)), np.sqrt(variance)

    def _between(self, row: Matrix) -> Values:
        """The log-odds of what lies between the ends of each walk: float64 [walks, columns - 1]."""
        if self._columns == 1:
            return np.empty((len(self._ranks), 0))
        scored = [_log_odds(self._score(rows)) for rows in self._walks(row)]
        return np.concatenate(scored).reshape(len(self._ranks), self._columns - 1)

    def _walks(self, row: Matrix) -> Iterator[Matrix]:
        """The rows of some walks at a time, those of a walk one behind the other: float32 [rows, features]."""
        turns = np.arange(1, self._columns)[None, :, None]
        many = max(1, CELLS // (turns.size * len(self._positions)))
        for at in range(0, len(self._ranks), many):
            taken = self._ranks[at : at + many, None, self._positions] < turns
            rows: Matrix = np.where(taken, row, self._background[self._starts[at : at + many], None])
            yield rows.reshape(-1, len(self._positions))


def _log_odds(scores: Matrix) -> Values:
    """Those of scores: near 0 and 1 as much as float32 can tell."""
    return log_odds(np.clip(scores.astype(np.float64), ROUNDING, 1 - ROUNDING))
