"""What predicted numbers are worth: how near they come to the actual ones, and whether they are right on average."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes

from paved_runtime.page import figure
from pipelines.evidence.plots.svg import (
    CHALLENGER,
    INK,
    MUTED,
    SQUARE,
    Chart,
    Curve,
    Curves,
    Numbers,
    each,
    frame,
    look,
    minus,
    named,
    names,
    once,
    plain,
    svg,
)

INNER = slice(1, -1)  # quantiles without the smallest and the largest, which would leave no room for all others
MARGIN = 0.04  # of the range, beside what is drawn
Json = Mapping[str, Any]


def worth(report: Json, figures: Mapping[str, float | None]) -> list[Chart]:
    """How near predictions come. `report` is that of report.json, `figures` R² by whose it is."""
    drawn = report["drawn"]
    errors = each(drawn, "errors")
    rows = len(drawn["challenger"]["scatter"]["label"])
    smallest, largest = (figure(errors["challenger"]["error"][place]) for place in (0, -1))
    note = f"Predicted less actual, of the middle nine tenths of the rows. The challenger's errors reach from {smallest} to {largest}."
    of_some = f"{rows:,} held-out rows; on the diagonal the prediction is what happens."
    return [
        Chart("Predicted and actual", of_some, scatter(drawn["challenger"]["scatter"], figures.get("challenger"))),
        Chart("Errors", note, error_quantiles(errors)),
    ]


def calibration(report: Json) -> list[Chart]:
    """Whether predictions are right on average, and how they are spread."""
    drawn = report["drawn"]
    note = "Each point is a tenth of the held-out rows; on the diagonal they come to what was predicted, on average."
    spread = (
        "Share of the held-out rows at or below each number; predictions are less far apart than what happens, but should lie about it."
    )
    return [
        Chart("Reliability", note, reliability(each(drawn, "reliability"))),
        Chart("Distribution of predictions", spread, scores(each(drawn, "scores"), drawn["challenger"]["scatter"]["label"])),
    ]


@once
def scatter(rows: Curve, r2: float | None) -> Markup:
    """The predicted number of some rows against the actual one."""

    def draw(axes: Axes) -> None:
        low, high = _ends([*rows["label"], *rows["score"]])
        axes.plot(
            rows["label"], rows["score"], linestyle="none", marker="o", markersize=3.6, markeredgewidth=0, color=CHALLENGER, alpha=0.4
        )
        axes.plot([low, high], [low, high], color=INK, linewidth=1, linestyle=":", label="predicted = actual")
        if r2 is not None:
            axes.plot([], [], linestyle="none", label=f"R² of all rows {minus(round(r2, 3))}")
        axes.set(xlim=(low, high), ylim=(low, high))
        plain(axes, x=True, y=True)
        frame(axes, "actual", "predicted", corner="upper left")

    said = "" if r2 is None else f" R² {r2:.3f}."
    return svg("scatter", f"Predicted against actual numbers of {len(rows['label'])} rows.{said}", SQUARE, draw)


@once
def error_quantiles(curves: Curves) -> Markup:
    """Quantiles of the errors: how many rows are predicted too low or too high by how much."""

    def draw(axes: Axes) -> None:
        axes.axhline(0, color=INK, linewidth=1, linestyle=":")
        for name, curve in named(curves):
            shares = [100 * place for place in curve["quantile"][INNER]]
            axes.plot(shares, curve["error"][INNER], label=name, **look(name))
            if name == "challenger":
                axes.fill_between(shares, curve["error"][INNER], color=CHALLENGER, alpha=0.14, linewidth=0)
        axes.set_xlim(0, 100)
        plain(axes, y=True)
        frame(axes, "rows, from the lowest error to the highest (%)", "predicted less actual", corner="upper left")

    spoken = "; ".join(f"{name}: {_quantiles(curve, 'error')}" for name, curve in named(curves))
    return svg("errors", f"Quantiles of the errors, predicted less actual. {spoken}", SQUARE, draw)


@once
def reliability(curves: Curves) -> Markup:
    """The mean actual number against the mean prediction, a point for each tenth of the rows."""
    every = [value for _, curve in named(curves) for axis in ("score", "positive") for value in curve[axis]]

    def draw(axes: Axes) -> None:
        low, high = _ends(every)
        axes.plot([low, high], [low, high], color=MUTED, linewidth=1, linestyle=":", label="right on average")
        for name, curve in named(curves):
            axes.plot(curve["score"], curve["positive"], marker="o", markersize=4.5, label=name, **look(name))
        axes.set(xlim=(low, high), ylim=(low, high))
        plain(axes, x=True, y=True)
        frame(axes, "mean predicted", "mean actual", corner="upper left")

    points = "; ".join(
        f"{name}: " + ", ".join(f"{x:.4g} to {y:.4g}" for x, y in zip(c["score"], c["positive"], strict=True)) for name, c in named(curves)
    )
    return svg("amount-reliability", f"Reliability: mean predicted to mean actual. {points}", SQUARE, draw)


@once
def scores(curves: Curves, actual: Numbers) -> Markup:
    """How predictions are spread, beside what happened: the share of rows at or below each number."""

    def draw(axes: Axes) -> None:
        happened = sorted(actual)
        axes.plot(
            happened, [100 * (place + 1) / len(happened) for place in range(len(happened))], color=MUTED, linewidth=1.2, label="actual"
        )
        for name, curve in named(curves):
            axes.plot(curve["score"], [100 * place for place in curve["quantile"]], label=name, **look(name))
        axes.set_ylim(-1, 101)
        plain(axes, x=True)
        frame(axes, "number", "rows at or below (%)", corner="lower right")

    spoken = "; ".join(f"{name}: {_quantiles(curve, 'score')}" for name, curve in named(curves))
    return svg("amounts", f"Distribution of predictions, {' and '.join(names(curves))}. {spoken}", SQUARE, draw)


def _ends(values: Numbers) -> tuple[float, float]:
    """Where axes begin and end that show these values."""
    low, high = min(values), max(values)
    margin = MARGIN * (high - low) or max(abs(high), 1.0) * MARGIN
    return low - margin, high + margin


def _quantiles(curve: Curve, key: str) -> str:
    """A tenth, the middle and nine tenths, as they are spoken."""
    places = {round(quantile, 2): value for quantile, value in zip(curve["quantile"], curve[key], strict=True)}
    return ", ".join(f"{100 * place:.0f} % {minus(float(f'{places[place]:.4g}'))}" for place in (0.1, 0.5, 0.9) if place in places)
