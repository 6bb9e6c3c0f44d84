"""The plots of an evaluation as a page, for who has trained a model here and has no evidence yet: the evidence page's own, in its look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from paved_runtime.page import environment
from pipelines.evidence import plots
from pipelines.evidence.document import Reasons
from pipelines.evidence.page import measured, metrics

MOST_ROWS = 30


def render(evaluation: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    """The page; `evaluation` and `report` are the contents of evaluation.json and report.json."""
    templates = environment("pipelines.evidence")
    templates.filters["measured"] = measured
    return templates.get_template("evaluation.html.j2").render(
        e=evaluation,
        metrics=metrics(evaluation["metrics"]),
        failed=[verdict for verdict in evaluation["gates"] if verdict["passed"] is False],
        explained=Reasons.model_validate(evaluation["reasons"]).sentence if "reasons" in evaluation else "",
        charts=_charts(evaluation, report),
    )


def _charts(evaluation: Mapping[str, Any], report: Mapping[str, Any]) -> list[tuple[str, Markup]]:
    curves, slices, fairness = report["curves"], report["slices"], report["fairness"]
    areas = {"challenger": evaluation["metrics"]["roc_auc"]["value"], "champion": None}
    drawn = [
        ("ROC curve", plots.roc(curves["roc"], areas)),
        ("Precision and recall", plots.precision_recall(curves["precision_recall"], report["data"]["positive_share"])),
        ("Reliability", plots.reliability(report["reliability"])),
        ("Distribution of scores", plots.scores(report["scores"])),
    ]
    if slices:
        drawn.append(("ROC AUC by slice", plots.slice_areas(slices[:MOST_ROWS], None)))
    if fairness:
        drawn.append(("Who is selected", plots.fairness(fairness["groups"][:MOST_ROWS])))
    if report["importance"]:
        drawn.append(("What moves the score", plots.importance(report["importance"][:MOST_ROWS])))
    return drawn
