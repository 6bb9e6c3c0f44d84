"""Reasons: a score that a person is told must come with reasons that add up to it, or they are the reasons of some other score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from paved_runtime.table import Matrix, Values
from paved_runtime.verdict import Verdict, at_most

GATE = "reason codes"
TOLERANCE = 1e-3  # log-odds
ROUNDING = 2.0**-22  # a few units in the last place of a float32 near 1: what a score may have lost since it was log-odds


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasons:
    """Scores of some rows, float64 [rows], and what explains them, in log-odds: `base`, and `contributions` [rows, columns]."""

    columns: Sequence[str]
    scores: Values
    base: float
    contributions: Matrix

    @property
    def difference(self) -> float:
        """The largest distance between reasons and score, in log-odds. NaN without rows.

        What the rounding of a score may hide does not count: near 0 and 1, one float32 stands for many log-odds.
        """
        explained = self.base + self.contributions.sum(axis=1, dtype=np.float64)
        with np.errstate(divide="ignore"):
            low, high = (_logit(np.clip(self.scores + way * ROUNDING, 0, 1)) for way in (-1, 1))
        beyond = np.maximum(np.maximum(low - explained, explained - high), 0)
        return float(beyond.max()) if len(beyond) else np.nan

    @property
    def importance(self) -> list[dict[str, Any]]:
        """Each column's mean contribution, whatever its sign; the weightiest first."""
        means = np.abs(self.contributions).mean(axis=0, dtype=np.float64).tolist()
        ranked = sorted(zip(self.columns, means, strict=True), key=lambda pair: -pair[1])
        return [{"column": column, "mean_contribution": float(f"{mean:.6g}")} for column, mean in ranked]


def judge(reasons: Reasons) -> Verdict:
    """Whether the reasons add up to the scores."""
    advice = "the reasons do not explain these scores: model.json and model.onnx must come from one training"
    subject = f"reasons against scores of {len(reasons.scores)} rows, largest difference in log-odds"
    return at_most(GATE, subject, reasons.difference, TOLERANCE, advice=advice)


def _logit(scores: Values) -> Values:
    return np.asarray(np.log(scores) - np.log1p(-scores), dtype=np.float64)
