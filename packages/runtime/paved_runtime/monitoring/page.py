"""What a run of the monitor found, as a page for a person: what moved first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from paved_runtime.monitoring import plots
from paved_runtime.page import NONE, count, environment, figure, legible, legible_json

RULES = {
    "minimum_rows": "fewest rows that are judged",
    "false_alarm_rate": "false alarms among windows without change, at most",
    "psi": "population stability index from which a change counts",
    "missing": "rise of the share of empty cells from which it counts",
    "violations": "share of rows that may break the data contract",
    "minimum_labels": "fewest labelled rows that are judged",
    "roc_auc_loss": "loss of ROC AUC that is accepted",
    "r2_loss": "loss of R² that is accepted",
    "calibration_error": "calibration error that is accepted",
}


def render(report: Mapping[str, Any], purpose: str) -> str:
    """The page about one run; `report` is monitor.json."""
    content = legible_json(report)
    columns, quality = content["columns"], content["quality"]
    order = sorted(columns, key=lambda name: (not columns[name]["moved"], -(columns[name]["psi"] or 0.0)))
    judged = any(column["psi"] is not None for column in columns.values())
    templates = environment("paved_runtime.monitoring")
    templates.filters["chance"] = chance
    return templates.get_template("page.html.j2").render(
        m=content,
        purpose=legible(purpose),
        order=order,
        moved_columns=[name for name in order if columns[name]["moved"]],
        rules=[(RULES[name], count(value) if isinstance(value, int) else figure(value)) for name, value in content["rules"].items()],
        shares=plots.shares,
        changes=plots.changes(columns, content["rules"]["psi"]) if judged else None,
        reliabilities=_reliabilities(content["task"], quality["reliability"] or {}),
        unit={"regression": " standard deviations"}.get(content["task"], ""),
    )


def _reliabilities(task: str, each: Mapping[str, Any]) -> dict[str, Markup]:
    """The plot of each outcome's scores, by its name, the one that is off most first; of a number, the target's."""
    shown = {"regression": "mean outcome"}
    worst = sorted(each, key=lambda name: -_error(each[name]))
    return {name: plots.reliability(each[name], shown.get(task, f"share of {name!r}")) for name in worst}


def _error(bins: Mapping[str, Sequence[float]]) -> float:
    rows = zip(bins["score"], bins["positive"], bins["count"], strict=True)
    return sum(abs(score - positive) * count for score, positive, count in rows) / sum(bins["count"])


def chance(value: float | None) -> str:
    """A p-value; how much smaller than one in ten thousand it is does not matter."""
    return NONE if value is None else "< 0.0001" if value < 1e-4 else f"{value:.2g}"
