"""The units in which a score is shared out over columns: a probability in log-odds, a number as it is."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from paved_runtime.spec import TaskName
from paved_runtime.table import Matrix, Values

ROUNDING = 2.0**-22  # a few units in the last place of a float32 near 1: what a score may have lost since it was shared out


class Link(Protocol):
    """From scores to what contributions add up to.

    `score` is what it takes. `unit` is that of contributions; what they are off is judged in `measure`, of which one is `scale` units.
    """

    @property
    def score(self) -> str: ...

    @property
    def unit(self) -> str: ...

    @property
    def measure(self) -> str: ...

    def accepts(self, scores: Matrix) -> bool:
        """Whether all of these are scores."""

    def of(self, scores: Matrix) -> Values:
        """Of scores of any shape, float64 of the same."""

    def bounds(self, scores: Values, base: float | Values) -> tuple[Values, Values]:
        """Between what and what contributions may add up, the scores being float32 and added up from a base: float64 [rows] each."""

    def scale(self, scores: Values) -> float:
        """How many of `unit` one of `measure` is."""


class LogOdds:
    """Of probabilities: the logarithm of the odds; near 0 and 1 as much as float32 can tell."""

    score, unit, measure = "probability", "log-odds", "log-odds"

    def accepts(self, scores: Matrix) -> bool:
        return bool(((scores >= 0) & (scores <= 1)).all())

    def of(self, scores: Matrix) -> Values:
        return log_odds(np.clip(scores.astype(np.float64), ROUNDING, 1 - ROUNDING))

    def bounds(self, scores: Values, base: float | Values) -> tuple[Values, Values]:
        """Near 0 and 1, one float32 stands for many log-odds."""
        del base
        with np.errstate(divide="ignore"):
            low, high = (log_odds(np.clip(scores + way * ROUNDING, 0, 1)) for way in (-1, 1))
        return low, high

    def scale(self, scores: Values) -> float:
        del scores
        return 1.0


class Identity:
    """Of numbers: themselves, in the target's unit. What they are off is judged by how far they lie apart."""

    score, unit, measure = "finite number", "the target's unit", "standard deviations of the scores"

    def accepts(self, scores: Matrix) -> bool:
        return bool(np.isfinite(scores).all())

    def of(self, scores: Matrix) -> Values:
        return scores.astype(np.float64)

    def bounds(self, scores: Values, base: float | Values) -> tuple[Values, Values]:
        """Far from 0, one float32 stands for many numbers."""
        rounding = ROUNDING * np.maximum(np.abs(scores), np.abs(base))
        return scores - rounding, scores + rounding

    def scale(self, scores: Values) -> float:
        """Their standard deviation; 1 where there is none."""
        return float(scores.std() or 1.0) if len(scores) else 1.0


LOG_ODDS, IDENTITY = LogOdds(), Identity()


def of(task: TaskName) -> Link:
    """The link of a task's scores; of several classes, that of each class against all others."""
    return IDENTITY if task == "regression" else LOG_ODDS


def log_odds(scores: Values) -> Values:
    """The logarithm of the odds of probabilities; infinite at 0 and 1."""
    return np.asarray(np.log(scores) - np.log1p(-scores), dtype=np.float64)
