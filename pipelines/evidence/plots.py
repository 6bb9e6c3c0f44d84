"""The evidence page's plots: SVG inside the page, coloured by the page's CSS, and the same bytes for the same figures.

Colours are written as place-holders while drawing and become `var(--name)` afterwards, so one plot reads well in light, dark and print.
"""

from __future__ import annotations

import io
import json
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, wraps
from typing import Any, Literal, TypeVar, cast

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

INK, MUTED, LINE, CHALLENGER, CHAMPION, BAD, PAPER = (f"#00000{number}" for number in range(1, 8))
VARIABLES = {INK: "ink", MUTED: "muted", LINE: "line", CHALLENGER: "challenger", CHAMPION: "champion", BAD: "bad", PAPER: "card"}
WIDTH, SQUARE = 4.6, 3.5  # inches; a point is a pixel, and a phone shows a plot about as wide as it is drawn
ROW, FRAME = 0.235, 0.62  # inches: a row of a chart of rows, and what stands above and below the rows
LONGEST = 26  # characters of a row's label
USUAL_LIMIT = 0.25  # of a population stability index
STYLE: Any = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.xmargin": 0.03,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
}
Curves = Mapping[str, Mapping[str, Sequence[float]]]
Rows = Sequence[Mapping[str, Any]]
Corner = Literal["upper left", "upper right", "lower right"]
Plot = TypeVar("Plot", bound=Callable[..., Markup])


def once(plot: Plot) -> Plot:
    """A plot that is drawn once for the same figures: a page is made again when its version is decided about, and when it is checked."""

    @lru_cache(maxsize=8)
    def drawn(figures: str) -> Markup:
        return plot(*json.loads(figures))

    @wraps(plot)
    def of(*figures: Any) -> Markup:
        return drawn(json.dumps(figures))

    return cast("Plot", of)


@once
def roc(curves: Curves, areas: Mapping[str, float | None]) -> Markup:
    """Receiver operating characteristic. `areas` has the area under each curve, by the curve's name."""

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":", label="by chance")
        _curves(axes, curves, areas)
        _frame(axes, "false positive rate", "true positive rate", legend="lower right")

    return _svg("roc", f"ROC curve: true against false positive rate. {_spoken(areas, _names(curves))}", SQUARE, draw)


@once
def precision_recall(curves: Curves, positive_share: float | None) -> Markup:
    """Precision against recall; `positive_share` is the precision of choosing rows by chance."""

    def draw(axes: Axes) -> None:
        if positive_share is not None:
            axes.axhline(positive_share, color=MUTED, linewidth=1, linestyle=":", label=f"by chance {positive_share:.3f}")
        _curves(axes, curves, {})
        _frame(axes, "recall", "precision", legend="upper right")

    return _svg("precision-recall", "Precision-recall curve.", SQUARE, draw)


@once
def reliability(curves: Curves) -> Markup:
    """The share of positives against the mean score, a point for each tenth of the rows."""

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":", label="perfectly calibrated")
        for name, curve in _named(curves):
            axes.plot(curve["score"], curve["positive"], marker="o", markersize=4.5, label=name, **_look(name))
        top = max((value for _, curve in _named(curves) for axis in ("score", "positive") for value in curve[axis]), default=1.0)
        axes.set(xlim=(0, top * 1.05 or 1), ylim=(0, top * 1.05 or 1))
        _frame(axes, "mean score", "share of positives", legend="upper left")

    points = "; ".join(
        f"{name}: " + ", ".join(f"{x:.2f} to {y:.2f}" for x, y in zip(c["score"], c["positive"], strict=True)) for name, c in _named(curves)
    )
    return _svg("reliability", f"Reliability: mean score to share of positives. {points}", SQUARE, draw)


@once
def scores(distribution: Mapping[str, Any]) -> Markup:
    """How the scores of held-out rows are spread, as shares of the rows."""
    edges = distribution["edges"]

    def draw(axes: Axes) -> None:
        for name in _names(distribution):
            shares = _percent(distribution[name])
            if name == "challenger":
                axes.stairs(shares, edges, fill=True, color=CHALLENGER, alpha=0.18)
            axes.stairs(shares, edges, label=name, **{**_look(name), "linewidth": 1.4})
        axes.set_ylim(bottom=0)
        _frame(axes, "score", "rows (%)", legend="upper right")

    return _svg("scores", f"Distribution of scores, {_and(_names(distribution))}, {len(edges) - 1} bins.", SQUARE, draw)


@once
def slice_areas(rows: Rows, floor: float | None) -> Markup:
    """ROC AUC of each slice, the champion's beside the challenger's; hollow where a slice is too small to be judged."""

    def draw(axes: Axes) -> None:
        if floor is not None:
            axes.axvline(floor, color=BAD, linewidth=1, linestyle="--")
        for height, row in enumerate(rows):
            _dot(axes, row["champion_roc_auc"], height, CHAMPION, marker="D", filled=row["judged"])
            _dot(axes, row["roc_auc"], height, CHALLENGER, filled=row["judged"])
        _label_rows(axes, [_slice(row) for row in rows])
        compared = any(row["champion_roc_auc"] is not None for row in rows)
        _frame(axes, "ROC AUC", "")
        _legend(axes, [*_dots(compared), *([] if floor is None else [_rule(BAD, f"floor {floor:g}")])])

    spoken = "; ".join(f"{_slice(row)} {_number(row['roc_auc'])}" for row in rows)
    return _svg("slice-areas", f"ROC AUC by slice: {spoken}", _tall(len(rows)), draw)


@once
def slice_differences(rows: Rows, least: float | None) -> Markup:
    """Challenger minus champion in each slice: the estimate and its bounds. A bar wholly left of `least` is a slice shown to be worse."""

    def draw(axes: Axes) -> None:
        axes.axvline(0, color=MUTED, linewidth=1)
        if least is not None:
            axes.axvline(least, color=BAD, linewidth=1, linestyle="--")
        for height, row in enumerate(rows):
            if row["low"] is not None and row["high"] is not None:
                shade = CHALLENGER if row["judged"] else MUTED
                axes.plot([row["low"], row["high"]], [height, height], color=shade, linewidth=1.6)
            _dot(axes, row["difference"], height, CHALLENGER, filled=row["judged"])
        _label_rows(axes, [_slice(row) for row in rows])
        _frame(axes, "ROC AUC, challenger minus champion", "")
        _legend(axes, [_mark(CHALLENGER, "estimate, bounds"), *([] if least is None else [_rule(BAD, f"margin {_minus(least)}")])])

    spoken = "; ".join(f"{_slice(row)} {_number(row['difference'])}" for row in rows)
    return _svg("slice-differences", f"Difference in ROC AUC by slice, challenger minus champion: {spoken}", _tall(len(rows)), draw)


@once
def fairness(rows: Rows) -> Markup:
    """Selection rate and true-positive rate of each group; hollow where a group is too small to be judged."""

    def draw(axes: Axes) -> None:
        for height, row in enumerate(rows):
            _dot(axes, _hundredfold(row["true_positive_rate"]), height, CHAMPION, marker="D", filled=row["judged"])
            _dot(axes, _hundredfold(row["selection_rate"]), height, CHALLENGER, filled=row["judged"])
        axes.set_xlim(left=0)
        _label_rows(axes, [_slice(row) for row in rows])
        _frame(axes, "selected (%)", "")
        _legend(axes, [_mark(CHALLENGER, "of all rows"), _mark(CHAMPION, "of the positive rows", "D")])

    spoken = "; ".join(f"{_slice(row)} {_number(row['selection_rate'])} and {_number(row['true_positive_rate'])}" for row in rows)
    return _svg("fairness", f"Selection rate and true-positive rate by group: {spoken}", _tall(len(rows)), draw)


@once
def change(rows: Rows) -> Markup:
    """Population stability index of each column against the champion's training data."""
    values = [row["psi"] for row in rows]

    def draw(axes: Axes) -> None:
        _bars(axes, [row["column"] for row in rows], values, "population stability index")
        axes.set_xlim(0, max([*values, USUAL_LIMIT]) * 1.1)
        axes.axvline(USUAL_LIMIT, color=BAD, linewidth=1, linestyle="--")
        _legend(axes, [_rule(BAD, f"from {USUAL_LIMIT} on usually read as another population")])

    spoken = "; ".join(f"{row['column']} {row['psi']:.3f}" for row in rows)
    return _svg("change", f"Change of each column, population stability index: {spoken}", _tall(len(rows)), draw)


@once
def importance(rows: Rows) -> Markup:
    """The mean size of each column's contribution to the score."""

    def draw(axes: Axes) -> None:
        _bars(axes, [row["column"] for row in rows], [row["mean_contribution"] for row in rows], "mean |contribution| (log-odds)")
        axes.set_xlim(left=0)

    spoken = "; ".join(f"{row['column']} {row['mean_contribution']:.3f}" for row in rows)
    return _svg("importance", f"Mean contribution of each column in log-odds: {spoken}", _tall(len(rows)), draw)


@once
def trials(rows: Rows, best: str, objective: str) -> Markup:
    """The objective of each trial of a search that came to one, by the trial's number; `best` is the job of the one that won."""
    measured = [(number, row) for number, row in enumerate(rows, start=1) if row["objective"] is not None]

    def draw(axes: Axes) -> None:
        for number, row in measured:
            won = row["job"] == best
            _dot(axes, number, row["objective"], CHALLENGER if won else MUTED, marker="D" if won else "o")
        axes.set_xlim(0.5, len(rows) + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _frame(axes, "trial", objective)
        _legend(axes, [_mark(CHALLENGER, "won", "D"), _mark(MUTED, "tried")])

    spoken = "; ".join(f"{number}{' (won)' if row['job'] == best else ''} {_number(row['objective'])}" for number, row in measured)
    return _svg("trials", f"{objective} by trial: {spoken}", SQUARE, draw)


@once
def latency(percentiles: Mapping[str, float], accepted: Mapping[str, float]) -> Markup:
    """Latency percentiles in milliseconds against what is accepted, by the percentile's name."""
    names = list(percentiles)

    def draw(axes: Axes) -> None:
        for height, name in enumerate(names):
            axes.plot([percentiles[name]], [height], color=CHALLENGER, marker="o", markersize=7, linestyle="none")
            axes.annotate(f"{percentiles[name]:.3g} ms", (percentiles[name], height), (9, -3), textcoords="offset points", color=INK)
            if name in accepted:
                axes.plot([accepted[name]], [height], color=BAD, marker="|", markersize=14, markeredgewidth=2, linestyle="none")
        _label_rows(axes, names)
        axes.set_xscale("log")
        every = [value for value in (*percentiles.values(), *accepted.values()) if value > 0] or [1]
        axes.set_xlim(min(every) / 2, max(every) * 2.5)
        axes.xaxis.set_major_formatter("{x:g}")
        _frame(axes, "latency (ms, logarithmic)", "")
        _legend(axes, [_mark(CHALLENGER, "measured"), _mark(BAD, "accepted", "|")])

    limits = {name: f", accepted {limit:g} ms" for name, limit in accepted.items()}
    spoken = "; ".join(f"{name} {value:.3g} ms{limits.get(name, '')}" for name, value in percentiles.items())
    return _svg("latency", f"Latency: {spoken}", _tall(len(names)) + 2 * ROW, draw)


def _svg(name: str, label: str, height: float, draw: Callable[[Axes], None]) -> Markup:
    """Draw one plot. `label` is what a screen reader says instead."""
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()  # a person's matplotlibrc must not reach into the evidence
        mpl.rcParams.update({**STYLE, "svg.hashsalt": name})
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the reader's browser has the font, and draws the text
        figure = Figure(figsize=(WIDTH, height), dpi=72, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure.subplots())
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    body = re.search(r"</defs>(.*)</svg>", written.getvalue(), re.DOTALL)  # behind a style element that would reach into the whole page
    assert body is not None
    drawn = re.sub(r"<[^>]+>", lambda tag: _tag(tag[0]), re.sub(r">\s+<", "><", body[1].strip()))
    view = f"0 0 {WIDTH * 72:g} {height * 72:g}"
    return Markup(f'<svg class="plot" role="img" aria-label="{escape(label)}" viewBox="{view}">{drawn}</svg>')  # noqa: S704 - matplotlib escapes text


def _tag(tag: str) -> str:
    """One tag of matplotlib's, short, and coloured by the page. What people wrote stands between tags and is left alone."""
    tag = " ".join(tag.split()).replace("xlink:href", "href")
    if tag.startswith("<g id="):
        return "<g>"
    tag = re.sub(r"font-family: [^;]*; ?| transform=\"rotate\(-0 [^\"]*\"", "", tag)
    tag = re.sub(r"(\d+\.\d\d)\d+", r"\1", tag)
    return re.sub(r"#00000[1-7]", lambda found: f"var(--{VARIABLES[found[0]]})", tag)


def _curves(axes: Axes, curves: Curves, areas: Mapping[str, float | None]) -> None:
    for name, curve in _named(curves):
        area = areas.get(name)
        axes.plot(curve["x"], curve["y"], label=name if area is None else f"{name} {area:.3f}", **_look(name))
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))


def _frame(axes: Axes, x: str, y: str, *, legend: Corner | None = None) -> None:
    axes.set(xlabel=x, ylabel=y)
    if legend:
        axes.legend(loc=legend)


def _legend(axes: Axes, marks: Sequence[Line2D]) -> None:
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.legend(handles=marks, loc="outside upper right", ncols=len(marks), columnspacing=1, handletextpad=0.4)


def _bars(axes: Axes, names: Sequence[str], values: Sequence[float], unit: str) -> None:
    axes.barh(range(len(names)), values, height=0.62, color=CHALLENGER)
    _label_rows(axes, names)
    _frame(axes, unit, "")


def _label_rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), [_short(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", labelcolor=INK)
    axes.grid(visible=False, axis="y")


def _dot(axes: Axes, x: float | None, y: float, shade: str, *, marker: str = "o", filled: bool = True) -> None:
    if x is not None:
        axes.plot([x], [y], marker=marker, color=shade, markerfacecolor=shade if filled else PAPER, markersize=5.5, linestyle="none")


def _mark(shade: str, text: str, marker: str = "o") -> Line2D:
    return Line2D([], [], color=shade, marker=marker, markersize=5.5, linestyle="none", label=text)


def _rule(shade: str, text: str) -> Line2D:
    return Line2D([], [], color=shade, linewidth=1, linestyle="--", label=text)


def _dots(compared: bool) -> list[Line2D]:
    return [_mark(CHALLENGER, "challenger"), *([_mark(CHAMPION, "champion", "D")] if compared else [])]


def _look(name: str) -> dict[str, Any]:
    return {"color": CHAMPION, "linestyle": (0, (5, 2))} if name == "champion" else {"color": CHALLENGER}


def _names(parts: Mapping[str, Any]) -> list[str]:
    return [name for name in ("champion", "challenger") if parts.get(name)]


def _named(curves: Curves) -> Iterable[tuple[str, Mapping[str, Sequence[float]]]]:
    return ((name, curves[name]) for name in _names(curves))


def _percent(counts: Sequence[int]) -> list[float]:
    total = sum(counts) or 1
    return [100 * count / total for count in counts]


def _hundredfold(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _slice(row: Mapping[str, Any]) -> str:
    return f"{row['column']}: {row['group']}"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _number(value: float | None) -> str:
    return "not known" if value is None else f"{value:.3f}"


def _minus(value: float) -> str:
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")


def _spoken(areas: Mapping[str, float | None], names: Sequence[str]) -> str:
    return "; ".join(f"{name} {_number(areas.get(name))}" for name in names)


def _and(names: Sequence[str]) -> str:
    return " and ".join(names)


def _tall(rows: int) -> float:
    return FRAME + ROW * max(rows, 1)
