"""Plots of any model: slices, groups of people, columns, trials, latency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from pipelines.evidence.plots.svg import (
    BAD,
    CHALLENGER,
    CHAMPION,
    INK,
    MUTED,
    ROW,
    SQUARE,
    bars,
    dot,
    dots,
    frame,
    label_rows,
    legend,
    mark,
    minus,
    number,
    once,
    rule,
    slice_name,
    svg,
    tall,
)

USUAL_LIMIT = 0.25  # of a population stability index
Rows = Sequence[Mapping[str, Any]]


@once
def slice_figures(rows: Rows, floor: float | None, metric: str) -> Markup:
    """The headline of each slice, the champion's beside the challenger's; hollow where a slice is too small to be judged."""

    def draw(axes: Axes) -> None:
        if floor is not None:
            axes.axvline(floor, color=BAD, linewidth=1, linestyle="--")
        for height, row in enumerate(rows):
            dot(axes, row["champion_figure"], height, CHAMPION, marker="D", filled=row["judged"])
            dot(axes, row["figure"], height, CHALLENGER, filled=row["judged"])
        label_rows(axes, [slice_name(row) for row in rows])
        frame(axes, metric, "")
        compared = any(row["champion_figure"] is not None for row in rows)
        legend(axes, [*dots(compared=compared), *([] if floor is None else [rule(BAD, f"floor {minus(floor)}")])])

    spoken = "; ".join(f"{slice_name(row)} {number(row['figure'])}" for row in rows)
    return svg("slice-figures", f"{metric} by slice: {spoken}", tall(len(rows)), draw)


@once
def slice_differences(rows: Rows, least: float | None, metric: str) -> Markup:
    """Challenger minus champion in each slice: the estimate and its bounds. A bar wholly left of `least` is a slice shown to be worse."""

    def draw(axes: Axes) -> None:
        axes.axvline(0, color=MUTED, linewidth=1)
        if least is not None:
            axes.axvline(least, color=BAD, linewidth=1, linestyle="--")
        for height, row in enumerate(rows):
            if row["low"] is not None and row["high"] is not None:
                shade = CHALLENGER if row["judged"] else MUTED
                axes.plot([row["low"], row["high"]], [height, height], color=shade, linewidth=1.6)
            dot(axes, row["difference"], height, CHALLENGER, filled=row["judged"])
        label_rows(axes, [slice_name(row) for row in rows])
        frame(axes, f"{metric}, challenger minus champion", "")
        legend(axes, [mark(CHALLENGER, "estimate, bounds"), *([] if least is None else [rule(BAD, f"margin {minus(least)}")])])

    spoken = "; ".join(f"{slice_name(row)} {number(row['difference'])}" for row in rows)
    return svg("slice-differences", f"Difference in {metric} by slice, challenger minus champion: {spoken}", tall(len(rows)), draw)


@once
def fairness(rows: Rows) -> Markup:
    """Selection rate and true-positive rate of each group; hollow where a group is too small to be judged."""

    def draw(axes: Axes) -> None:
        for height, row in enumerate(rows):
            dot(axes, _hundredfold(row["true_positive_rate"]), height, CHAMPION, marker="D", filled=row["judged"])
            dot(axes, _hundredfold(row["selection_rate"]), height, CHALLENGER, filled=row["judged"])
        axes.set_xlim(left=0)
        label_rows(axes, [slice_name(row) for row in rows])
        frame(axes, "selected (%)", "")
        legend(axes, [mark(CHALLENGER, "of all rows"), mark(CHAMPION, "of the positive rows", "D")])

    spoken = "; ".join(f"{slice_name(row)} {number(row['selection_rate'])} and {number(row['true_positive_rate'])}" for row in rows)
    return svg("fairness", f"Selection rate and true-positive rate by group: {spoken}", tall(len(rows)), draw)


@once
def group_errors(rows: Rows, most: float | None) -> Markup:
    """How far each group's mean error lies from that of all rows, in standard deviations of the target; `most` is accepted either way."""
    errors = [row["error_difference"] for row in rows]

    def draw(axes: Axes) -> None:
        axes.axvline(0, color=MUTED, linewidth=1)
        for limit in () if most is None else (-most, most):
            axes.axvline(limit, color=BAD, linewidth=1, linestyle="--")
        for height, row in enumerate(rows):
            dot(axes, row["error_difference"], height, CHALLENGER, filled=row["judged"])
        reach = max([abs(error) for error in errors if error is not None] + ([] if most is None else [most]), default=1.0)
        axes.set_xlim(-1.15 * (reach or 1), 1.15 * (reach or 1))
        label_rows(axes, [slice_name(row) for row in rows])
        frame(axes, "predicted too low  ·  predicted too high", "")
        legend(axes, [mark(CHALLENGER, "mean error against all rows'"), *([] if most is None else [rule(BAD, f"accepted ±{minus(most)}")])])

    spoken = "; ".join(f"{slice_name(row)} {number(row['error_difference'])}" for row in rows)
    return svg(
        "group-errors", f"Mean error by group against all rows, in standard deviations of the target: {spoken}", tall(len(rows)), draw
    )


@once
def change(rows: Rows) -> Markup:
    """Population stability index of each column against the champion's training data."""
    values = [row["psi"] for row in rows]

    def draw(axes: Axes) -> None:
        bars(axes, [row["column"] for row in rows], values, "population stability index")
        axes.set_xlim(0, max([*values, USUAL_LIMIT]) * 1.1)
        axes.axvline(USUAL_LIMIT, color=BAD, linewidth=1, linestyle="--")
        legend(axes, [rule(BAD, f"from {USUAL_LIMIT} on usually read as another population")])

    spoken = "; ".join(f"{row['column']} {row['psi']:.3f}" for row in rows)
    return svg("change", f"Change of each column, population stability index: {spoken}", tall(len(rows)), draw)


@once
def importance(rows: Rows, unit: str) -> Markup:
    """The mean size of each column's contribution to the score, in `unit`."""

    def draw(axes: Axes) -> None:
        bars(axes, [row["column"] for row in rows], [row["mean_contribution"] for row in rows], f"mean |contribution| ({unit})")
        axes.set_xlim(left=0)

    spoken = "; ".join(f"{row['column']} {row['mean_contribution']:.4g}" for row in rows)
    return svg("importance", f"Mean contribution of each column in {unit}: {spoken}", tall(len(rows)), draw)


@once
def trials(rows: Rows, best: str, objective: str) -> Markup:
    """The objective of each trial of a search that came to one, by the trial's number; `best` is the job of the one that won."""
    measured = [(place, row) for place, row in enumerate(rows, start=1) if row["objective"] is not None]

    def draw(axes: Axes) -> None:
        for place, row in measured:
            won = row["job"] == best
            dot(axes, place, row["objective"], CHALLENGER if won else MUTED, marker="D" if won else "o")
        axes.set_xlim(0.5, len(rows) + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        frame(axes, "trial", objective)
        legend(axes, [mark(CHALLENGER, "won", "D"), mark(MUTED, "tried")])

    spoken = "; ".join(f"{place}{' (won)' if row['job'] == best else ''} {number(row['objective'])}" for place, row in measured)
    return svg("trials", f"{objective} by trial: {spoken}", SQUARE, draw)


@once
def latency(percentiles: Mapping[str, float], accepted: Mapping[str, float]) -> Markup:
    """Latency percentiles in milliseconds against what is accepted, by the percentile's name."""
    measured = list(percentiles)

    def draw(axes: Axes) -> None:
        for height, name in enumerate(measured):
            axes.plot([percentiles[name]], [height], color=CHALLENGER, marker="o", markersize=7, linestyle="none")
            axes.annotate(f"{percentiles[name]:.3g} ms", (percentiles[name], height), (9, -3), textcoords="offset points", color=INK)
            if name in accepted:
                axes.plot([accepted[name]], [height], color=BAD, marker="|", markersize=14, markeredgewidth=2, linestyle="none")
        label_rows(axes, measured)
        axes.set_xscale("log")
        every = [value for value in (*percentiles.values(), *accepted.values()) if value > 0] or [1]
        axes.set_xlim(min(every) / 2, max(every) * 2.5)
        axes.xaxis.set_major_formatter("{x:g}")
        frame(axes, "latency (ms, logarithmic)", "")
        legend(axes, [mark(CHALLENGER, "measured"), mark(BAD, "accepted", "|")])

    limits = {name: f", accepted {limit:g} ms" for name, limit in accepted.items()}
    spoken = "; ".join(f"{name} {value:.3g} ms{limits.get(name, '')}" for name, value in percentiles.items())
    return svg("latency", f"Latency: {spoken}", tall(len(measured)) + 2 * ROW, draw)


def _hundredfold(share: float | None) -> float | None:
    return None if share is None else 100 * share
