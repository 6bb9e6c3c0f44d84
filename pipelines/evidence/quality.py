"""What a version is worth, as SageMaker reads it: evaluation.json, and beside what is in it the group of metrics that Model Monitor has
for the kind of problem ("Model quality metrics" in the SageMaker developer guide). Where it has no standard deviation, it says "NaN".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.evidence import report as reports
from pipelines.evidence.document import Evaluation

GROUPS = {
    "binary": "binary_classification_metrics",
    "multiclass": "multiclass_classification_metrics",
    "regression": "regression_metrics",
}
Json = Mapping[str, Any]


def statistics(evaluation: Evaluation, content: Json) -> bytes:
    """The model quality statistics of a version; `content` is that of its report.json."""
    task = evaluation.judged_as
    drawn = reports.read(content)["drawn"].get(reports.CHALLENGER, {})
    group = {"binary": _binary, "multiclass": _multiclass, "regression": _regression}[task](evaluation, drawn)
    made = {**evaluation.model_dump(mode="json"), GROUPS[task]: group}
    return (json.dumps(made, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _binary(evaluation: Evaluation, drawn: Json) -> Json:
    """No threshold is set, so there is nothing to count: the curves say it for all of them."""
    curves = {
        **_curve(drawn, "roc", "receiver_operating_characteristic_curve", x="false_positive_rates", y="true_positive_rates"),
        **_curve(drawn, "precision_recall", "precision_recall_curve", x="recalls", y="precisions"),
    }
    return {**_values(evaluation, {"roc_auc": "auc", "average_precision": "au_prc"}), **curves}


def _multiclass(evaluation: Evaluation, drawn: Json) -> Json:
    counts, classes = drawn.get("confusion"), evaluation.classes
    if counts is None or classes is None:
        return _values(evaluation, {"accuracy": "accuracy"})
    named = {actual: dict(zip(classes, row, strict=True)) for actual, row in zip(classes, counts, strict=True)}
    weighted = {name: _value(value) for name, value in _weighted(counts).items()}
    return {"confusion_matrix": named, **_values(evaluation, {"accuracy": "accuracy"}), **weighted}


def _regression(evaluation: Evaluation, drawn: Json) -> Json:
    del drawn
    named = _values(evaluation, {"mae": "mae", "rmse": "rmse", "r2": "r2"})
    rmse = evaluation.metrics.get("rmse")
    return {**named, **({"mse": _value(rmse.value**2)} if rmse else {})}


def _weighted(counts: Sequence[Sequence[int]]) -> dict[str, float]:
    """Recall, precision and F1 of the classes, weighted by their rows; `counts` is [actual, predicted]."""
    actual, predicted = [sum(row) for row in counts], [sum(column) for column in zip(*counts, strict=True)]
    right, rows = [counts[place][place] for place in range(len(counts))], sum(actual) or 1
    figures = {
        "weighted_recall": [hit / (of or 1) for hit, of in zip(right, actual, strict=True)],
        "weighted_precision": [hit / (of or 1) for hit, of in zip(right, predicted, strict=True)],
        "weighted_f1": [2 * hit / (due + said or 1) for hit, due, said in zip(right, actual, predicted, strict=True)],
    }
    return {name: sum(weight * value for weight, value in zip(actual, values, strict=True)) / rows for name, values in figures.items()}


def _values(evaluation: Evaluation, names: Mapping[str, str]) -> dict[str, Json]:
    """Metrics of evaluation under SageMaker's names."""
    return {theirs: _value(evaluation.metrics[ours].value) for ours, theirs in names.items() if ours in evaluation.metrics}


def _value(value: float) -> Json:
    return {"value": value, "standard_deviation": "NaN"}


def _curve(drawn: Json, name: str, theirs: str, *, x: str, y: str) -> dict[str, Json]:
    return {theirs: {x: drawn[name]["x"], y: drawn[name]["y"]}} if name in drawn else {}
