"""The page's plots: SVG written by hand, coloured by the page's CSS, so that one plot reads well in light, dark and print."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

WIDTH, NAMES, END = 360, 118, 48  # pixels, about as wide as a phone; of them for names, and for figures behind bars
ROW, BAR, HEAD = 24, 8, 20
LONGEST, MOST = 18, 30  # characters of a name; rows of a plot
SQUARE, LEFT, BELOW = 300, 44, 34


def shares(column: Mapping[str, Any]) -> Markup:
    """A column's or the scores' bins: a bar for the share that was expected, and one for the share that was found."""
    bins, expected, found = column["bins"], column["expected"], column["found"]
    kept = sorted(sorted(range(len(bins)), key=lambda n: -max(expected[n], found[n]))[:MOST])
    most = max([*expected, *found, 0.01])
    drawn = [_legend(("expected", "champion"), ("found", "challenger"))]
    for row, n in enumerate(kept):
        top = HEAD + ROW * row
        drawn.append(_name(bins[n], top))
        drawn += [_bar(top + 3, expected[n] / most, "champion"), _bar(top + 3 + BAR, found[n] / most, "challenger")]
        drawn.append(_figure(top + 15, max(expected[n], found[n]) / most, _percent(found[n])))
    spoken = "; ".join(f"{bins[n]} {_percent(expected[n])} expected, {_percent(found[n])} found" for n in kept)
    return _svg(f"Share of the rows in each bin: {spoken}", WIDTH, HEAD + ROW * len(kept), drawn)


def changes(columns: Mapping[str, Mapping[str, Any]], limit: float) -> Markup:
    """The population stability index of each column, the greatest first, and the limit above which one counts."""
    rows = sorted(((name, column) for name, column in columns.items() if column["psi"] is not None), key=lambda row: -row[1]["psi"])[:MOST]
    most = max([limit, *(column["psi"] for _, column in rows)]) * 1.05
    at = NAMES + limit / most * (WIDTH - NAMES - END)
    drawn = [f'<text class="muted" x="{at:.1f}" y="12" text-anchor="middle">accepted {limit:g}</text>']
    for row, (name, column) in enumerate(rows):
        top = HEAD + ROW * row
        drawn.append(_name(name, top))
        drawn.append(_bar(top + 6, column["psi"] / most, "bad" if column["moved"] else "challenger", 11))
        drawn.append(_figure(top + 15, column["psi"] / most, f"{column['psi']:.3f}"))
    drawn.append(f'<line class="limit" x1="{at:.1f}" x2="{at:.1f}" y1="{HEAD - 3}" y2="{HEAD + ROW * len(rows)}"/>')
    spoken = "; ".join(f"{name} {column['psi']:.3f}" for name, column in rows)
    return _svg(f"Population stability index of each column, accepted is {limit:g}: {spoken}", WIDTH, HEAD + ROW * len(rows), drawn)


def reliability(bins: Mapping[str, Sequence[float]], outcome: str) -> Markup:
    """What became of the rows against their mean score, a point for each tenth of the labelled rows; `outcome` says what that is."""
    points = list(zip(bins["score"], bins["positive"], strict=True))
    low, high = _range([value for point in points for value in point])

    def x(value: float) -> float:
        return LEFT + (value - low) / (high - low) * SQUARE

    def y(value: float) -> float:
        return 10 + (high - value) / (high - low) * SQUARE

    drawn = []
    for step in range(5):
        value = low + (high - low) * step / 4
        drawn.append(f'<line class="grid" x1="{LEFT}" x2="{LEFT + SQUARE}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>')
        drawn.append(f'<text class="muted" x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{_short(value)}</text>')
        drawn.append(f'<text class="muted" x="{x(value):.1f}" y="{SQUARE + 26}" text-anchor="middle">{_short(value)}</text>')
    drawn.append(f'<line class="chance" x1="{x(low):.1f}" y1="{y(low):.1f}" x2="{x(high):.1f}" y2="{y(high):.1f}"/>')
    path = " ".join(f"{x(score):.1f},{y(positive):.1f}" for score, positive in points)
    drawn.append(f'<polyline class="curve" points="{path}"/>')
    drawn += [f'<circle class="challenger" cx="{x(score):.1f}" cy="{y(positive):.1f}" r="4"/>' for score, positive in points]
    drawn.append(f'<text class="muted" x="{LEFT + SQUARE / 2}" y="{SQUARE + 42}" text-anchor="middle">mean score</text>')
    side = f'transform="translate(11 {10 + SQUARE / 2}) rotate(-90)"'
    drawn.append(f'<text class="muted" {side} text-anchor="middle">{escape(outcome)}</text>')
    spoken = "; ".join(f"{score:.3g} to {positive:.3g}" for score, positive in points)
    return _svg(f"Reliability, mean score to {outcome}: {spoken}", LEFT + SQUARE + 16, SQUARE + BELOW + 14, drawn)


def _svg(label: str, width: int, height: int, drawn: Sequence[str]) -> Markup:
    """A plot; `label` is what a screen reader says instead."""
    tag = f'<svg class="plot" role="img" aria-label="{escape(label)}" viewBox="0 0 {width} {height}">'
    return Markup(f"{tag}{''.join(drawn)}</svg>")  # noqa: S704 - every text in it was escaped where it was written


def _name(name: str, top: float) -> str:
    short = name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
    return f'<text x="{NAMES - 8}" y="{top + 15}" text-anchor="end">{escape(short)}</text>'


def _bar(top: float, share: float, shade: str, height: int = BAR) -> str:
    return f'<rect class="{shade}" x="{NAMES}" y="{top}" width="{max(_reach(share), 0.5):.1f}" height="{height}"/>'


def _figure(bottom: float, share: float, figure: str) -> str:
    return f'<text class="muted" x="{NAMES + _reach(share) + 5:.1f}" y="{bottom}">{figure}</text>'


def _reach(share: float) -> float:
    return share * (WIDTH - NAMES - END)


def _legend(*entries: tuple[str, str]) -> str:
    each = [
        f'<rect class="{shade}" x="{NAMES + 82 * n}" y="3" width="10" height="8"/><text x="{NAMES + 14 + 82 * n}" y="12">{name}</text>'
        for n, (name, shade) in enumerate(entries)
    ]
    return "".join(each)


def _range(values: Sequence[float]) -> tuple[float, float]:
    """The ends of both axes: from 0 to a little more than the highest value, and round; where there is less, from the lowest."""
    low, high = min(*values, 0.0), max(values)
    if low == 0 and 0 < high <= 1:
        return 0.0, next((end for end in (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8) if high <= end), 1.0)
    size = max(abs(low), abs(high), 1e-9)
    step = 10 ** math.floor(math.log10(size)) / 2
    return math.floor(low / step) * step, max(math.ceil(high / step) * step, math.floor(low / step) * step + step)


def _short(value: float) -> str:
    """A number beside an axis: in thousands, millions and so on where it is large, so that it has room."""
    for size, name in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= 10 * size or (abs(value) >= size and size > 1e3):
            return f"{value / size:.3g}{name}"
    return f"{value:.4g}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"
