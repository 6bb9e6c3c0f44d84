"""What is written down of the findings: evaluation.json, which travels with the model, and report.json, which people look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from model_code.runtime import calibration, comparison, curves
from model_code.runtime.gates import Findings, measure, sample
from model_code.runtime.invocations import JSON
from model_code.runtime.rules import rules
from model_code.runtime.scored import Champion, Mask, Scored
from model_code.runtime.table import Values
from model_code.runtime.tally import QUANTILES
from model_code.runtime.verdict import Verdict
from model_code.spec import Data

VERSION = 1
PARITY = 500  # rows that staging must score alike
Content = dict[str, Any]


def evaluation(found: Findings, verdicts: Sequence[Verdict], metadata: Mapping[str, Any]) -> Content:
    """The content of evaluation.json. It has figures and no rows."""
    return {
        "version": VERSION,
        **metadata,
        "metrics": {name: {"value": value} for name, value in found.metrics.items()},
        "rows": {**metadata["rows"], "holdout": len(found.scored)},
        "champion": _champion(found, found.scored.champion) if found.scored.champion else None,
        "gates": [verdict.as_json() for verdict in verdicts],
        "gates_failed": sum(verdict.passed is False for verdict in verdicts),
    }


def report(found: Findings) -> Content:
    """The content of report.json. A champion's curves are there when it could score a row of either outcome."""
    fairness = found.spec.gates.fairness
    return {
        "version": VERSION,
        "curves": {"roc": _each(found.scored, curves.roc), "precision_recall": _each(found.scored, curves.precision_recall)},
        "reliability": _each(found.scored, _reliability),
        "scores": {"edges": curves.EDGES.round(2).tolist(), **_each(found.scored, lambda _, scores: curves.counts(scores))},
        "slices": [part.as_json() for part in found.slices],
        "fairness": {"threshold": fairness.threshold, "groups": [one.as_json() for one in found.treatments]} if fairness else None,
        "behaviour": [outcome.as_json() for outcome in found.behaviour],
        "importance": found.reasons.importance,
        "data": found.data,
    }


def parity(scored: Scored, data: Data) -> Content:
    """The content of parity.json: held-out rows as a request has them, and the scores that are due."""
    rows = sample(len(scored), PARITY)
    values = scored.table.values[rows].tolist()
    written = [{name: rule.write(cell) for cell, (name, rule) in zip(row, rules(data).items(), strict=True)} for row in values]
    return {"content_type": JSON, "instances": written, "scores": scored.challenger[rows].tolist()}


def _champion(found: Findings, champion: Champion) -> Content:
    rule = found.spec.gates.champion
    comparable = found.difference is not None and float(champion.scored.mean()) >= comparison.COMPARABLE
    common = champion.scored
    why = "" if rule.compare else "gates.champion.compare is false in model.toml"
    return {
        "model_package_arn": champion.model_package_arn,
        "metrics": measure(found.scored.labels[common], champion.scores[common]) if found.difference else {},
        "compared": rule.compare and comparable,
        "why": why or ("" if comparable else champion.reason or f"it could score {common.mean():.2%} of the held-out rows"),
        "difference": asdict(found.difference) if found.difference else None,
        "score_shift": _score_shift(found.scored.challenger[common], champion.scores[common]) if common.any() else None,
    }


def _score_shift(challenger: Values, champion: Values) -> Content:
    """How far the challenger's percentiles of the same rows' scores lie above the champion's, as the first minutes beside it will show."""
    apart = np.quantile(challenger, list(QUANTILES.values())) - np.quantile(champion, list(QUANTILES.values()))
    return dict(zip(QUANTILES, apart.tolist(), strict=True))


def _each(scored: Scored, drawn: Callable[[Mask, Values], Any]) -> Content:
    """Something drawn of the challenger's scores, and of the champion's."""
    each = {"challenger": drawn(scored.labels, scored.challenger)}
    if scored.champion:
        common = scored.champion.scored
        labels = scored.labels[common]
        if labels.any() and not labels.all():
            each["champion"] = drawn(labels, scored.champion.scores[common])
    return each


def _reliability(labels: Mask, scores: Values) -> Content:
    return curves.lists(**asdict(calibration.reliability(labels, scores)))
