"""Reasons: a score that a person is told must come with reasons that add up to it, or they are the reasons of some other score.

Sampled ones must be known well enough, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from paved_runtime.table import Matrix, Values
from paved_runtime.verdict import Verdict, at_most, reported

GATE = "reason codes"
TOLERANCE = 1e-3  # log-odds
NONE = 'reasons = "none" in model.toml: a request for reasons is refused'
ROUNDING = 2.0**-22  # a few units in the last place of a float32 near 1: what a score may have lost since it was log-odds


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasons:
    """Scores of some rows, float64 [rows], and what explains them, in log-odds: `base`, and `contributions` [rows, columns].

    `errors` [rows, columns] are the standard errors of sampled contributions; None where they are exact.
    """

    columns: Sequence[str]
    scores: Values
    base: float
    contributions: Matrix
    errors: Matrix | None = None

    @property
    def difference(self) -> float:
        """The largest distance between reasons and score, in log-odds. NaN without rows.

        What the rounding of a score may hide does not count: near 0 and 1, one float32 stands for many log-odds.
        """
        explained = self.base + self.contributions.sum(axis=1, dtype=np.float64)
        with np.errstate(divide="ignore"):
            low, high = (log_odds(np.clip(self.scores + way * ROUNDING, 0, 1)) for way in (-1, 1))
        beyond = np.maximum(np.maximum(low - explained, explained - high), 0)
        return float(beyond.max()) if len(beyond) else np.nan

    @property
    def importance(self) -> list[dict[str, Any]]:
        """Each column's mean contribution, whatever its sign; the weightiest first."""
        means = np.abs(self.contributions).mean(axis=0, dtype=np.float64).tolist()
        ranked = sorted(zip(self.columns, means, strict=True), key=lambda pair: -pair[1])
        return [{"column": column, "mean_contribution": float(f"{mean:.6g}")} for column, mean in ranked]


def judge(reasons: Reasons | None, accepted: float) -> Iterator[Verdict]:
    """Whether the reasons add up to the scores and, of sampled ones, whether their mean standard error is `accepted` or less."""
    if reasons is None:
        yield reported(GATE, "reasons of scores", None, why=NONE)
        return
    advice = "the reasons do not explain these scores: model.json and model.onnx must come from one training"
    subject = f"reasons against scores of {len(reasons.scores)} rows, largest difference in log-odds"
    if reasons.errors is None:
        yield at_most(GATE, subject, reasons.difference, TOLERANCE, advice=advice)
        return
    advice = "what answers for this model answers the same row differently each time: see its framework's predict"
    yield at_most(GATE, subject, reasons.difference, TOLERANCE, advice=advice)
    advice = 'the columns act together more than the samples can tell apart: set reasons = "none", or raise gates.reasons_error'
    subject = f"mean standard error of sampled reasons of {len(reasons.scores)} rows, in log-odds"
    error = float(reasons.errors.mean(dtype=np.float64)) if len(reasons.errors) else np.nan
    yield at_most(GATE, subject, error, accepted, advice=advice)


def described(reasons: Reasons | None) -> dict[str, Any]:
    """How scores are explained, as evaluation.json has it: the method, and the mean and the largest standard error of sampled reasons."""
    if reasons is None:
        return {"method": "none", "mean_error": None, "largest_error": None}
    if reasons.errors is None:
        return {"method": "exact", "mean_error": None, "largest_error": None}
    mean, largest = (float(f"{error:.6g}") for error in (reasons.errors.mean(dtype=np.float64), reasons.errors.max()))
    return {"method": "sampled", "mean_error": mean, "largest_error": largest}


def log_odds(scores: Values) -> Values:
    """The logarithm of the odds of probabilities; infinite at 0 and 1."""
    return np.asarray(np.log(scores) - np.log1p(-scores), dtype=np.float64)
