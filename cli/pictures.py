"""The story's pictures: what the monitor saw, how the challenger compares, and the hand-over from version to version."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.candidate import Candidate
from cli.monitoring import Look
from paved_runtime.spec import ModelSpec
from pipelines.evidence import wording

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

QUIET, MOVED, NEW, LINE = "#9aa5b1", "#c2410c", "#0f766e", "#d9dee3"
BINS = 14  # of a column, at most; more have labels that nobody can read
TITLES = {
    "calm": "Traffic like the data set: nothing moves",
    "drift": "The world has moved, and the monitor has found where",
    "after": "The new version knows the world: nothing moves",
}
Answered = Mapping[str, Counter[datetime]]


def draw(folder: Path, looks: Mapping[str, Look], proof: Candidate, answered: Answered, model: ModelSpec) -> list[Path]:
    """Write every picture, numbered in the order of the story."""
    assert model.monitoring is not None
    accepted = model.monitoring.psi
    made = [
        _overview(folder / "1-calm.png", looks["calm"].report, accepted, TITLES["calm"]),
        _overview(folder / "2-drift.png", looks["drift"].report, accepted, TITLES["drift"]),
        _columns(folder / "3-what-moved.png", looks["drift"].report),
        _challenger(folder / "4-challenger.png", proof),
        _hand_over(folder / "5-canary.png", answered),
        _overview(folder / "6-after.png", looks["after"].report, accepted, TITLES["after"]),
    ]
    (folder / "monitor.json").write_text(json.dumps({name: look.report for name, look in looks.items()}, indent=1) + "\n")
    return made


def _overview(file: Path, report: Mapping[str, Any], accepted: float, title: str) -> Path:
    """Every column's population stability index, the largest on top."""
    known = sorted([*report["columns"].items(), ("score", report["scores"])], key=lambda item: item[1]["psi"] or 0)
    with _figure(file, height=0.3 * len(known) + 1.2) as figure:
        axes = figure.add_subplot()
        colours = [MOVED if column["moved"] else QUIET for _, column in known]
        axes.barh([name for name, _ in known], [column["psi"] or 0 for _, column in known], color=colours)
        axes.axvline(accepted, color=MOVED, linewidth=1, linestyle="--")
        axes.set_xlim(0, max(3 * accepted, 1.1 * (known[-1][1]["psi"] or 0)))
        axes.annotate(f"accepted {accepted:g}", (accepted, 0), xytext=(4, 2), textcoords="offset points", color=MOVED, va="bottom")
        axes.set_xlabel(f"population stability index against held-out rows of the data set, {report['rows']} rows")
        axes.set_title(title)
    return file


def _columns(file: Path, report: Mapping[str, Any]) -> Path:
    """What moved: the shares of a column's values, as expected and as found."""
    moved = sorted((item for item in report["columns"].items() if item[1]["moved"]), key=lambda item: -item[1]["psi"])
    shown = [*moved, *([("score", report["scores"])] if report["scores"]["moved"] else [])][:4]
    with _figure(file, height=2.6 * len(shown)) as figure:
        for axes, (name, column) in zip(figure.subplots(len(shown), squeeze=False)[:, 0], shown, strict=True):
            _shares(axes, column)
            axes.set_title(f"{name}: index {column['psi']:.2f}")
        figure.axes[0].legend(frameon=False)
    return file


def _shares(axes: Axes, column: Mapping[str, Any]) -> None:
    places = range(len(column["bins"]))
    axes.bar([place - 0.2 for place in places], column["expected"], 0.4, color=QUIET, label="held-out rows")
    axes.bar([place + 0.2 for place in places], column["found"], 0.4, color=MOVED, label="traffic")
    axes.set_xticks(
        list(places),
        column["bins"],
        rotation=30 if len(column["bins"]) > BINS // 2 else 0,
        ha="right" if len(column["bins"]) > BINS // 2 else "center",
    )
    axes.set_ylabel("share of rows")
    axes.set_ylim(0)


def _challenger(file: Path, proof: Candidate) -> Path:
    """The headline of champion and challenger on the newer data's held-out rows, and their difference with its interval."""
    assert proof.evidence is not None
    evaluation = proof.evidence.evaluation
    champion = evaluation.champion
    assert champion is not None
    words = wording.of(evaluation.task)
    with _figure(file, height=2.6) as figure:
        left, right = figure.subplots(1, 2)
        figures = {"champion": champion.metrics.get(words.headline) or 0.0, "challenger": evaluation.metrics[words.headline].value}
        bars = left.barh(list(figures), list(figures.values()), color=[QUIET, NEW])
        left.bar_label(bars, fmt="%.4f", padding=3)
        left.set_xlim(0.5 if words.headline == "roc_auc" else min(0.0, *figures.values()), max(figures.values()) + 0.08)
        left.set_title(f"{words.title} on rows that neither saw")
        if difference := champion.difference:
            spread = [[difference.value - difference.low], [difference.high - difference.value]]
            right.errorbar([difference.value], [0], xerr=spread, fmt="o", color=NEW, capsize=5)
            right.axvline(0, color=MOVED, linewidth=1, linestyle="--")
            right.set_yticks([])
            right.set_title(f"challenger minus champion, {difference.confidence:.0%} interval")
    return file


def _hand_over(file: Path, answered: Answered) -> Path:
    """Rows a second by the version that answered them, around the time when the newer one took over."""
    versions = sorted(answered, key=lambda version: min(answered[version]))
    begin = min(answered[versions[-1]])
    with _figure(file, height=3.2) as figure:
        axes = figure.add_subplot()
        for version, colour in zip(versions[-2:], (QUIET, NEW)[-len(versions) :], strict=True):
            after = sorted(((moment - begin).total_seconds(), rows) for moment, rows in answered[version].items())
            near = [(second, rows) for second, rows in after if second >= -15]
            axes.step([second for second, _ in near], [rows for _, rows in near], where="mid", color=colour, label=f"version {version}")
        axes.set_xlabel("seconds since the newer version's first answer")
        axes.set_ylabel("rows answered a second")
        axes.set_ylim(0)
        axes.set_title("The canary: half of the traffic, then all of it")
        axes.legend(frameon=False)
    return file


@contextmanager
def _figure(file: Path, *, height: float) -> Iterator[Figure]:
    """A figure that is written when the block ends. Heights are in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # here, because matplotlib takes longer to import than most commands
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, height), layout="constrained", dpi=120)
    FigureCanvasAgg(figure)
    yield figure
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="both", color=LINE, linewidth=0.6)
        axes.set_axisbelow(True)
    figure.savefig(file)
