"""The story's world: a model's data set in parts, of which the later ones have moved. How, follows from the contract and the data."""

from __future__ import annotations

import random
import statistics
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path

from cli import datasets, rows, shift
from cli.datasets import DataFile
from cli.problem import Problem
from cli.rows import Row
from paved_runtime.spec import Boolean, Category, Column, Date, Integer, ModelSpec, Text

SHARES = {"first": 0.3, "calm": 0.06, "fresh": 0.25, "moved": 0.08}  # the rest is asked while versions change places
SEED = 7
SHARE, RAREST = 0.25, 0.01  # of the rows: what gets a category's rare value, and what that value has already
BINS, LEAST = 10, 0.5  # of a number; rows that an empty bin counts for
SEEN, BORNE = 2, 0.9  # of the monitor's bound and of training's: with less nobody is sure to see a shift, with more the data are refused


@dataclass(frozen=True, kw_only=True)
class World:
    """One data set, parted: what is trained on first, what is asked then, and the same once the world has moved by `shifts`."""

    shifts: Sequence[str]
    first: DataFile
    calm: Sequence[Row]
    fresh: DataFile
    moved: Sequence[Row]
    later: Sequence[Row]


def must_be_tellable(model: ModelSpec) -> None:
    """Raises Problem when nothing would see how the world moves, or nothing would come of it."""
    retraining = model.monitoring.retraining if model.monitoring else None
    if retraining is None or "drift" not in retraining.on:
        table = "[monitoring]" if model.monitoring is None else "[monitoring.retraining] on drift"
        raise Problem(f"the story of {model.name}", f"its model.toml has no {table}", "add it, or leave --story out")


def part(file: Path, model: ModelSpec, folder: Path) -> World:
    """Part a data set at random, and let the world of its later parts move. Raises Problem when no column can."""
    known = rows.read(file, model.data)
    shifts = choose_shifts(model, known)
    changes = [shift.parse(text, model) for text in shifts]
    random.Random(SEED).shuffle(known)  # noqa: S311 - repeatable, not secret
    parts: dict[str, list[Row]] = {}
    begin = 0
    for name, share in SHARES.items():
        parts[name] = known[begin : begin + round(share * len(known))]
        begin += len(parts[name])
    parts["later"] = known[begin:]
    for number, name in enumerate(("fresh", "moved", "later")):
        parts[name] = shift.apply(changes, parts[name], seed=number)
    stored = {name: datasets.check(rows.write(folder / f"{name}.csv", parts[name]), model) for name in ("first", "fresh")}
    return World(shifts=shifts, **stored, calm=parts["calm"], moved=parts["moved"], later=parts["later"])


def choose_shifts(model: ModelSpec, known: Sequence[Row]) -> tuple[str, ...]:
    """Of the contract's categories and of its numbers, dates among them, the first shift each that the monitor sees and training bears.

    A category's rarest usual value comes to a quarter of the rows; a number grows by half of its interquartile range. The same data give
    the same shifts. Raises Problem when there is none.
    """
    chosen: dict[bool, str] = {}
    for name, column in model.stored_columns.items():
        kind = isinstance(column, Category | Boolean)
        if isinstance(column, Text) or (isinstance(column, Date) and model.data.time in model.data.columns):
            continue  # a text has no more or less, and a date would come to be later than the decision
        if kind not in chosen and (text := _candidate(name, column, [row[name] for row in known])) and _fits(text, model, known):
            chosen[kind] = text
    if not chosen:
        raise Problem(f"the story of {model.name}", "no column of its data can move so that it is seen", "leave --story out")
    return tuple(chosen[kind] for kind in sorted(chosen, reverse=True))


def stability_index(before: Sequence[str], after: Sequence[str], column: Column) -> float:
    """The population stability index, Σ (p - q)·ln(p / q): of categories by their values, of numbers in deciles; empty cells are a bin."""
    edges: list[float] = []
    categorical = isinstance(column, Category | Boolean)
    if not categorical:
        numbers = [rows.number(cell, column) for cell in before if cell]
        edges = sorted(set(statistics.quantiles(numbers, n=BINS))) if len(numbers) > 1 else []

    def counts(cells: Sequence[str]) -> Counter[str]:
        return Counter(cells if categorical else (str(bisect_left(edges, rows.number(cell, column))) if cell else "" for cell in cells))

    old, new = counts(before), counts(after)
    shares = [(max(new[name], LEAST) / len(after), max(old[name], LEAST) / len(before)) for name in old | new]
    return sum((p - q) * log(p / q) for p, q in shares)


def _candidate(name: str, column: Column, cells: Sequence[str]) -> str:
    """How a column may move; empty where it cannot."""
    if isinstance(column, Category | Boolean):
        usual = [(count, value) for value, count in _usual(column, cells)]
        return f"{name}={min(usual)[1]}:{SHARE}" if len(usual) > 1 else ""
    numbers = [rows.number(cell, column) for cell in cells if cell]
    if len(numbers) < 2:
        return ""
    low, _, high = statistics.quantiles(numbers, n=4)
    half = (high - low) / 2
    if isinstance(column, Integer | Date):
        half = max(1, round(half)) if half else 0
    by = f"{half:.9f}".rstrip("0").rstrip(".")
    return f"{name}=+{by}" if float(by) else ""


def _usual(column: Category | Boolean, cells: Sequence[str]) -> Iterator[tuple[str, int]]:
    counts = Counter(cells)
    yield from ((value, counts[value]) for value in column.cells if value and counts[value] >= RAREST * len(cells))


def _fits(text: str, model: ModelSpec, known: Sequence[Row]) -> bool:
    assert model.monitoring is not None
    change = shift.parse(text, model)
    before, after = ([row[change.column] for row in part] for part in (known, shift.apply([change], known, SEED)))
    index = stability_index(before, after, model.data.columns[change.column])
    return SEEN * model.monitoring.psi <= index <= BORNE * model.data.maximum_change
