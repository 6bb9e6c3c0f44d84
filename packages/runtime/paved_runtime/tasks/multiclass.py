"""Multi-class: one of several outcomes. A label is the place of its class in `model.toml`, scores are the probabilities of the classes in
that order, float64 [rows, classes]; those of a row add up to 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics  # type: ignore[import-untyped]

from paved_runtime import calibration as calibrated
from paved_runtime import curves, differences, intervals
from paved_runtime.answers import mean_place
from paved_runtime.calibration import Reliability
from paved_runtime.differences import Difference
from paved_runtime.intervals import Interval
from paved_runtime.spec import Fairness, Gates
from paved_runtime.table import Mask, Values
from paved_runtime.tasks.task import CALIBRATION, Rate, Task
from paved_runtime.verdict import Verdict, at_most

SUM = 1e-4  # how far the probabilities of a row may be from adding up to 1: they are float32


class Multiclass(Task):
    """The task of several outcomes."""

    name, title, answer = "multiclass", "mean ROC AUC", "probability of each class"
    few = "of the second most frequent class"

    @property
    def classes(self) -> tuple[str, ...]:
        """Their names, in order."""
        return self.data.classes

    @property
    def width(self) -> int:
        return len(self.classes)

    def strata(self, labels: Values) -> NDArray[np.intp]:
        return labels.astype(np.intp)

    def events(self, labels: Values) -> Mapping[str, Mask]:
        return {name: labels == place for place, name in enumerate(self.classes)}

    def counts(self, labels: Values) -> Mapping[str, int]:
        return dict(zip(self.classes, self._counted(labels).tolist(), strict=True))

    def rates(self, labels: Values) -> Sequence[Rate]:
        share = self.data.class_share
        shares = self._counted(labels) / max(len(labels), 1)
        return [
            Rate(name=f"a share of {name!r}", value=value, low=share.minimum, high=share.maximum, key="data.class_share")
            for name, value in zip(self.classes, shares.tolist(), strict=True)
        ]

    def profile(self, labels: Values) -> dict[str, Any]:
        return {"class_shares": {name: count / len(labels) for name, count in self.counts(labels).items()}}

    def distribution(self, profile: Mapping[str, Any], labels: Values) -> tuple[Sequence[float], Sequence[float]] | None:
        before = profile.get("class_shares")
        if before is None:
            return None
        now = self.counts(labels)
        names = list(dict.fromkeys([*before, *now]))
        return [before.get(name, 0.0) * len(labels) for name in names], [now.get(name, 0) for name in names]

    def refused(self, scores: Values) -> Mask:
        inside = ((scores >= 0) & (scores <= 1)).all(axis=1)
        return np.asarray(~(inside & (np.abs(scores.sum(axis=1) - 1) <= SUM)))

    def scalar(self, scores: Values) -> Values:
        """The mean place among the classes: 0 is the first, 1 the last."""
        return mean_place(scores)

    def outcome(self, scores: Values, name: str | None) -> Values:
        assert name is not None  # `model.toml` names one where there are such tests
        return np.asarray(scores[:, self.classes.index(name)])

    def metrics(self, labels: Values, scores: Values) -> dict[str, float]:
        predicted = scores.argmax(axis=1)
        chosen = np.clip(scores[np.arange(len(labels)), labels.astype(np.intp)], intervals.LEAST, 1)
        figure = self.figure(labels, scores)
        return {
            "roc_auc": np.nan if figure is None else figure,
            "accuracy": float((predicted == labels).mean()),
            "f1": float(metrics.f1_score(labels, predicted, labels=np.unique(labels), average="macro", zero_division=0)),
            "brier": float(((scores - self._certain(labels)) ** 2).sum(axis=1).mean()),
            "log_loss": float(-np.log(chosen).mean()),
            "calibration_error": max(reliability.error for reliability in self._reliabilities(labels, scores).values()),
        }

    def intervals(self, labels: Values, scores: Values) -> dict[str, Interval]:
        return intervals.of_classes(labels, scores)

    def fewest(self, labels: Values) -> int:
        return int(np.sort(self._counted(labels))[-2])

    def figure(self, labels: Values, scores: Values, least: int = 1) -> float | None:
        if self.fewest(labels) < max(least, 1):
            return None
        kept = self._frequent(labels, max(least, 1))
        rows = np.isin(labels, kept)
        return float(np.mean([metrics.roc_auc_score(labels[rows] == place, scores[rows, place]) for place in kept]))

    def rare(self, labels: Values, scores: Values, least: int) -> Mapping[str, tuple[int, float | None]]:
        counts = self._counted(labels)
        areas = {place: float(metrics.roc_auc_score(labels == place, scores[:, place])) for place in np.flatnonzero(counts).tolist()}
        return {name: (int(counts[place]), areas.get(place)) for place, name in enumerate(self.classes) if counts[place] < least}

    def difference(self, labels: Values, challenger: Values, champion: Values, confidence: float, least: int = 1) -> Difference:
        rows = np.isin(labels, self._frequent(labels, least if self.fewest(labels) >= least else 1))
        return differences.of_classes(labels[rows], challenger[rows], champion[rows], confidence=confidence)

    def calibration(self, labels: Values, scores: Values, gates: Gates) -> Iterator[Verdict]:
        for name, reliability in self._reliabilities(labels, scores).items():
            advice = f"the scores of {name!r} are no probabilities: train for log loss, look at its curve for where they are off"
            yield at_most(CALIBRATION, f"{name}: expected calibration error", reliability.error, gates.calibration_error, advice=advice)

    def selection(self, labels: Values, scores: Values, rule: Fairness) -> tuple[Mask, Mask]:
        selected = [self.classes.index(name) for name in rule.selected]
        return np.isin(scores.argmax(axis=1), selected), np.isin(labels, selected)

    def drawn(self, labels: Values, scores: Values) -> dict[str, Any]:
        events = self.events(labels)
        present = {name: place for place, name in enumerate(self.classes) if 0 < events[name].sum() < len(labels)}
        confusion = np.zeros((self.width, self.width), dtype=np.int64)
        np.add.at(confusion, (labels.astype(np.intp), scores.argmax(axis=1)), 1)
        reliabilities = self._reliabilities(labels, scores)
        return {
            "roc": {name: curves.roc(events[name], scores[:, place]) for name, place in present.items()},
            "precision_recall": {name: curves.precision_recall(events[name], scores[:, place]) for name, place in present.items()},
            "reliability": {name: curves.lists(**asdict(each)) for name, each in reliabilities.items()},
            "scores": {name: curves.counts(scores[:, place]) for place, name in enumerate(self.classes)},
            "confusion": confusion.tolist(),
        }

    def _counted(self, labels: Values) -> NDArray[np.intp]:
        return np.bincount(labels.astype(np.intp), minlength=self.width)

    def _frequent(self, labels: Values, least: int) -> NDArray[np.intp]:
        """The places of the classes that have at least so many rows."""
        return np.flatnonzero(self._counted(labels) >= least)

    def _certain(self, labels: Values) -> Values:
        """The scores of somebody who knows: float64 [rows, classes]."""
        return np.eye(self.width)[labels.astype(np.intp)]

    def _reliabilities(self, labels: Values, scores: Values) -> dict[str, Reliability]:
        return {name: calibrated.reliability(labels == place, scores[:, place]) for place, name in enumerate(self.classes)}
