"""How plots are drawn: SVG inside the page, coloured by the page's CSS, and the same bytes for the same figures.

Colours are written as place-holders while drawing and become `var(--name)` afterwards, so one plot reads well in light, dark and print.
"""

from __future__ import annotations

import io
import json
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, wraps
from typing import Any, Literal, NamedTuple, TypeVar, cast

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

INK, MUTED, LINE, CHALLENGER, CHAMPION, BAD, PAPER, *CLASSES = (f"#00000{number:x}" for number in range(1, 13))
VARIABLES = {INK: "ink", MUTED: "muted", LINE: "line", CHALLENGER: "challenger", CHAMPION: "champion", BAD: "bad", PAPER: "card"}
VARIABLES |= {shade: f"class{number}" for number, shade in enumerate(CLASSES, start=1)}
WIDTH, SQUARE = 4.6, 3.5  # inches; a point is a pixel, and a phone shows a plot about as wide as it is drawn
ROW, FRAME = 0.235, 0.62  # inches: a row of a chart of rows, and what stands above and below the rows
LONGEST = 26  # characters of a row's label
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
Numbers = Sequence[float]
Curve = Mapping[str, Numbers]
Curves = Mapping[str, Curve]  # by whose it is: the challenger's, or the champion's
Corner = Literal["upper left", "upper right", "lower left", "lower right"]
Plot = TypeVar("Plot", bound=Callable[..., Markup])


class Chart(NamedTuple):
    """A plot, its title, and what must be known to read it."""

    title: str
    note: str
    plot: Markup


def once(plot: Plot) -> Plot:
    """A plot that is drawn once for the same figures: a page is made again when its version is decided about, and when it is checked."""

    @lru_cache(maxsize=8)
    def drawn(figures: str) -> Markup:
        return plot(*json.loads(figures))

    @wraps(plot)
    def of(*figures: Any) -> Markup:
        return drawn(json.dumps(figures))

    return cast("Plot", of)


def svg(name: str, label: str, height: float, draw: Callable[[Axes], None]) -> Markup:
    """Draw one plot, `height` inches tall. `label` is what a screen reader says instead."""
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
    return re.sub(r"#00000[1-9a-c]", lambda found: f"var(--{VARIABLES[found[0]]})", tag)


def frame(axes: Axes, x: str, y: str, *, corner: Corner | None = None) -> None:
    """Name the axes, and put a legend into a corner."""
    axes.set(xlabel=x, ylabel=y)
    if corner:
        axes.legend(loc=corner)


def legend(axes: Axes, marks: Sequence[Line2D]) -> None:
    """A legend above the plot."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.legend(handles=marks, loc="outside upper right", ncols=len(marks), columnspacing=1, handletextpad=0.4)


def bars(axes: Axes, names: Sequence[str], values: Numbers, unit: str) -> None:
    """A bar a row."""
    axes.barh(range(len(names)), values, height=0.62, color=CHALLENGER)
    label_rows(axes, names)
    frame(axes, unit, "")


def label_rows(axes: Axes, names: Sequence[str]) -> None:
    """A name a row, the first on top."""
    axes.set_yticks(range(len(names)), [short(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", labelcolor=INK)
    axes.grid(visible=False, axis="y")


def plain(axes: Axes, *, x: bool = False, y: bool = False) -> None:
    """Axes of any numbers, thousands apart: `10,000`, and not 1 with a power of ten in the corner."""
    for axis, wanted in ((axes.xaxis, x), (axes.yaxis, y)):
        if wanted:
            axis.set_major_locator(MaxNLocator(5))
            axis.set_major_formatter(FuncFormatter(lambda value, _: minus(value)))


def dot(axes: Axes, x: float | None, y: float, shade: str, *, marker: str = "o", filled: bool = True) -> None:
    """A mark, hollow where it is not `filled`; none where there is no `x`."""
    if x is not None:
        axes.plot([x], [y], marker=marker, color=shade, markerfacecolor=shade if filled else PAPER, markersize=5.5, linestyle="none")


def mark(shade: str, text: str, marker: str = "o") -> Line2D:
    """A mark in a legend."""
    return Line2D([], [], color=shade, marker=marker, markersize=5.5, linestyle="none", label=text)


def rule(shade: str, text: str) -> Line2D:
    """A dashed line in a legend."""
    return Line2D([], [], color=shade, linewidth=1, linestyle="--", label=text)


def dots(*, compared: bool) -> list[Line2D]:
    """The marks of challenger and, where there is one, champion in a legend."""
    return [mark(CHALLENGER, "challenger"), *([mark(CHAMPION, "champion", "D")] if compared else [])]


def look(name: str) -> dict[str, Any]:
    """How a line of the challenger's, or of the champion's, is drawn."""
    return {"color": CHAMPION, "linestyle": (0, (5, 2))} if name == "champion" else {"color": CHALLENGER}


def names(parts: Mapping[str, Any]) -> list[str]:
    """Whose figures there are, the champion's first: what is drawn last lies on top."""
    return [name for name in ("champion", "challenger") if parts.get(name)]


def named(curves: Curves) -> Iterable[tuple[str, Curve]]:
    """Curves, with whose they are."""
    return ((name, curves[name]) for name in names(curves))


def each(drawn: Mapping[str, Any], key: str) -> dict[str, Any]:
    """What report.json's `drawn` has under a key, by whose it is."""
    return {name: parts[key] for name, parts in drawn.items()}


def percent(counts: Numbers) -> list[float]:
    """Counts as shares of all, in percent."""
    total = sum(counts) or 1
    return [100 * count / total for count in counts]


def slice_name(row: Mapping[str, Any]) -> str:
    """A row of a chart of slices or groups."""
    return f"{row['column']}: {row['group']}"


def short(text: str, longest: int = LONGEST) -> str:
    """A label that is not too long."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def number(value: float | None) -> str:
    """A figure, as it is spoken."""
    return "not known" if value is None else f"{value:.3f}"


def minus(value: float) -> str:
    """A number on an axis or in a legend, thousands apart, with a minus sign of its own."""
    return f"{value:,.6g}".replace("-", "\N{MINUS SIGN}")


def tall(rows: int) -> float:
    """The height of a chart with so many rows, in inches."""
    return FRAME + ROW * max(rows, 1)
