"""Reasons of a model whose framework has none that are exact: Shapley values of its columns, by sampled orders, with their error.

One walks from a background row to the row that is explained, a column after the other; what the score does at a column's turn, in the unit
of its link, is what it adds, averaged over orders and background rows (Castro, Gómez and Tejada 2009; Štrumbelj and Kononenko 2014). Each
order is walked forwards and backwards: what comes early in one comes late in the other, and the two err in opposite ways; where no more
than two columns ever act together, not at all. Every walk begins at a background row's score and ends at the row's own, so that
contributions add up to the score, whatever was drawn.

Orders and background are drawn once, for every row: the same row has the same reasons, whoever asks, and beside whatever other rows.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from paved_runtime.artifact import ArtifactError
from paved_runtime.links import LOG_ODDS, Link
from paved_runtime.scoring import Score
from paved_runtime.table import Matrix, Values

BACKGROUND = 32  # rows
ORDERS = 2  # drawn for each background row; two are the least that say how far apart they are
CELLS = 2**20  # of a matrix that is scored at once, and of its scores
Ranks = NDArray[np.intp]
Chosen = NDArray[np.intp]


class Sampler:
    """Explains rows by scoring rows between them and a background. Safe to call from several threads where its score is."""

    def __init__(
        self, score: Score, background: Matrix, positions: Sequence[int], columns: int, seed: str, *, link: Link = LOG_ODDS
    ) -> None:
        """`background` is float32 [rows, features]; `positions` holds, for each feature, the position of its column among `columns` ones.

        Raises:
            ArtifactError: a row of the background gets a score that the link does not accept.
        """
        self._score, self._background, self._positions, self._columns, self._link = score, background, np.array(positions), columns, link
        by = random.Random(seed)  # noqa: S311 - the same orders every time is the point
        drawn = [[by.sample(range(columns), columns) for _ in range(ORDERS)] for _ in background]
        forwards: Ranks = np.array(drawn, dtype=np.intp).reshape(-1, columns)
        self._ranks = np.stack([forwards, columns - 1 - forwards], axis=1).reshape(-1, columns)  # [walks, columns]: when it is whose turn
        self._starts = np.repeat(np.arange(len(background)), 2 * ORDERS)  # [walks]: the background row that each begins at
        scores = score(background).reshape(len(background), -1)
        if not link.accepts(scores):
            raise ArtifactError(f"a row that the contract accepts gets a score that is no {link.score}: see what the features do with it")
        self._base = link.of(scores)  # [background rows, outcomes]; of one score a row, one

    @property
    def outcomes(self) -> int:
        """How many scores a row has."""
        return int(self._base.shape[1])

    @property
    def scorings(self) -> int:
        """How many rows are scored to explain one."""
        return len(self._ranks) * (self._columns - 1) + 1

    def __call__(self, matrix: Matrix, chosen: Chosen | None = None) -> tuple[Values, Matrix, Matrix]:
        """The base of each score, float64 [scores of a row], what each column adds to a row's, and the standard error of that, both float32
        [rows, columns], in the link's unit. Where rows have several scores, `chosen` are the places of those that are explained.

        The base is the background's mean; the error is what other orders would have changed, the background being what it is.
        """
        places = [0] * len(matrix) if chosen is None else chosen.tolist()
        explained = [self._explained(row, place) for row, place in zip(matrix, places, strict=True)]
        added, errors = (np.array(part, dtype=np.float32).reshape(-1, self._columns) for part in zip(*explained, strict=True))
        return self._base.mean(axis=0), added, errors

    def _explained(self, row: Matrix, place: int) -> tuple[Values, Values]:
        """What each column adds to the score of a row at a place, and the error of that: float64 [columns]."""
        starts, end = self._base[self._starts, None, place], np.broadcast_to(self._scored(row[None], place), (len(self._ranks), 1))
        steps = np.diff(np.concatenate([starts, self._between(row, place), end], axis=1), axis=1)
        added = np.take_along_axis(steps, self._ranks, axis=1)
        pairs = added.reshape(len(self._background), ORDERS, 2, self._columns).mean(axis=2)  # a pair's two walks are no two samples
        variance = pairs.var(axis=1, ddof=1).sum(axis=0) / (ORDERS * len(self._background) ** 2)
        return pairs.mean(axis=(0, 1)), np.sqrt(variance)

    def _scored(self, rows: Matrix, place: int) -> Values:
        """The scores of rows at a place, in the link's unit: float64 [rows]."""
        return self._link.of(self._score(rows).reshape(len(rows), -1)[:, place])

    def _between(self, row: Matrix, place: int) -> Values:
        """The scores of what lies between the ends of each walk: float64 [walks, columns - 1]."""
        if self._columns == 1:
            return np.empty((len(self._ranks), 0))
        scored = [self._scored(rows, place) for rows in self._walks(row)]
        return np.concatenate(scored).reshape(len(self._ranks), self._columns - 1)

    def _walks(self, row: Matrix) -> Iterator[Matrix]:
        """The rows of some walks at a time, those of a walk one behind the other: float32 [rows, features]."""
        turns = np.arange(1, self._columns)[None, :, None]
        many = max(1, CELLS // (turns.size * max(len(self._positions), self.outcomes)))
        for at in range(0, len(self._ranks), many):
            taken = self._ranks[at : at + many, None, self._positions] < turns
            rows: Matrix = np.where(taken, row, self._background[self._starts[at : at + many], None])
            yield rows.reshape(-1, len(self._positions))
