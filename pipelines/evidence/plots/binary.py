"""What the scores of two outcomes are worth: how they rank, and whether they are probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes

from pipelines.evidence.plots.svg import (
    CHALLENGER,
    MUTED,
    SQUARE,
    Chart,
    Curves,
    Numbers,
    each,
    frame,
    look,
    named,
    names,
    number,
    once,
    percent,
    svg,
)

Json = Mapping[str, Any]


def worth(report: Json, figures: Mapping[str, float | None]) -> list[Chart]:
    """How scores rank. `report` is that of report.json, `figures` the ROC AUC by whose it is."""
    drawn = report["drawn"]
    note = "Of the rows that are selected, how many are positive; of the positive ones, how many are selected."
    return [
        Chart("ROC curve", "The area under it is the ROC AUC.", roc(each(drawn, "roc"), figures)),
        Chart("Precision and recall", note, precision_recall(each(drawn, "precision_recall"), report["data"].get("positive_share"))),
    ]


def calibration(report: Json) -> list[Chart]:
    """Whether scores are probabilities, and how they are spread."""
    drawn = report["drawn"]
    note = "Each point is a tenth of the held-out rows; on the diagonal the score is what happens."
    return [
        Chart("Reliability", note, reliability(each(drawn, "reliability"))),
        Chart(
            "Distribution of scores",
            "Share of the held-out rows in each twentieth of the scale.",
            scores(each(drawn, "scores"), report["edges"]),
        ),
    ]


@once
def roc(curves: Curves, areas: Mapping[str, float | None]) -> Markup:
    """Receiver operating characteristic. `areas` has the area under each curve, by the curve's name."""

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":", label="by chance")
        _curves(axes, curves, areas)
        frame(axes, "false positive rate", "true positive rate", corner="lower right")

    spoken = "; ".join(f"{name} {number(areas.get(name))}" for name in names(curves))
    return svg("roc", f"ROC curve: true against false positive rate. {spoken}", SQUARE, draw)


@once
def precision_recall(curves: Curves, positive_share: float | None) -> Markup:
    """Precision against recall; `positive_share` is the precision of choosing rows by chance."""

    def draw(axes: Axes) -> None:
        if positive_share is not None:
            axes.axhline(positive_share, color=MUTED, linewidth=1, linestyle=":", label=f"by chance {positive_share:.3f}")
        _curves(axes, curves, {})
        frame(axes, "recall", "precision", corner="upper right")

    return svg("precision-recall", "Precision-recall curve.", SQUARE, draw)


@once
def reliability(curves: Curves) -> Markup:
    """The share of positives against the mean score, a point for each tenth of the rows."""

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":", label="perfectly calibrated")
        for name, curve in named(curves):
            axes.plot(curve["score"], curve["positive"], marker="o", markersize=4.5, label=name, **look(name))
        top = max((value for _, curve in named(curves) for axis in ("score", "positive") for value in curve[axis]), default=1.0)
        axes.set(xlim=(0, top * 1.05 or 1), ylim=(0, top * 1.05 or 1))
        frame(axes, "mean score", "share of positives", corner="upper left")

    points = "; ".join(
        f"{name}: " + ", ".join(f"{x:.2f} to {y:.2f}" for x, y in zip(c["score"], c["positive"], strict=True)) for name, c in named(curves)
    )
    return svg("reliability", f"Reliability: mean score to share of positives. {points}", SQUARE, draw)


@once
def scores(counts: Mapping[str, Sequence[int]], edges: Numbers) -> Markup:
    """How the scores of held-out rows are spread, as shares of the rows."""

    def draw(axes: Axes) -> None:
        for name in names(counts):
            shares = percent(counts[name])
            if name == "challenger":
                axes.stairs(shares, edges, fill=True, color=CHALLENGER, alpha=0.18)
            axes.stairs(shares, edges, label=name, **{**look(name), "linewidth": 1.4})
        axes.set_ylim(bottom=0)
        frame(axes, "score", "rows (%)", corner="upper right")

    return svg("scores", f"Distribution of scores, {' and '.join(names(counts))}, {len(edges) - 1} bins.", SQUARE, draw)


def _curves(axes: Axes, curves: Curves, areas: Mapping[str, float | None]) -> None:
    for name, curve in named(curves):
        area = areas.get(name)
        axes.plot(curve["x"], curve["y"], label=name if area is None else f"{name} {area:.3f}", **look(name))
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
