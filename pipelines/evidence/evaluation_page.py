"""The plots of an evaluation as a page, for who has trained a model here and has no evidence yet: the evidence page's own, in its look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paved_runtime.page import environment
from pipelines.evidence import report, wording
from pipelines.evidence.page import charts, explained, measured, metrics
from pipelines.evidence.plots import common
from pipelines.evidence.plots.svg import Chart
from pipelines.evidence.wording import Wording

MOST_ROWS = 30


def render(evaluation: Mapping[str, Any], content: Mapping[str, Any]) -> str:
    """The page; `evaluation` and `content` are the contents of evaluation.json and report.json."""
    templates = environment("pipelines.evidence")
    templates.filters["measured"] = measured
    words = wording.of(evaluation.get("task"))
    return templates.get_template("evaluation.html.j2").render(
        e=evaluation,
        metrics=metrics(evaluation["metrics"], words),
        failed=[verdict for verdict in evaluation["gates"] if verdict["passed"] is False],
        explained=explained(evaluation, words),
        charts=_charts(evaluation, report.read(content), words),
    )


def _charts(evaluation: Mapping[str, Any], content: Mapping[str, Any], words: Wording) -> list[Chart]:
    slices, fairness, importance = content["slices"], content["fairness"], content["importance"][:MOST_ROWS]
    drawn = [*charts("worth", words, evaluation, content), *charts("calibration", words, evaluation, content)]
    if slices:
        drawn.append(Chart(f"{words.title} by slice", "", common.slice_figures(slices[:MOST_ROWS], None, words.title)))
    if fairness:
        drawn.append(Chart("Who is selected", f"{words.selection(fairness)}.", common.fairness(fairness["groups"][:MOST_ROWS])))
        if off := [row for row in fairness["groups"] if row.get("error_difference") is not None]:
            note = "Mean error of each group against that of all rows, in standard deviations of the target."
            drawn.append(Chart("Who is predicted wrongly", note, common.group_errors(off[:MOST_ROWS], None)))
    if importance:
        drawn.append(Chart("What moves the score", "", common.importance(importance, words.unit)))
    return drawn
