"""What moved: a window's counts against the baseline, by the rules of `model.toml`'s [monitoring].

A change must be no chance and large. No chance: its p-value, adjusted for all tests of the window together, is at most the false-alarm
rate; where nothing has changed this bounds how often a window says otherwise. Large: it is above the limit that `model.toml` gives.
What cannot be judged, because there is too little of it, is said to be so: it is neither drift nor its absence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from paved_runtime import calibration, delong
from paved_runtime.drift import index
from paved_runtime.monitoring import statistics
from paved_runtime.monitoring.baseline import Baseline, Distribution
from paved_runtime.monitoring.baseline import Counts as Cells
from paved_runtime.monitoring.counts import Counts
from paved_runtime.monitoring.labels import Joined
from paved_runtime.monitoring.statistics import Test
from paved_runtime.spec import Monitoring

VERSION = 1
OUTCOMES = 25  # labelled rows of either outcome; with fewer, nothing can be said about how they are ranked
RULES = ("minimum_rows", "false_alarm_rate", "psi", "missing", "violations", "minimum_labels", "roc_auc_loss", "calibration_error")
Kind = Literal["feature", "missing", "violations", "scores", "quality", "calibration", "labels"]
Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that moved: what, how much was found, how much is accepted, and the same in a sentence."""

    what: str
    kind: Kind
    found: float
    accepted: float
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """Something that was tested: it has moved if the test says that it is no chance, and it is `large`."""

    change: Change
    large: bool
    test: Test
    adjusted: float = 1.0

    def confirmed(self, rate: float) -> bool:
        """Whether it has moved, where so many false alarms are accepted."""
        return self.large and self.adjusted <= rate


@dataclass(frozen=True)
class EvaluationMetrics:
    """What evaluation measured: the model's ROC AUC, and its calibration error."""

    roc_auc: float
    calibration_error: float


def judge(counts: Counts, baseline: Baseline, evaluation: EvaluationMetrics, rule: Monitoring) -> Json:
    """The content of monitor.json: everything that was found, and what of it has moved."""
    rows = counts.totals["rows"]
    skipped = None if rows >= rule.minimum_rows else f"{rows} rows in the window, at least {rule.minimum_rows} are needed to judge it"
    unlabelled = _unlabelled(counts.joined, rule)
    suspects = {} if skipped else _suspects(counts, baseline, rule)
    if not unlabelled:
        suspects["labels", ""] = _outcomes(counts.joined, baseline, rule)
    suspects = _adjusted(suspects)
    moved = [] if skipped else _violations(counts, rule)
    moved += [suspect.change for suspect in sorted(suspects.values(), key=_urgency) if suspect.confirmed(rule.false_alarm_rate)]
    quality, worse = _quality(counts.joined, evaluation, rule) if not unlabelled else ({}, [])
    moved += worse
    return {
        "version": VERSION,
        "window": {end: moment.strftime("%Y-%m-%dT%H:%M:%SZ") for end, moment in asdict(counts.window).items()},
        "requests": counts.totals["requests"],
        "rows": rows,
        **{name: counts.totals[name] for name in ("failed", "unreadable", "malformed", "own")},
        "skipped": skipped,
        "drifted": bool(moved),
        "moved": [asdict(change) for change in moved],
        "tests": len(suspects),
        "columns": {} if skipped else {name: _column(name, counts, baseline, suspects, rule) for name in baseline.columns},
        "scores": None if skipped else _distribution(baseline.scores, counts.scores, suspects.get(("scores", "")), rule),
        "violations": _broken(counts),
        "quality": {"skipped": unlabelled, **_joined(counts.joined), **_unjudged(evaluation, baseline), **quality},
        "rules": {name: getattr(rule, name) for name in RULES},
    }


def _suspects(counts: Counts, baseline: Baseline, rule: Monitoring) -> dict[tuple[str, str], Suspect]:
    """Everything about columns and scores that can be tested, by kind and column."""
    suspects: dict[tuple[str, str], Suspect] = {}
    for name, column in baseline.columns.items():
        if test := _test(column, counts.columns[name]):
            suspects["feature", name] = _changed(name, "feature", column, counts.columns[name], test, rule)
        if suspect := _emptied(name, counts, baseline, rule):
            suspects["missing", name] = suspect
    if test := _test(baseline.scores, counts.scores):
        suspects["scores", ""] = _changed("scores", "scores", baseline.scores, counts.scores, test, rule)
    return suspects


def _test(expected: Distribution, actual: Cells) -> Test | None:
    """None where either side has nothing, or nothing that could differ."""
    if not expected.counts.sum() or not actual.sum():
        return None
    if expected.scale.ordered:
        return statistics.kolmogorov_smirnov(expected.counts, actual)
    return statistics.chi_square(expected.scale.bins(expected.counts), expected.scale.bins(actual))


def _changed(what: str, kind: Kind, expected: Distribution, actual: Cells, test: Test, rule: Monitoring) -> Suspect:
    psi = _psi(expected, actual)
    subject = "the scores are" if kind == "scores" else f"{what} is"
    sentence = (
        f"{subject} distributed differently: population stability index {psi:.2f}, accepted is {rule.psi:g}; {_most(expected, actual)}"
    )
    change = Change(what=what, kind=kind, found=psi, accepted=rule.psi, sentence=sentence)
    return Suspect(change=change, large=psi >= rule.psi, test=test)


def _emptied(name: str, counts: Counts, baseline: Baseline, rule: Monitoring) -> Suspect | None:
    before, now, rows = baseline.columns[name].missing, counts.missing[name], counts.totals["rows"]
    if not before and not now:
        return None
    expected, actual = before / baseline.rows, now / rows
    sentence = f"{name} is empty in {_percent(actual)} of the rows instead of {_percent(expected)}"
    sentence += f"; accepted is a rise by {_percent(rule.missing)}"
    change = Change(what=name, kind="missing", found=actual - expected, accepted=rule.missing, sentence=sentence)
    test = Test("proportions", actual - expected, statistics.rise(before, baseline.rows, now, rows))
    return Suspect(change=change, large=actual - expected >= rule.missing, test=test)


def _violations(counts: Counts, rule: Monitoring) -> list[Change]:
    """A row that breaks the contract is no chance: training had none."""
    broken = _broken(counts)
    if broken["share"] <= rule.violations:
        return []
    worst = ", ".join(f"{name} in {rows}" for name, rows in list(broken["by"].items())[:3])
    sentence = f"{_percent(broken['share'])} of the rows break the data contract, accepted are {_percent(rule.violations)}: {worst}"
    return [Change(what="data contract", kind="violations", found=broken["share"], accepted=rule.violations, sentence=sentence)]


def _outcomes(joined: Joined, baseline: Baseline, rule: Monitoring) -> Suspect:
    """The share of positive rows among those that have a label."""
    positive, _ = joined.outcomes
    expected_positive = round(baseline.positive_share * baseline.rows)
    expected = np.array([expected_positive, baseline.rows - expected_positive])
    actual = np.array([positive.sum(), (~positive).sum()])
    psi, share = index(expected.tolist(), actual.tolist()), float(positive.mean())
    sentence = f"{_percent(share)} of the labelled rows turned out positive instead of {_percent(baseline.positive_share)}"
    change = Change(
        what="labels", kind="labels", found=psi, accepted=rule.psi, sentence=f"{sentence}: population stability index {psi:.2f}"
    )
    return Suspect(change=change, large=psi >= rule.psi, test=statistics.chi_square(expected, actual) or Test("chi2", 0.0, 1.0))


def _unlabelled(joined: Joined, rule: Monitoring) -> str | None:
    """Why the model's quality cannot be judged."""
    positive, _ = joined.outcomes
    if len(positive) < rule.minimum_labels:
        return f"{len(positive)} scored rows have a label, at least {rule.minimum_labels} are needed"
    fewest = min(int(positive.sum()), int((~positive).sum()))
    return f"{fewest} labelled rows have the rarer outcome, at least {OUTCOMES} are needed" if fewest < OUTCOMES else None


def _quality(joined: Joined, evaluation: EvaluationMetrics, rule: Monitoring) -> tuple[Json, list[Change]]:
    positive, scores = joined.outcomes
    confidence = 1 - rule.false_alarm_rate
    area, low, high = delong.roc_auc(scores[positive], scores[~positive], confidence)
    reliability = calibration.reliability(positive, scores)
    surely = statistics.certain_error(reliability, confidence)
    moved, sure = [], f"with {_percent(confidence)} confidence"
    if high < evaluation.roc_auc - rule.roc_auc_loss:
        loss = f"at most {high:.3f} {sure}, evaluation's was {evaluation.roc_auc:.3f}, accepted is a loss of {rule.roc_auc_loss:g}"
        sentence = f"the ROC AUC of {len(scores)} labelled rows is {area:.3f}: {loss}"
        moved += [Change(what="ROC AUC", kind="quality", found=area, accepted=evaluation.roc_auc - rule.roc_auc_loss, sentence=sentence)]
    if surely > rule.calibration_error:
        sentence = f"the calibration error of {len(scores)} labelled rows is {reliability.error:.3f}: at least {surely:.3f} {sure}"
        sentence += f", accepted is {rule.calibration_error:g}"
        moved += [
            Change(what="calibration", kind="calibration", found=reliability.error, accepted=rule.calibration_error, sentence=sentence)
        ]
    judged = {
        "roc_auc": area,
        "interval": [low, high],
        "calibration_error": reliability.error,
        "certain_calibration_error": surely,
        "reliability": {name: values.tolist() for name, values in asdict(reliability).items()},
    }
    return judged, moved


def _unjudged(evaluation: EvaluationMetrics, baseline: Baseline) -> Json:
    nothing = dict.fromkeys(("roc_auc", "interval", "calibration_error", "certain_calibration_error", "reliability"))
    evaluated = {"evaluation_roc_auc": evaluation.roc_auc, "evaluation_calibration_error": evaluation.calibration_error}
    return {**nothing, **evaluated, "evaluation_positive_share": baseline.positive_share}


def _joined(joined: Joined) -> Json:
    positive, _ = joined.outcomes
    share = float(positive.mean()) if len(positive) else None
    return {"labelled": len(positive), "unknown": joined.unknown, "malformed": joined.malformed, "positive_share": share}


def _adjusted(suspects: Mapping[tuple[str, str], Suspect]) -> dict[tuple[str, str], Suspect]:
    """Every suspect with its p-value adjusted for all of them."""
    values = statistics.adjusted([suspect.test.p_value for suspect in suspects.values()])
    return {key: replace(suspect, adjusted=value) for (key, suspect), value in zip(suspects.items(), values, strict=True)}


def _urgency(suspect: Suspect) -> tuple[int, float]:
    order: Sequence[Kind] = ("scores", "missing", "feature", "labels")
    return order.index(suspect.change.kind), -suspect.change.found


def _column(name: str, counts: Counts, baseline: Baseline, suspects: Mapping[tuple[str, str], Suspect], rule: Monitoring) -> Json:
    column = baseline.columns[name]
    emptied, rows = suspects.get(("missing", name)), counts.totals["rows"]
    distribution = _distribution(column, counts.columns[name], suspects.get(("feature", name)), rule)
    missing: Json = {"expected": column.missing / baseline.rows, "found": counts.missing[name] / rows}
    missing |= {"p_value": emptied.test.p_value if emptied else None, "adjusted_p_value": emptied.adjusted if emptied else None}
    moved = distribution["moved"] or bool(emptied and emptied.confirmed(rule.false_alarm_rate))
    return {"type": column.scale.kind, **distribution, "missing": missing, "moved": moved}


def _distribution(expected: Distribution, actual: Cells, suspect: Suspect | None, rule: Monitoring) -> Json:
    return {
        "psi": _psi(expected, actual) if expected.counts.any() and actual.any() else None,
        "test": suspect.test.name if suspect else None,
        "statistic": suspect.test.statistic if suspect else None,
        "p_value": suspect.test.p_value if suspect else None,
        "adjusted_p_value": suspect.adjusted if suspect else None,
        "moved": bool(suspect and suspect.confirmed(rule.false_alarm_rate)),
        "bins": expected.scale.labels,
        "expected": _shares(expected.scale.bins(expected.counts)),
        "found": _shares(expected.scale.bins(actual)),
    }


def _broken(counts: Counts) -> Json:
    rows = counts.totals["broken"]
    by = {name: cells for name, cells in sorted(counts.broken.items(), key=lambda item: (-item[1], item[0])) if cells}
    return {"rows": rows, "share": rows / counts.totals["rows"] if rows else 0.0, "by": by}


def _psi(expected: Distribution, actual: Cells) -> float:
    """Bins that are empty on both sides say nothing."""
    before, now = expected.scale.bins(expected.counts), expected.scale.bins(actual)
    filled = before + now > 0
    return index(before[filled].tolist(), now[filled].tolist())


def _most(expected: Distribution, actual: Cells) -> str:
    """The bin whose share has changed most."""
    before, now = (_shares(expected.scale.bins(cells)) for cells in (expected.counts, actual))
    bin_ = int(np.argmax(np.abs(np.subtract(now, before))))
    return f"{expected.scale.labels[bin_]!r} is {_percent(now[bin_])} instead of {_percent(before[bin_])}"


def _shares(counts: Cells) -> list[float]:
    total = int(counts.sum())
    return [count / total if total else 0.0 for count in counts.tolist()]


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
