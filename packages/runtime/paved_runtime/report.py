"""What is written down of the findings: evaluation.json, which travels with the model, and report.json, which people look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from paved_runtime import artifact, comparison, curves, reasons
from paved_runtime.cells import written
from paved_runtime.gates import Findings, sample
from paved_runtime.holdout import Champion, Holdout
from paved_runtime.intervals import Interval
from paved_runtime.media_types import JSON
from paved_runtime.rules import rules
from paved_runtime.score_log import QUANTILES
from paved_runtime.spec import Data
from paved_runtime.table import Values
from paved_runtime.verdict import Verdict

VERSION = 2
PARITY = 500  # rows that staging must score alike
Content = dict[str, Any]


def evaluation(findings: Findings, verdicts: Sequence[Verdict], metadata: Mapping[str, Any]) -> Content:
    """The content of evaluation.json. It has figures and no rows."""
    origin = {name: value for name, value in metadata.items() if name != artifact.FILES}
    return {
        "version": 1,
        **origin,
        "task": findings.holdout.task.name,
        **_target(findings.spec.data),
        "reasons": reasons.described(findings.reasons),
        "metrics": {name: _metric(value, findings.intervals.get(name)) for name, value in findings.metrics.items()},
        "rows": {**metadata["rows"], "holdout": len(findings.holdout)},
        "champion": _champion(findings, findings.holdout.champion) if findings.holdout.champion else None,
        **({"features": findings.data["features"]} if "features" in findings.data else {}),
        "gates": [verdict.as_json() for verdict in verdicts],
        "gates_failed": sum(verdict.passed is False for verdict in verdicts),
    }


def report(findings: Findings) -> Content:
    """The content of report.json. A champion's curves are there when it could score a row of either outcome."""
    fairness, treatments = findings.spec.gates.fairness, [treatment.as_json() for treatment in findings.treatments]
    return {
        "version": VERSION,
        "task": findings.holdout.task.name,
        "classes": list(findings.spec.data.classes),
        "drawn": _each(findings.holdout),
        "edges": curves.EDGES.round(2).tolist(),
        "slices": [part.as_json() for part in findings.slices],
        "fairness": {"threshold": fairness.threshold, "selected": list(fairness.selected), "groups": treatments} if fairness else None,
        "behaviour": [outcome.as_json() for outcome in findings.behaviour],
        "importance": findings.reasons.importance if findings.reasons else [],
        "data": findings.data,
    }


def parity(holdout: Holdout, data: Data) -> Content:
    """The content of parity.json: held-out rows as a request has them, and the scores that are due."""
    rows = sample(len(holdout), PARITY)
    table = holdout.table.take(rows)
    columns = {name: written(table, name, rule, rule.write) for name, rule in rules(data).items()}
    instances = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return {"content_type": JSON, "instances": instances, "scores": holdout.challenger[rows].tolist()}


def _target(data: Data) -> Content:
    """What scores are of: the classes in their order, or the accepted range of a number; of two outcomes the task says it all."""
    if data.task == "regression":
        return {"target": {"minimum": data.target_minimum, "maximum": data.target_maximum}}
    return {"classes": list(data.classes)} if data.classes else {}


def _metric(value: float, interval: Interval | None) -> Content:
    return {"value": value} | (dict(zip(("low", "high"), interval, strict=True)) if interval else {})


def _champion(findings: Findings, champion: Champion) -> Content:
    rule, common = findings.spec.gates.champion, champion.comparable
    compared = rule.compare and findings.difference is not None and comparison.comparable(findings.holdout, champion)
    return {
        "model_package_arn": champion.model_package_arn,
        "metrics": findings.holdout.task.metrics(findings.holdout.labels[common], champion.scores[common]) if findings.difference else {},
        "compared": compared,
        "why": _why(findings, champion, compared=compared),
        "trained_rows": None if champion.trained is None else int(champion.trained.sum()),
        "difference": asdict(findings.difference) if findings.difference else None,
        "score_shift": _score_shift(*map(findings.holdout.task.scalar, (findings.holdout.challenger[common], champion.scores[common])))
        if common.any()
        else None,
    }


def _why(findings: Findings, champion: Champion, *, compared: bool) -> str:
    """Why the champion was not compared; of one that was, what is to be known of the comparison."""
    if not findings.spec.gates.champion.compare:
        return "gates.champion.compare is false in model.toml"
    if compared:
        return comparison.UNKNOWN if champion.trained is None else ""
    if champion.reason:
        return champion.reason
    if champion.unseen.all():
        return f"it could score {champion.scored.mean():.2%} of the held-out rows"
    return f"it was trained on {int((~champion.unseen).sum())} of {len(findings.holdout)} held-out rows, and few of the others remain"


def _score_shift(challenger: Values, champion: Values) -> Content:
    """How far the challenger's percentiles of the same rows' scores lie above the champion's, as the first minutes beside it will show."""
    apart = np.quantile(challenger, list(QUANTILES.values())) - np.quantile(champion, list(QUANTILES.values()))
    return dict(zip(QUANTILES, apart.tolist(), strict=True))


def _each(holdout: Holdout) -> Content:
    """What is drawn of the challenger's scores, and of the champion's."""
    task, champion = holdout.task, holdout.champion
    each = {"challenger": task.drawn(holdout.labels, holdout.challenger)}
    if champion and task.fewest(holdout.labels[champion.comparable]):
        each["champion"] = task.drawn(holdout.labels[champion.comparable], champion.scores[champion.comparable])
    return each
