"""Made-up rows with the columns of a real data set, so that the road can be driven without it.

No row describes a person: each column is drawn by itself from what is known of it as a whole, and the outcome follows a logistic rule over
the columns, and chance. Standard library only, so that it runs anywhere.
"""

from __future__ import annotations

import argparse
import bisect
import csv
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

PLACES = 6  # significant digits of a number
VOCABULARY = (
    "lorem",
    "ipsum",
    "dolor",
    "sit",
    "amet",
    "consectetur",
    "adipiscing",
    "elit",
    "sed",
    "do",
    "eiusmod",
    "tempor",
    "ut",
    "labore",
)


@dataclass(frozen=True, kw_only=True)
class Values:
    """A column of categories, or of booleans as the data set spells them.

    `weights` says how often each occurs, `lift` what it adds to the log-odds of the outcome.
    """

    weights: Mapping[str, float]
    lift: Mapping[str, float] = field(default_factory=dict)
    missing: float = 0

    def draw(self, draw: random.Random) -> tuple[str, float]:
        """A cell, and what it adds."""
        (value,) = draw.choices(list(self.weights), weights=list(self.weights.values()))
        return value, self.lift.get(value, 0)


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """A column of numbers between rising `quantiles`, each interval equally likely; `lift` has each interval's part of the log-odds."""

    quantiles: Sequence[float]
    lift: Sequence[float] = ()
    whole: bool = False
    missing: float = 0

    def draw(self, draw: random.Random) -> tuple[str, float]:
        """A cell, and what it adds."""
        place = draw.random() * (len(self.quantiles) - 1)
        low, high = self.quantiles[int(place)], self.quantiles[int(place) + 1]
        number = low + (place - int(place)) * (high - low)
        if self.whole:
            number = round(number)
        interval = min(bisect.bisect_right(self.quantiles, number), len(self.quantiles) - 1) - 1
        cell = str(number) if self.whole else f"{number:.{PLACES}g}"
        if not self.quantiles[0] <= float(cell) <= self.quantiles[-1]:
            cell = repr(number)  # rounding took it out of the range
        return cell, self.lift[max(0, interval)] if self.lift else 0


@dataclass(frozen=True, kw_only=True)
class Dates:
    """A column of dates between rising `quantiles`, written as 2026-11-30; all else as in `Numbers`. `planned` as `model.toml` says it."""

    quantiles: Sequence[str]
    lift: Sequence[float] = ()
    planned: bool = False
    missing: float = 0

    def draw(self, draw: random.Random) -> tuple[str, float]:
        """A cell, and what it adds."""
        days = [date.fromisoformat(day).toordinal() for day in self.quantiles]
        cell, lift = Numbers(quantiles=days, lift=self.lift, whole=True).draw(draw)
        return date.fromordinal(int(cell)).isoformat(), lift


@dataclass(frozen=True, kw_only=True)
class Identifiers:
    """A column that says whose row it is: one of `count` whom nobody is called by."""

    count: int
    missing = 0

    def draw(self, draw: random.Random) -> tuple[str, float]:
        """A cell, and what it adds: nothing."""
        return f"made-up-{draw.randrange(self.count):06d}", 0


@dataclass(frozen=True, kw_only=True)
class Words:
    """A column of texts of `least` to `most` words that mean nothing, and of `longest` characters at most; they tell nothing."""

    least: int
    most: int
    longest: int
    missing: float = 0

    def draw(self, draw: random.Random) -> tuple[str, float]:
        """A cell, and what it adds: nothing."""
        words = draw.choices(VOCABULARY, k=draw.randint(self.least, self.most))
        return " ".join(words)[: self.longest].strip(), 0


Column = Values | Numbers | Dates | Words | Identifiers


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The target column: its two values, and the log-odds of the positive one where no column adds anything."""

    target: str
    positive: str
    negative: str
    intercept: float


def write(file: Path, columns: Mapping[str, Column], outcome: Outcome, *, count: int, seed: int, time: str = "") -> None:
    """Write `count` rows as CSV with a header; the same seed gives the same rows.

    `time` names the column with the date of the decision, where there is one: no date that is not planned lies after it.
    """
    draw = random.Random(seed)  # noqa: S311 - repeatable, not secret
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*columns, outcome.target])
        writer.writerows(_row(columns, outcome, draw, time) for _ in range(count))


def _row(columns: Mapping[str, Column], outcome: Outcome, draw: random.Random, time: str) -> list[str]:
    cells, log_odds = [], outcome.intercept
    for column in columns.values():
        cell, lift = column.draw(draw)
        if column.missing and draw.random() < column.missing:
            cell, lift = "", 0
        cells.append(cell)
        log_odds += lift
    positive = draw.random() < 1 / (1 + math.exp(-log_odds))
    if time:
        latest = cells[list(columns).index(time)]
        cells = [min(cell, latest) if _happened(column) else cell for cell, column in zip(cells, columns.values(), strict=True)]
    return [*cells, outcome.positive if positive else outcome.negative]


def _happened(column: Column) -> bool:
    return isinstance(column, Dates) and not column.planned


def program(columns: Mapping[str, Column], outcome: Outcome, time: str = "") -> None:
    """`python synthetic.py --rows N --seed S --out FILE`: what a model's own module does. `time` as in `write`."""
    parser = argparse.ArgumentParser(description="Write a synthetic data set with the columns of this model.")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    write(arguments.out, columns, outcome, count=arguments.rows, seed=arguments.seed, time=time)
