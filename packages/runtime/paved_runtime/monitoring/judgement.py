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

from paved_runtime.drift import index
from paved_runtime.monitoring import feature_groups, quality, statistics
from paved_runtime.monitoring.baseline import Baseline, Distribution
from paved_runtime.monitoring.baseline import Counts as Cells
from paved_runtime.monitoring.counts import Counts
from paved_runtime.monitoring.labels import Joined
from paved_runtime.monitoring.quality import Calibration, EvaluationMetrics, Quality
from paved_runtime.monitoring.statistics import Test
from paved_runtime.spec import Lookup, Monitoring
from paved_runtime.table import Values
from paved_runtime.tasks.task import Task

VERSION = 2
RULES = ("minimum_rows", "false_alarm_rate", "psi", "missing", "violations", "minimum_labels")
SUBJECTS = {"scores": "the scores are", "class": "the most probable classes are", "labels": "the labels are"}
Kind = Literal["feature", "missing", "violations", "scores", "quality", "calibration", "labels"]
Json = dict[str, Any]
NONE: Mapping[str, Lookup] = {}


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


def judge(
    counts: Counts, baseline: Baseline, evaluation: EvaluationMetrics, rule: Monitoring, lookups: Mapping[str, Lookup] = NONE
) -> Json:
    """The content of monitor.json: everything that was found, and what of it has moved, also by the feature groups of `lookups`."""
    rows, (labels, scores), task = counts.totals["rows"], counts.joined.rows, baseline.task
    skipped = None if rows >= rule.minimum_rows else f"{rows} rows in the window, at least {rule.minimum_rows} are needed to judge it"
    unlabelled = quality.unjudged(baseline, labels, rule)
    outcomes = baseline.labels.scale.count(labels)
    suspects = {} if skipped else _suspects(counts, baseline, rule)
    if not unlabelled and (test := _test(baseline.labels, outcomes)):
        suspects["labels", "labels"] = _changed("labels", "labels", baseline.labels, outcomes, test, rule)
    suspects = _adjusted(suspects)
    judged = None if unlabelled else quality.measured(baseline, labels, scores, evaluation, 1 - rule.false_alarm_rate)
    moved = [] if skipped else _violations(counts, rule)
    moved += [suspect.change for suspect in sorted(suspects.values(), key=_urgency) if suspect.confirmed(rule.false_alarm_rate)]
    moved += _worse(judged, task, len(labels), rule) if judged else []
    window: Json = {"columns": {}, "scores": None, "predicted": None} if skipped else _window(counts, baseline, suspects, rule)
    return {
        "version": VERSION,
        "task": task.name,
        "window": {end: moment.strftime("%Y-%m-%dT%H:%M:%SZ") for end, moment in asdict(counts.window).items()},
        "requests": counts.totals["requests"],
        "rows": rows,
        **{name: counts.totals[name] for name in ("failed", "unreadable", "malformed", "own", "batch")},
        "skipped": skipped,
        "drifted": bool(moved),
        "moved": [asdict(change) for change in moved],
        "tests": len(suspects),
        **window,
        "groups": feature_groups.judged(window["columns"], lookups),
        "labels": _distribution(baseline.labels, outcomes, suspects.get(("labels", "labels")), rule) if len(labels) else None,
        "violations": _broken(counts),
        "quality": {"skipped": unlabelled, **_joined(counts.joined), **_means(labels, baseline), **_quality(judged, task, evaluation)},
        "rules": {name: getattr(rule, name) for name in (*RULES, f"{task.headline}_loss", "calibration_error")},
    }


def _suspects(counts: Counts, baseline: Baseline, rule: Monitoring) -> dict[tuple[str, str], Suspect]:
    """Everything about columns and scores that can be tested, by kind and column."""
    suspects: dict[tuple[str, str], Suspect] = {}
    for name, column in baseline.columns.items():
        if test := _test(column, counts.columns[name]):
            suspects["feature", name] = _changed(name, "feature", column, counts.columns[name], test, rule)
        if suspect := _emptied(name, counts, baseline, rule):
            suspects["missing", name] = suspect
    answered = {"scores": (baseline.scores, counts.scores), "class": (baseline.predicted, counts.predicted)}
    for name, (expected, actual) in answered.items():
        if test := _test(expected, actual):
            suspects["scores", name] = _changed(name, "scores", expected, actual, test, rule)
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
    subject = f"{what} is" if kind == "feature" else SUBJECTS[what]
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


def _worse(judged: Quality, task: Task, rows: int, rule: Monitoring) -> list[Change]:
    """What is surely worse than it may be."""
    moved, sure, loss = [], f"with {_percent(1 - rule.false_alarm_rate)} confidence", getattr(rule, f"{task.headline}_loss")
    least, high, worst = judged.evaluation - loss, judged.interval[1], judged.worst
    if high < least:
        sentence = f"the {task.title} of {rows} labelled rows is {judged.figure:.3f}: at most {high:.3f} {sure}, "
        sentence += f"evaluation's was {judged.evaluation:.3f}, accepted is a loss of {loss:g}"
        moved.append(Change(what=task.title, kind="quality", found=judged.figure, accepted=least, sentence=sentence))
    if worst.certain > rule.calibration_error:
        whose = f" of {worst.name!r}" if len(judged.calibrations) > 1 else ""
        unit = " standard deviations" if task.name == "regression" else ""
        sentence = f"the calibration error{whose} of {rows} labelled rows is {worst.error:.3f}{unit}: at least {worst.certain:.3f} {sure}"
        sentence += f", accepted is {rule.calibration_error:g}"
        moved.append(Change(what="calibration", kind="calibration", found=worst.error, accepted=rule.calibration_error, sentence=sentence))
    return moved


def _quality(judged: Quality | None, task: Task, evaluation: EvaluationMetrics) -> Json:
    """What labels say; nothing where they could not be judged."""
    worst = judged.worst if judged else None
    return {
        "metric": task.headline,
        "title": task.title,
        "figure": judged.figure if judged else None,
        "interval": list(judged.interval) if judged else None,
        "evaluation_figure": judged.evaluation if judged else evaluation.headline,
        "classes": list(judged.classes) if judged and judged.classes else None,
        "calibration_error": worst.error if worst else None,
        "certain_calibration_error": worst.certain if worst else None,
        "evaluation_calibration_error": evaluation.calibration_error,
        "reliability": {each.name: _reliability(each) for each in judged.calibrations} if judged else None,
    }


def _reliability(each: Calibration) -> Json:
    return {name: values.tolist() for name, values in asdict(each.reliability).items()}


def _joined(joined: Joined) -> Json:
    return {"labelled": len(joined.pairs), "unknown": joined.unknown, "malformed": joined.malformed}


def _means(labels: Values, baseline: Baseline) -> Json:
    """The mean of labels that are numbers, and that of evaluation's."""
    known = baseline.mean is not None and len(labels)
    return {"mean": float(labels.mean()) if known else None, "evaluation_mean": baseline.mean}


def _adjusted(suspects: Mapping[tuple[str, str], Suspect]) -> dict[tuple[str, str], Suspect]:
    """Every suspect with its p-value adjusted for all of them."""
    values = statistics.adjusted([suspect.test.p_value for suspect in suspects.values()])
    return {key: replace(suspect, adjusted=value) for (key, suspect), value in zip(suspects.items(), values, strict=True)}


def _urgency(suspect: Suspect) -> tuple[int, float]:
    order: Sequence[Kind] = ("scores", "missing", "feature", "labels")
    return order.index(suspect.change.kind), -suspect.change.found


def _window(counts: Counts, baseline: Baseline, suspects: Mapping[tuple[str, str], Suspect], rule: Monitoring) -> Json:
    """What was asked and answered, column by column; `predicted` only where there are classes."""
    scores = _distribution(baseline.scores, counts.scores, suspects.get(("scores", "scores")), rule)
    predicted = _distribution(baseline.predicted, counts.predicted, suspects.get(("scores", "class")), rule)
    return {
        "columns": {name: _column(name, counts, baseline, suspects, rule) for name in baseline.columns},
        "scores": scores,
        "predicted": predicted if predicted["bins"] else None,
    }


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
    """The bin whose share has changed most; of two outcomes, which change alike, the positive one, which is the last."""
    before, now = (_shares(expected.scale.bins(cells)) for cells in (expected.counts, actual))
    changes = np.abs(np.subtract(now, before)).round(9)
    bin_ = len(changes) - 1 - int(np.argmax(changes[::-1]))
    return f"{expected.scale.labels[bin_]!r} is {_percent(now[bin_])} instead of {_percent(before[bin_])}"


def _shares(counts: Cells) -> list[float]:
    total = int(counts.sum())
    return [count / total if total else 0.0 for count in counts.tolist()]


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
