"""What the scores of several classes are worth: how well each class is told from the others, what is taken for what, and whether scores are
probabilities. Of many classes those are shown that fare worst.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from pipelines.evidence.plots.svg import (
    CHALLENGER,
    CHAMPION,
    CLASSES,
    INK,
    MUTED,
    PAPER,
    SQUARE,
    Chart,
    Corner,
    Curve,
    Numbers,
    dot,
    dots,
    frame,
    label_rows,
    legend,
    number,
    once,
    percent,
    short,
    svg,
    tall,
)

MOST, ROWS = len(CLASSES), 20  # classes that a line chart can tell apart; rows that a chart of rows has, at most
DASHES: Sequence[Any] = ("solid", (0, (5, 1.5)), (0, (1.5, 1)), (0, (5, 1.2, 1.2, 1.2)), (0, (8, 2)))
POINTS = 60  # of a class that is drawn in the background
NAME, COLUMN = 18, 12  # characters of a class in a legend, and below a column
LETTERED = 12  # classes whose shares have room in the cells of a matrix
PALE, DEEPEST = (
    0.005,
    0.55,
)  # the share below which a cell stays empty; how much colour a whole class has: text is legible on it by day and by night
RIDGE = 0.9  # of a row's height: the highest bar of its distribution
Json = Mapping[str, Any]
ByClass = Mapping[str, Any]


def worth(report: Json, figures: Mapping[str, float | None]) -> list[Chart]:
    """How well classes are told apart. `report` is that of report.json, `figures` the mean ROC AUC by whose it is."""
    challenger, champion = report["drawn"]["challenger"], report["drawn"].get("champion", {})
    areas = {name: area(curve) for name, curve in challenger["roc"].items()}
    before = {name: area(curve) for name, curve in champion.get("roc", {}).items()}
    worst, shown = _lowest(areas, MOST), _lowest(areas, ROWS)
    taken = "Of the rows of each class, the share that is taken for each: on the diagonal it is right."
    one = "Each class against all others."
    precise = {name: area(_rising(curve)) for name, curve in challenger["precision_recall"].items()}
    selected = "Of the rows that are selected as of a class, how many are; of those that are, how many are selected."
    return [
        Chart("Confusion matrix", _some(taken, len(report["classes"]), ROWS), confusion(challenger["confusion"], report["classes"])),
        Chart("ROC AUC by class", _some(one, len(areas), ROWS), class_areas(shown, areas, before, figures.get("challenger"))),
        Chart("ROC curve of each class", _some(one, len(areas), MOST), roc(challenger["roc"], areas, worst)),
        Chart(
            "Precision and recall of each class",
            _some(selected, len(precise), MOST),
            precision_recall(challenger["precision_recall"], precise, _lowest(precise, MOST)),
        ),
    ]


def calibration(report: Json) -> list[Chart]:
    """Whether scores are probabilities, and how they are spread."""
    challenger, classes = report["drawn"]["challenger"], report["classes"]
    errors = {name: off(curve) for name, curve in challenger["reliability"].items()}
    worst, shown = _lowest({name: -error for name, error in errors.items()}, MOST), classes[:ROWS]
    note = "Each point is a tenth of the held-out rows; on the diagonal the score is what happens."
    spread = "How many of all rows have which probability of each class: bars grow with the square root, so that few rows are seen, too."
    return [
        Chart("Reliability of each class", _some(note, len(errors), MOST), reliability(challenger["reliability"], errors, worst)),
        Chart("Distribution of scores", spread, scores(challenger["scores"], shown, report["edges"])),
    ]


@once
def confusion(counts: Sequence[Sequence[int]], classes: Sequence[str]) -> Markup:
    """Rows of each class (downwards) by the class that they are taken for, as shares; `counts` is [actual, predicted]."""
    everywhere = [[count / (sum(row) or 1) for count in row] for row in counts]
    right = {name: everywhere[place][place] for place, name in enumerate(classes)}
    kept = [classes.index(name) for name in (classes if len(classes) <= ROWS else sorted(_lowest(right, ROWS), key=classes.index))]
    shares, labels = [[everywhere[actual][predicted] for predicted in kept] for actual in kept], [classes[place] for place in kept]

    def draw(axes: Axes) -> None:
        for actual, row in enumerate(shares):
            for predicted, share in enumerate(row):
                _cell(axes, predicted, actual, share, lettered=len(kept) <= LETTERED)
        label_rows(axes, [f"{short(name, NAME)}" for name in labels])
        axes.set_xlim(-0.5, len(kept) - 0.5)
        axes.set_ylim(len(kept) - 0.5, -0.5)
        slanted = max(len(name) for name in labels) * len(kept) > 36
        turned = 90 if len(kept) > LETTERED else 40
        axes.set_xticks(
            range(len(kept)),
            [short(name, COLUMN) for name in labels],
            rotation=turned if slanted else 0,
            ha="right" if slanted and turned < 90 else "center",
        )
        axes.tick_params(axis="x", labelcolor=INK)
        axes.grid(visible=False)
        frame(axes, "taken for (% of the actual class)", "")

    spoken = "; ".join(f"{name} {number(right[name])}" for name in labels)
    return svg(
        "confusion",
        f"Confusion matrix. Share of each class that is taken for what it is: {spoken}",
        _square(len(kept)),
        draw,
    )


@once
def class_areas(shown: Sequence[str], areas: Mapping[str, float], before: Mapping[str, float], mean: float | None) -> Markup:
    """The area under each class's ROC curve, the champion's beside the challenger's; a line at the mean of all."""

    def draw(axes: Axes) -> None:
        if mean is not None:
            axes.axvline(mean, color=MUTED, linewidth=1, linestyle=":")
            axes.annotate(f"mean {mean:.3f}", (mean, 0), (4, 10), textcoords="offset points", color=MUTED, annotation_clip=False)
        for height, name in enumerate(shown):
            dot(axes, before.get(name), height, CHAMPION, marker="D")
            dot(axes, areas[name], height, CHALLENGER)
        axes.margins(x=0.12)
        label_rows(axes, shown)
        frame(axes, "ROC AUC, one class against all others", "")
        legend(axes, dots(compared=bool(before)))

    spoken = "; ".join(f"{name} {number(areas[name])}" for name in shown)
    return svg("class-areas", f"ROC AUC by class, each against all others: {spoken}", _square(len(shown)), draw)


@once
def roc(curves: Mapping[str, Curve], areas: Mapping[str, float], worst: Sequence[str]) -> Markup:
    """A ROC curve a class, those that fare `worst` in colour."""

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":")
        _lines(axes, curves, worst, lambda curve: (curve["x"], curve["y"]), {name: f"{areas[name]:.3f}" for name in worst})
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        frame(axes, "false positive rate", "true positive rate")
        _key(axes, "lower right")

    spoken = "; ".join(f"{name} {number(areas[name])}" for name in worst)
    return svg("class-roc", f"ROC curve of each class: true against false positive rate. {spoken}", SQUARE, draw)


@once
def precision_recall(curves: Mapping[str, Curve], areas: Mapping[str, float], worst: Sequence[str]) -> Markup:
    """Precision against recall of each class, those that fare `worst` in colour."""

    def draw(axes: Axes) -> None:
        _lines(axes, curves, worst, lambda curve: (curve["x"], curve["y"]), {name: f"{areas[name]:.3f}" for name in worst})
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        frame(axes, "recall", "precision")
        _key(axes, "lower left")

    spoken = "; ".join(f"{name} {number(areas[name])}" for name in worst)
    return svg("class-precision-recall", f"Precision-recall curve of each class; the area under it: {spoken}", SQUARE, draw)


@once
def reliability(curves: Mapping[str, Curve], errors: Mapping[str, float], worst: Sequence[str]) -> Markup:
    """The share of rows that are of a class against its mean score, those that fare `worst` in colour."""

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":")
        _lines(
            axes, curves, worst, lambda curve: (curve["score"], curve["positive"]), {name: f"{errors[name]:.3f} off" for name in worst}, "o"
        )
        top = max((value for curve in curves.values() for axis in ("score", "positive") for value in curve[axis]), default=1.0)
        axes.set(xlim=(-top * 0.015, top * 1.03 or 1), ylim=(-top * 0.015, top * 1.03 or 1))
        frame(axes, "mean score of the class", "share of rows of the class")
        _key(axes, "upper left")

    spoken = "; ".join(f"{name} off by {number(errors[name])}" for name in worst)
    return svg("class-reliability", f"Reliability of each class: mean score to share of rows. {spoken}", SQUARE, draw)


@once
def scores(counts: Mapping[str, Sequence[int]], shown: Sequence[str], edges: Numbers) -> Markup:
    """How the scores of each class are spread over all rows: a row a class."""

    def draw(axes: Axes) -> None:
        for height, name in enumerate(shown):
            shares = percent(counts[name])
            tops = [height - RIDGE * math.sqrt(share / (max(shares) or 1)) for share in shares]
            axes.stairs(tops, edges, baseline=height, fill=True, color=CHALLENGER, alpha=0.18)
            axes.stairs(tops, edges, baseline=height, color=CHALLENGER, linewidth=1.2)
        label_rows(axes, shown)
        axes.set_ylim(len(shown) - 0.85, -1.05)
        axes.set_xlim(edges[0], edges[-1])
        frame(axes, "score of the class", "")

    spoken = "; ".join(
        f"{name} {sum(share for share, edge in zip(percent(counts[name]), edges[1:], strict=True) if edge > 0.5):.1f} %" for name in shown
    )
    return svg(
        "class-scores",
        f"Distribution of the scores of each class. Share of all rows above one half: {spoken}",
        _square(len(shown)),
        draw,
    )


def area(curve: Curve) -> float:
    """The area under a curve, by trapezoids."""
    return sum(
        (right - left) * (low + high) / 2 for (left, right), (low, high) in zip(pairwise(curve["x"]), pairwise(curve["y"]), strict=True)
    )


def _rising(curve: Curve) -> Curve:
    """The same curve from left to right."""
    return {axis: values[::-1] for axis, values in curve.items()}


def off(curve: Curve) -> float:
    """The expected calibration error of a reliability curve."""
    apart = [
        abs(score - positive) * count for score, positive, count in zip(curve["score"], curve["positive"], curve["count"], strict=True)
    ]
    return sum(apart) / (sum(curve["count"]) or 1)


def _lines(
    axes: Axes,
    curves: Mapping[str, Curve],
    worst: Sequence[str],
    points: Callable[[Curve], tuple[Numbers, Numbers]],
    said: Mapping[str, str],
    marker: str | None = None,
) -> None:
    """A line a class: in colour with a name and what is `said` of it, the others thin and grey behind."""
    others = [name for name in curves if name not in worst]
    for place, name in enumerate(others):
        x, y = (_thin(axis) for axis in points(curves[name]))
        rest = f"{len(others)} other class{'es' if len(others) > 1 else ''}"
        axes.plot(x, y, color=MUTED, linewidth=0.7, alpha=0.5, label="_" if place else rest)
    for shade, dashes, name in zip(CLASSES, DASHES, worst, strict=False):
        axes.plot(
            *points(curves[name]),
            color=shade,
            linestyle=dashes,
            linewidth=1.6,
            marker=marker,
            markersize=3.5,
            label=f"{short(name, NAME)} {said[name]}",
        )


def _key(axes: Axes, corner: Corner) -> None:
    """A legend that stays legible above the lines."""
    axes.legend(loc=corner, fontsize=9, frameon=True, facecolor=PAPER, edgecolor="none", framealpha=0.8)


def _cell(axes: Axes, x: int, y: int, share: float, *, lettered: bool) -> None:
    shade, depth = (CHALLENGER, DEEPEST * share) if share >= PALE else (MUTED, 0.0)
    axes.add_patch(Rectangle((x - 0.48, y - 0.47), 0.96, 0.94, facecolor=shade, alpha=max(depth, 0.04), linewidth=0))
    if lettered and share >= PALE:
        axes.text(x, y, f"{100 * share:.0f}", ha="center", va="center", color=INK)


def _thin(values: Numbers) -> list[float]:
    step = max(1, (len(values) - 1) // POINTS)
    return [*values[:-1:step], values[-1]]


def _square(rows: int) -> float:
    """The height of a chart with a row a class, in inches."""
    return max(SQUARE, 1.4 * tall(rows))


def _lowest(figures: Mapping[str, float], most: int) -> list[str]:
    """All names, in their order; where they are more than `most`, those with the lowest figures, the lowest first."""
    return list(figures) if len(figures) <= most else sorted(figures, key=lambda name: figures[name])[:most]


def _some(note: str, classes: int, most: int) -> str:
    return note if classes <= most else f"{note} The {most} classes that fare worst, of {classes}.".strip()
