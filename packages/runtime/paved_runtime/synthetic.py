"""Made-up rows with the columns of a real data set, so that the road can be driven without it.

No row describes a person: each column is drawn by itself from what is known of it as a whole, and the target follows a rule over the
columns, and chance. What a cell adds to the rule is its `lift`: a number, or, where the target has classes, one for each. Standard library
only, so that it runs anywhere.
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


Lift = float | Sequence[float]


@dataclass(frozen=True, kw_only=True)
class Values:
    """A column of categories, or of booleans as the data set spells them.

    `weights` says how often each occurs, `lift` what it adds to the rule of the target.
    """

    weights: Mapping[str, float]
    lift: Mapping[str, Lift] = field(default_factory=dict)
    missing: float = 0

    def draw(self, draw: random.Random) -> tuple[str, Lift]:
        """A cell, and what it adds."""
        (value,) = draw.choices(list(self.weights), weights=list(self.weights.values()))
        return value, self.lift.get(value, 0)


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """A column of numbers between rising `quantiles`, each interval equally likely; `lift` has what each interval adds."""

    quantiles: Sequence[float]
    lift: Sequence[Lift] = ()
    whole: bool = False
    missing: float = 0

    def draw(self, draw: random.Random) -> tuple[str, Lift]:
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
    lift: Sequence[Lift] = ()
    planned: bool = False
    missing: float = 0

    def draw(self, draw: random.Random) -> tuple[str, Lift]:
        """A cell, and what it adds."""
        days = [date.fromisoformat(day).toordinal() for day in self.quantiles]
        cell, lift = Numbers(quantiles=days, lift=self.lift, whole=True).draw(draw)
        return date.fromordinal(int(cell)).isoformat(), lift


@dataclass(frozen=True, kw_only=True)
class Identifiers:
    """A column that says whose row it is: one of `count` whom nobody is called by."""

    count: int
    missing = 0

    def draw(self, draw: random.Random) -> tuple[str, Lift]:
        """A cell, and what it adds: nothing."""
        return f"made-up-{draw.randrange(self.count):06d}", 0


@dataclass(frozen=True, kw_only=True)
class Words:
    """A column of texts of `least` to `most` words that mean nothing, and of `longest` characters at most; they tell nothing."""

    least: int
    most: int
    longest: int
    missing: float = 0

    def draw(self, draw: random.Random) -> tuple[str, Lift]:
        """A cell, and what it adds: nothing."""
        words = draw.choices(VOCABULARY, k=draw.randint(self.least, self.most))
        return " ".join(words)[: self.longest].strip(), 0


Column = Values | Numbers | Dates | Words | Identifiers


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A target of two values; `intercept` is the log-odds of the positive one where no column adds anything."""

    target: str
    positive: str
    negative: str
    intercept: float

    def draw(self, lifts: Sequence[Lift], draw: random.Random) -> str:
        """A cell, in a row whose columns add these log-odds."""
        log_odds = self.intercept + sum(map(_number, lifts))
        return self.positive if draw.random() < 1 / (1 + math.exp(-log_odds)) else self.negative


@dataclass(frozen=True, kw_only=True)
class Classes:
    """A target of several values; `intercepts` has the logarithm of how likely each is, but for a factor, where no column adds anything."""

    target: str
    intercepts: Mapping[str, float]

    def draw(self, lifts: Sequence[Lift], draw: random.Random) -> str:
        """A cell, in a row whose columns add these logarithms, one for each value; a single number adds nothing."""
        logarithms = list(self.intercepts.values())
        for lift in lifts:
            if isinstance(lift, Sequence):
                logarithms = [each + added for each, added in zip(logarithms, lift, strict=True)]
        largest = max(logarithms)
        (cell,) = draw.choices(list(self.intercepts), weights=[math.exp(each - largest) for each in logarithms])
        return cell


@dataclass(frozen=True, kw_only=True)
class Amount:
    """A target of numbers. What the columns add, and normal chance with the standard deviation `noise`, is a row's place among others.

    `places` and `numbers` are rising and equally many: at a place of the one, the number is that of the other, between two places one
    between their numbers. So numbers are spread as `numbers` says, whatever the columns add.
    """

    target: str
    places: Sequence[float]
    numbers: Sequence[float]
    noise: float
    whole: bool = False

    def draw(self, lifts: Sequence[Lift], draw: random.Random) -> str:
        """A cell, in a row whose columns add this."""
        number = self.at(sum(map(_number, lifts)) + draw.gauss(0, self.noise))
        cell = str(round(number)) if self.whole else f"{number:.{PLACES}g}"
        return cell if self.numbers[0] <= float(cell) <= self.numbers[-1] else repr(number)  # rounding may take it out of the range

    def at(self, place: float) -> float:
        """The number at a place."""
        if not self.places[0] < place < self.places[-1]:
            return self.numbers[0] if place <= self.places[0] else self.numbers[-1]
        above = bisect.bisect_right(self.places, place)
        low, high = self.places[above - 1], self.places[above]
        return self.numbers[above - 1] + (place - low) / (high - low) * (self.numbers[above] - self.numbers[above - 1])


Target = Outcome | Classes | Amount


def write(file: Path, columns: Mapping[str, Column], target: Target, *, count: int, seed: int, time: str = "") -> None:
    """Write `count` rows as CSV with a header; the same seed gives the same rows.

    `time` names the column with the date of the decision, where there is one: no date that is not planned lies after it.
    """
    draw = random.Random(seed)  # noqa: S311 - repeatable, not secret
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*columns, target.target])
        writer.writerows(_row(columns, target, draw, time) for _ in range(count))


def _row(columns: Mapping[str, Column], target: Target, draw: random.Random, time: str) -> list[str]:
    cells, lifts = [], list[Lift]()
    for column in columns.values():
        cell, lift = column.draw(draw)
        if column.missing and draw.random() < column.missing:
            cell, lift = "", 0
        cells.append(cell)
        lifts.append(lift)
    answer = target.draw(lifts, draw)
    if time:
        latest = cells[list(columns).index(time)]
        cells = [min(cell, latest) if _happened(column) else cell for cell, column in zip(cells, columns.values(), strict=True)]
    return [*cells, answer]


def _number(lift: Lift) -> float:
    """What a cell adds where the target has no classes."""
    assert isinstance(lift, int | float)
    return lift


def _happened(column: Column) -> bool:
    return isinstance(column, Dates) and not column.planned


def program(columns: Mapping[str, Column], target: Target, time: str = "") -> None:
    """`python synthetic.py --rows N --seed S --out FILE`: what a model's own module does. `time` as in `write`."""
    parser = argparse.ArgumentParser(description="Write a synthetic data set with the columns of this model.")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    write(arguments.out, columns, target, count=arguments.rows, seed=arguments.seed, time=time)
