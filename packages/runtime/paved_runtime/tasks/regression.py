"""Regression: a number. Labels and scores are numbers in the target's own unit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paved_runtime import calibration as calibrated
from paved_runtime import curves, differences, drift, intervals
from paved_runtime.differences import Difference
from paved_runtime.intervals import Interval
from paved_runtime.spec import Fairness, Gates
from paved_runtime.table import Mask, Values
from paved_runtime.tasks.task import CALIBRATION, Rate, Task
from paved_runtime.verdict import Verdict, at_most

DRAWN = 500  # rows of a scatter


class Regression(Task):
    """The task of a number. `r2` is 1 less the squared errors' share of the squared distances from the mean; 0 is as good as the mean."""

    name, title, answer, few = "regression", "R²", "finite number", "with outcomes that differ"

    def strata(self, labels: Values) -> NDArray[np.intp]:
        return np.zeros(len(labels), dtype=np.intp)

    def events(self, labels: Values) -> Mapping[str, Mask]:
        middle = np.median(labels)
        above, not_below = labels > middle, labels >= middle  # where many rows have the median, one of the two may be nobody, or all
        return {"above the median": min(above, not_below, key=lambda rows: abs(rows.mean() - 0.5))}

    def counts(self, labels: Values) -> Mapping[str, int]:
        del labels
        return {}

    def rates(self, labels: Values) -> Sequence[Rate]:
        usual = self.data.target_mean
        if usual is None:
            return []
        return [Rate(name="a mean", value=float(labels.mean()), low=usual.minimum, high=usual.maximum, key="data.target_mean")]

    def profile(self, labels: Values) -> dict[str, Any]:
        inner = drift.edges(labels, drift.BINS)
        return {"target": {"edges": inner.tolist(), "counts": drift.counted(labels, inner).tolist(), "mean": float(labels.mean())}}

    def distribution(self, profile: Mapping[str, Any], labels: Values) -> tuple[Sequence[float], Sequence[float]] | None:
        before = profile.get("target")
        return None if before is None else (before["counts"], drift.counted(labels, before["edges"]).tolist())

    def refused(self, scores: Values) -> Mask:
        return ~np.isfinite(scores)

    def metrics(self, labels: Values, scores: Values) -> dict[str, float]:
        errors, figure = scores - labels, self.figure(labels, scores)
        return {
            "r2": np.nan if figure is None else figure,
            "rmse": float(np.sqrt((errors**2).mean())),
            "mae": float(np.abs(errors).mean()),
            "bias": self._bias(labels, scores),
            "calibration_error": self._calibration_error(labels, scores),
        }

    def intervals(self, labels: Values, scores: Values) -> dict[str, Interval]:
        return intervals.of_amounts(labels, scores)

    def fewest(self, labels: Values) -> int:
        return len(labels) if _spread(labels) > 0 else 0

    def figure(self, labels: Values, scores: Values, least: int = 1) -> float | None:
        if self.fewest(labels) < max(least, 1):
            return None
        return float(1 - ((scores - labels) ** 2).sum() / ((labels - labels.mean()) ** 2).sum())

    def difference(self, labels: Values, challenger: Values, champion: Values, confidence: float, least: int = 1) -> Difference:
        del least
        return differences.of_amounts(labels, challenger, champion, confidence=confidence)

    def calibration(self, labels: Values, scores: Values, gates: Gates) -> Iterator[Verdict]:
        advice = "scores are too low, or too high, on the whole: train for squared error, and see which rows are off"
        bias = abs(self._bias(labels, scores))
        yield at_most(CALIBRATION, "bias, in standard deviations of the target", bias, gates.bias, advice=advice)
        advice = "rows of a score are off on average: look at the reliability curve for where"
        error = self._calibration_error(labels, scores)
        subject = "expected calibration error, in standard deviations of the target"
        yield at_most(CALIBRATION, subject, error, gates.calibration_error, advice=advice)

    def selection(self, labels: Values, scores: Values, rule: Fairness) -> tuple[Mask, Mask]:
        assert rule.threshold is not None
        return scores >= rule.threshold, labels >= rule.threshold

    def errors(self, labels: Values, scores: Values) -> Values | None:
        return (scores - labels) / _spread(labels)

    def drawn(self, labels: Values, scores: Values) -> dict[str, Any]:
        rows = np.linspace(0, len(labels) - 1, min(len(labels), DRAWN)).astype(np.intp)
        places = np.linspace(0, 1, 21)
        return {
            "scatter": curves.lists(label=labels[rows], score=scores[rows]),
            "errors": curves.lists(quantile=places, error=np.quantile(scores - labels, places)),
            "reliability": curves.lists(**asdict(calibrated.reliability(labels, scores))),
            "scores": curves.lists(quantile=places, score=np.quantile(scores, places)),
        }

    def _bias(self, labels: Values, scores: Values) -> float:
        return float((scores - labels).mean() / _spread(labels))

    def _calibration_error(self, labels: Values, scores: Values) -> float:
        return calibrated.reliability(labels, scores).error / _spread(labels)


def _spread(labels: Values) -> float:
    """The standard deviation of the labels; NaN without any, or where they are all the same but for what squares can tell."""
    return float(labels.std()) or np.nan if len(labels) and labels.min() < labels.max() else np.nan
