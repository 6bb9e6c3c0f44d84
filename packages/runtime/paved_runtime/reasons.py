"""Reasons: a score that a person is told must come with reasons that add up to it, or they are the reasons of some other score.

Sampled ones must be known well enough, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from paved_runtime.links import LOG_ODDS, Link
from paved_runtime.table import Matrix, Values
from paved_runtime.verdict import Verdict, at_most, reported

GATE = "reason codes"
TOLERANCE = 1e-3  # in the link's measure: log-odds, or standard deviations of the scores
NONE = 'reasons = "none" in model.toml: a request for reasons is refused'


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasons:
    """Scores of some rows, float64 [rows], and what explains them, in the `link`'s unit: `base`, the same for all rows or float64 [rows],
    and `contributions` [rows, columns]. Of several classes, those of each row's most probable one.

    `errors` [rows, columns] are the standard errors of sampled contributions; None where they are exact.
    """

    columns: Sequence[str]
    scores: Values
    base: float | Values
    contributions: Matrix
    errors: Matrix | None = None
    link: Link = LOG_ODDS

    @property
    def difference(self) -> float:
        """The largest distance between reasons and score, in the link's measure. NaN without rows.

        What the rounding of a score may hide does not count.
        """
        explained = self.base + self.contributions.sum(axis=1, dtype=np.float64)
        low, high = self.link.bounds(self.scores, self.base)
        beyond = np.maximum(np.maximum(low - explained, explained - high), 0)
        return float(beyond.max()) / self.link.scale(self.scores) if len(beyond) else np.nan

    @property
    def error(self) -> tuple[float, float]:
        """The mean and the largest standard error of sampled contributions, in the link's measure. NaN without rows."""
        if self.errors is None or not len(self.errors):
            return np.nan, np.nan
        scale = self.link.scale(self.scores)
        return float(self.errors.mean(dtype=np.float64)) / scale, float(self.errors.max()) / scale

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
    subject = f"reasons against scores of {len(reasons.scores)} rows, largest difference in {reasons.link.measure}"
    if reasons.errors is None:
        yield at_most(GATE, subject, reasons.difference, TOLERANCE, advice=advice)
        return
    advice = "what answers for this model answers the same row differently each time: see its framework's predict"
    yield at_most(GATE, subject, reasons.difference, TOLERANCE, advice=advice)
    advice = 'the columns act together more than the samples can tell apart: set reasons = "none", or raise gates.reasons_error'
    subject = f"mean standard error of sampled reasons of {len(reasons.scores)} rows, in {reasons.link.measure}"
    yield at_most(GATE, subject, reasons.error[0], accepted, advice=advice)


def described(reasons: Reasons | None) -> dict[str, Any]:
    """How scores are explained, as evaluation.json has it: the method, and the mean and the largest standard error of sampled reasons."""
    if reasons is None:
        return {"method": "none", "mean_error": None, "largest_error": None}
    if reasons.errors is None:
        return {"method": "exact", "mean_error": None, "largest_error": None}
    mean, largest = (float(f"{error:.6g}") for error in reasons.error)
    return {"method": "sampled", "mean_error": mean, "largest_error": largest}
