"""Binary: one of two outcomes. Labels are 1 for the positive one and 0 for the other, a score is the probability of the positive one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics  # type: ignore[import-untyped]

from paved_runtime import calibration as calibrated
from paved_runtime import curves, differences, intervals
from paved_runtime.differences import Difference
from paved_runtime.intervals import Interval
from paved_runtime.spec import Fairness, Gates
from paved_runtime.table import Mask, Values
from paved_runtime.tasks.task import CALIBRATION, Rate, Task
from paved_runtime.verdict import Verdict, at_most


class Binary(Task):
    """The task of two outcomes."""

    name, title, answer, few = "binary", "ROC AUC", "probability", "of the rarer outcome"

    def strata(self, labels: Values) -> NDArray[np.intp]:
        return labels.astype(np.intp)

    def events(self, labels: Values) -> Mapping[str, Mask]:
        return {str(self.data.positive): labels == 1}

    def counts(self, labels: Values) -> Mapping[str, int]:
        positives = int((labels == 1).sum())
        return {str(self.data.positive): positives, str(self.data.negative): len(labels) - positives}

    def rates(self, labels: Values) -> Sequence[Rate]:
        share, name = self.data.positive_share, f"a share of {self.data.positive!r}"
        return [Rate(name=name, value=float(labels.mean()), low=share.minimum, high=share.maximum, key="data.positive_share")]

    def profile(self, labels: Values) -> dict[str, Any]:
        return {"positive_share": float(labels.mean())}

    def distribution(self, profile: Mapping[str, Any], labels: Values) -> tuple[Sequence[float], Sequence[float]] | None:
        if "positive_share" not in profile:
            return None
        rows, positive = len(labels), float(labels.sum())
        expected = profile["positive_share"] * rows
        return [expected, rows - expected], [positive, rows - positive]

    def refused(self, scores: Values) -> Mask:
        return np.asarray(~((scores >= 0) & (scores <= 1)))

    def metrics(self, labels: Values, scores: Values) -> dict[str, float]:
        return {
            "roc_auc": float(metrics.roc_auc_score(labels, scores)),
            "average_precision": float(metrics.average_precision_score(labels, scores)),
            "brier": float(metrics.brier_score_loss(labels, scores)),
            "log_loss": float(metrics.log_loss(labels, scores)),
            "calibration_error": calibrated.reliability(labels, scores).error,
        }

    def intervals(self, labels: Values, scores: Values) -> dict[str, Interval]:
        return intervals.of_outcomes(labels == 1, scores)

    def fewest(self, labels: Values) -> int:
        return min(self.counts(labels).values())

    def figure(self, labels: Values, scores: Values, least: int = 1) -> float | None:
        return float(metrics.roc_auc_score(labels, scores)) if self.fewest(labels) >= max(least, 1) else None

    def difference(self, labels: Values, challenger: Values, champion: Values, confidence: float, least: int = 1) -> Difference:
        del least
        return differences.of_outcomes(labels == 1, challenger, champion, confidence=confidence)

    def calibration(self, labels: Values, scores: Values, gates: Gates) -> Iterator[Verdict]:
        advice = "scores are no probabilities: train for log loss, look at the reliability curve for where they are off"
        error = calibrated.reliability(labels, scores).error
        yield at_most(CALIBRATION, "expected calibration error", error, gates.calibration_error, advice=advice)

    def selection(self, labels: Values, scores: Values, rule: Fairness) -> tuple[Mask, Mask]:
        assert rule.threshold is not None
        return scores >= rule.threshold, labels == 1

    def drawn(self, labels: Values, scores: Values) -> dict[str, Any]:
        return {
            "roc": curves.roc(labels == 1, scores),
            "precision_recall": curves.precision_recall(labels == 1, scores),
            "reliability": curves.lists(**asdict(calibrated.reliability(labels, scores))),
            "scores": curves.counts(scores),
        }
