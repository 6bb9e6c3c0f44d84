"""What labels say of the scores of the rows that have one by now: the task's headline, and whether scores are what they say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from paved_runtime import calibration, delong
from paved_runtime.calibration import Reliability
from paved_runtime.intervals import Interval
from paved_runtime.monitoring import statistics
from paved_runtime.monitoring.baseline import Baseline
from paved_runtime.spec import Monitoring, TaskName
from paved_runtime.table import Values

OUTCOMES = 25  # labelled rows of each of two outcomes; with fewer, nothing can be said about how they are ranked


@dataclass(frozen=True)
class EvaluationMetrics:
    """What evaluation measured: the model's headline, and its calibration error."""

    headline: float
    calibration_error: float


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How far scores are off, and how far they are off at least, chance left out; numbers in standard deviations of their labels."""

    name: str  # what they are scores of: an outcome, or the target
    reliability: Reliability
    error: float
    certain: float


@dataclass(frozen=True, kw_only=True)
class Quality:
    """The headline and its interval, what evaluation measured of the same `classes`, and the calibration of each outcome."""

    figure: float
    interval: Interval
    evaluation: float
    calibrations: Sequence[Calibration]
    classes: Sequence[str] = ()

    @property
    def worst(self) -> Calibration:
        """The one that is surely off most."""
        return max(self.calibrations, key=lambda each: (each.certain, each.error))


def unjudged(baseline: Baseline, labels: Values, rule: Monitoring) -> str | None:
    """Why the model's quality cannot be judged by these labels; None where it can."""
    if len(labels) < rule.minimum_labels:
        return f"{len(labels)} scored rows have a label, at least {rule.minimum_labels} are needed"
    fewest = baseline.task.fewest(labels)
    if baseline.task.name == "regression":
        return None if fewest else f"the labels of all {len(labels)} rows are the same"
    if fewest < OUTCOMES:
        which = "the rarer outcome" if baseline.task.name == "binary" else "the second most frequent class"
        return f"{fewest} labelled rows have {which}, at least {OUTCOMES} are needed"
    if baseline.task.name == "multiclass" and not _ranked(baseline, labels):
        return f"no class that has {OUTCOMES} labelled rows was there in evaluation"
    return None


def measured(baseline: Baseline, labels: Values, scores: Values, evaluation: EvaluationMetrics, confidence: float) -> Quality:
    """What so many labels say, with such confidence; they can be judged."""
    return _MEASURED[baseline.task.name](baseline, labels, scores, evaluation, confidence)


def _binary(baseline: Baseline, labels: Values, scores: Values, evaluation: EvaluationMetrics, confidence: float) -> Quality:
    positive = labels == 1
    figure, *interval = delong.roc_auc(scores[positive], scores[~positive], confidence)
    each = _calibration(str(baseline.task.data.positive), labels, scores, confidence)
    return Quality(figure=figure, interval=(interval[0], interval[1]), evaluation=evaluation.headline, calibrations=[each])


def _multiclass(baseline: Baseline, labels: Values, scores: Values, evaluation: EvaluationMetrics, confidence: float) -> Quality:
    """Classes with few labels are not ranked, by neither side: evaluation's figure is that of the same ones."""
    names, ranked = baseline.task.data.classes, _ranked(baseline, labels)
    figure, *interval = delong.mean_roc_auc(labels, scores, ranked, confidence)
    each = 1 - (1 - confidence) / len(names)  # so that all of them together are as sure
    complete = len(ranked) == len(baseline.areas)
    return Quality(
        figure=figure,
        interval=(interval[0], interval[1]),
        evaluation=evaluation.headline if complete else float(np.mean([baseline.areas[place] for place in ranked])),
        calibrations=[_calibration(name, labels == place, scores[:, place], each) for place, name in enumerate(names)],
        classes=[names[place] for place in ranked],
    )


def _regression(baseline: Baseline, labels: Values, scores: Values, evaluation: EvaluationMetrics, confidence: float) -> Quality:
    figure, *interval = statistics.r2(labels, scores, confidence)
    reliability, spread = calibration.reliability(labels, scores), float(labels.std())
    certain = statistics.certain_distance(labels, scores, confidence) / spread
    each = Calibration(name=baseline.task.data.target, reliability=reliability, error=reliability.error / spread, certain=certain)
    return Quality(figure=figure, interval=(interval[0], interval[1]), evaluation=evaluation.headline, calibrations=[each])


def _calibration(name: str, labels: Values, scores: Values, confidence: float) -> Calibration:
    reliability = calibration.reliability(labels, scores)
    certain = statistics.certain_error(reliability, confidence)
    return Calibration(name=name, reliability=reliability, error=reliability.error, certain=certain)


def _ranked(baseline: Baseline, labels: Values) -> list[int]:
    """The places of the classes that can be ranked against the others here, and could be in evaluation."""
    return [place for place in baseline.areas if (labels == place).sum() >= OUTCOMES]


_MEASURED: Mapping[TaskName, Callable[[Baseline, Values, Values, EvaluationMetrics, float], Quality]] = {
    "binary": _binary,
    "multiclass": _multiclass,
    "regression": _regression,
}
