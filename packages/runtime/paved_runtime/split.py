"""Which rows are held out is a property of what the file says of them, not of their order in it, of `model.toml` or of a random state.

Rows of one person, drawn at random, stand on both sides, and a model that remembers the person looks better than it is: `group` keeps them
together. Rows of one year say how a model does in that year: `time` holds out the newest, as they will come.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paved_runtime import dates, tasks
from paved_runtime.cells import identity
from paved_runtime.digests import Digests, combined, seeded
from paved_runtime.spec import Data
from paved_runtime.table import Examples, Mask, Values
from paved_runtime.tasks.task import Task

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Parts:
    """Which rows are for training, which are held out, and which are neither: older ones of a group of which newer ones are held out."""

    train: Rows
    holdout: Rows
    left_out: Rows


def divide(examples: Examples, data: Data, order: Rows) -> Parts:
    """The parts that `model.toml` asks for, each in the given order.

    Where the column that it goes by is not there, which the data contract refuses, the parts are random ones.
    """
    groups, times = examples.groups, examples.times
    nothing = order[:0]
    if data.split == "group" and groups is not None:
        held = by_group(groups[order], share=data.holdout, seed=data.seed)
        return Parts(order[~held], order[held], nothing)
    if data.split == "time" and times is not None:
        held = newest(times[order], share=data.holdout)
        left = ~held & np.isin(groups[order], groups[order][held]) if groups is not None else np.zeros_like(held)
        return Parts(order[~held & ~left], order[held], order[left])
    return Parts(*parts(tasks.of(data).strata(examples.labels), order, share=data.holdout), nothing)


def by_group(groups: Digests, *, share: float, seed: int) -> Mask:
    """Which rows are held out: all of about a `share` of the groups.

    Each group is drawn by itself, whatever others there are: with the same seed and share it stays on its side in every later data set.
    """
    return np.asarray(seeded(groups, seed) < np.uint64(int(share * 2**64)))


def newest(times: Values, *, share: float) -> Mask:
    """Which rows are held out: the newest, as nearly a `share` of them as there can be with the rows of a day kept together."""
    days, rows = np.unique(times, return_counts=True)
    since = np.cumsum(rows[::-1])[::-1]  # rows of each day and all later ones
    first = 1 + int(np.abs(since[1:] - share * len(times)).argmin()) if len(days) > 1 else 0
    return np.asarray(times >= days[first])


def summary(examples: Examples, parts: Parts, data: Data) -> dict[str, Any]:
    """How the rows were parted, as data.json says it: in counts, and in first and last dates where `data.time` names them.

    `repeated` held-out rows are equal to a training row in all that the model is given, and in the outcome.
    """
    sides = {"train": parts.train, "holdout": parts.holdout}
    rows = combined(identity(examples))
    return {
        "by": data.split,
        "seed": data.seed,
        "share": data.holdout,
        "rows": {name: len(side) for name, side in sides.items()} | {"left_out": len(parts.left_out)},
        "outcomes": {name: tasks.of(data).counts(examples.labels[side]) for name, side in sides.items()},
        "repeated": int(np.isin(rows[parts.holdout], rows[parts.train]).sum()),
        "groups": None if examples.groups is None else {name: len(np.unique(examples.groups[side])) for name, side in sides.items()},
        "dates": None if examples.times is None else {name: _span(examples.times[side]) for name, side in sides.items()},
    }


def _span(times: Values) -> list[str]:
    """The first and the last day; none without rows."""
    return [dates.written(end) for end in (times.min(), times.max())] if len(times) else []


def split(examples: Examples, task: Task, *, share: float, seed: int) -> tuple[Examples, Examples]:
    """Training and held-out rows: `share` of each outcome is held out, each part in an order of its own.

    The same rows in any order give the same two parts, in the same order.
    """
    train, holdout = parts(task.strata(examples.labels), order(examples.digests, seed=seed), share=share)
    return examples.take(train), examples.take(holdout)


def parts(strata: Rows, order: Rows, *, share: float) -> tuple[Rows, Rows]:
    """Which rows are for training and which are held out: of each stratum, the first `share` in the given order."""
    ordered = strata[order]
    held = np.zeros(len(order), dtype=bool)
    for stratum in np.unique(strata):
        rows = np.flatnonzero(ordered == stratum)
        held[rows[: round(len(rows) * share)]] = True
    return order[~held], order[held]


def order(digests: Digests, *, seed: int) -> Rows:
    """The rows in an order that says nothing about them and is the same however they come; equal rows are neighbours."""
    return np.argsort(seeded(digests, seed), kind="stable")
