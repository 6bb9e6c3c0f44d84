"""What a data set's target column holds, and so which task a model of it has: two outcomes, several classes, or numbers.

Where the cells leave both open, as whole numbers of few values do, the likelier task is taken, and `why` says how to have the other.
"""

from __future__ import annotations

import math
import re
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from cli.problem import Problem
from paved_runtime import csv_text
from paved_runtime.spec import TaskName

NUMERAL = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)
SHOWN = 40  # characters of a cell
LISTED = 5  # outcomes in an error
POSITIVE = ("yes", "true", "y", "t", "1", "1.0", "positive", "bad", "default", "fraud", "churn")
CODES = 10  # whole numbers with no more values than that are taken for classes
CLASSES = 20  # texts with no more values than that are
MOST_CLASSES = 100  # that a model may have
ROWS_A_CLASS = 25  # at least: with fewer, nothing can be said of a class
LEAST_ROWS = 2 * ROWS_A_CLASS  # of numbers
MOSTLY = 0.95
LARGEST = 2**53
AS_NUMBERS, AS_CLASSES = "--task regression takes its values as numbers", "--task multiclass takes them as classes"


@dataclass(frozen=True, kw_only=True)
class Two:
    """Two outcomes and how often each occurs; the score is the probability of `positive`."""

    task: ClassVar[TaskName] = "binary"
    why = ""
    positive: str
    counts: Mapping[str, int]

    @property
    def negative(self) -> str:
        """The other outcome."""
        return next(outcome for outcome in self.counts if outcome != self.positive)

    @property
    def share(self) -> float:
        """That of the positive one, of the rows."""
        return self.counts[self.positive] / sum(self.counts.values())

    @property
    def rarest(self) -> float:
        """The share of the rarer outcome."""
        return min(self.share, 1 - self.share)


@dataclass(frozen=True, kw_only=True)
class Several:
    """Three classes or more, in their order, and how often each occurs."""

    task: ClassVar[TaskName] = "multiclass"
    why: str = ""
    counts: Mapping[str, int]

    @property
    def shares(self) -> dict[str, float]:
        """That of each class, of the rows."""
        rows = sum(self.counts.values())
        return {name: count / rows for name, count in self.counts.items()}

    @property
    def rarest(self) -> float:
        """The share of the rarest class."""
        return min(self.shares.values())


@dataclass(frozen=True, kw_only=True)
class Amounts:
    """Numbers, one a row."""

    task: ClassVar[TaskName] = "regression"
    rarest: ClassVar[float] = 1.0
    why: str = ""
    numbers: Sequence[float]
    whole: bool

    @cached_property
    def ordered(self) -> Sequence[float]:
        """The numbers, rising."""
        return sorted(self.numbers)

    @cached_property
    def mean(self) -> float:
        """That of the rows."""
        return statistics.fmean(self.numbers)

    @cached_property
    def deviation(self) -> float:
        """The standard deviation."""
        return statistics.pstdev(self.numbers)


Outcomes = Two | Several | Amounts


def read(what: str, cells: Sequence[str], *, task: TaskName | None = None, positive: str | None = None) -> Outcomes:
    """What the cells of a target hold; `what` names it in errors. `task` is the one that a person wants, `positive` the outcome.

    Raises:
        Problem: a cell is empty, all are the same, an outcome is spelt in two ways or too rare, or there is no such task of these cells.
    """
    counts = Counter(cells)
    empty = [row for row, cell in enumerate(cells, start=1) if not cell.strip()]
    if empty:
        raise Problem(what, f"{len(empty)} rows have none, the first is row {empty[0]}", "take those rows out, or fill them in")
    if len(counts) < 2:
        raise Problem(what, f"every row has {_short(next(iter(counts)))}", "a model needs rows of both outcomes, or of several numbers")
    outcomes = _READ[task or _likely(what, counts)](what, counts, cells)
    if positive is None or not isinstance(outcomes, Two):
        if positive is not None:
            raise Problem(f"--positive {positive}", f"{what} is that of {outcomes.task}, which has none", "leave it out", code=2)
        return outcomes
    if positive not in counts:
        raise Problem(f"--positive {positive}", f"{what} has {' and '.join(map(_short, counts))}", "name one", code=2)
    return Two(positive=positive, counts=outcomes.counts)


def _likely(what: str, counts: Counter[str]) -> TaskName:
    """The task of cells of which nobody says it."""
    if len(counts) == 2:
        return "binary"
    if not all(map(NUMERAL.fullmatch, counts)):
        _one_spelling(what, counts)
        if len(counts) > CLASSES:
            advice = f"choose a target of two outcomes, up to {CLASSES} classes, or numbers"
            advice += f"; --task multiclass takes up to {MOST_CLASSES}" if len(counts) <= MOST_CLASSES else ""
            raise Problem(what, _mixed(counts) or f"it has {len(counts)} texts: {_listed(counts)}", advice)
        return "multiclass"
    return "multiclass" if len(counts) <= CODES and _whole(counts) and min(counts.values()) >= ROWS_A_CLASS else "regression"


def _two(what: str, counts: Counter[str], cells: Sequence[str]) -> Two:
    del cells
    if len(counts) > 2:
        _one_spelling(what, counts)
        found = f"it has {len(counts)} values: {_listed(counts)}"
        raise Problem(what, found, "choose a target with two outcomes, or leave --task binary out", code=2)
    _one_spelling(what, counts)
    usual = [outcome for word in POSITIVE for outcome in counts if outcome.strip().casefold() == word]
    return Two(positive=usual[0] if usual else counts.most_common()[-1][0], counts=counts)


def _several(what: str, counts: Counter[str], cells: Sequence[str]) -> Several:
    del cells
    _one_spelling(what, counts)
    numerals = all(map(NUMERAL.fullmatch, counts))
    if not 2 < len(counts) <= MOST_CLASSES:
        why = f"it has {len(counts)} values, and a model has 3 to {MOST_CLASSES} classes"
        raise Problem(what, why, AS_NUMBERS if numerals and len(counts) > 2 else "leave --task multiclass out, or choose another target")
    name, rows = min(counts.items(), key=lambda item: item[1])
    if rows < ROWS_A_CLASS:
        advice = f"deliver {ROWS_A_CLASS} of each class, put rare ones together, or take their rows out"
        raise Problem(what, f"class {_short(name)} has {rows} row{'s' if rows > 1 else ''}", advice)
    ordered = sorted(counts, key=float) if numerals else sorted(counts)
    return Several(counts={name: counts[name] for name in ordered}, why=AS_NUMBERS if numerals else "")


def _amounts(what: str, counts: Counter[str], cells: Sequence[str]) -> Amounts:
    odd = next((cell for cell in counts if not NUMERAL.fullmatch(cell)), None)
    if odd is not None:
        raise Problem(what, _mixed(counts) or f"{_short(odd)} is no number", "choose a target of numbers, or leave --task regression out")
    numbers = list(map(float, cells))
    if not all(map(math.isfinite, numbers)) or max(map(abs, numbers)) > LARGEST:
        raise Problem(what, "it has numbers that are too large to be exact", "state them in a larger unit")
    if min(numbers) == max(numbers):
        raise Problem(what, f"every row has {numbers[0]:g}", "a model needs rows of several numbers")
    if len(numbers) < LEAST_ROWS:
        raise Problem(what, f"it has {len(numbers)} rows", f"deliver {LEAST_ROWS} or more")
    classes = 2 < len(counts) <= CLASSES and min(counts.values()) >= ROWS_A_CLASS
    return Amounts(numbers=numbers, whole=_whole(counts), why=AS_CLASSES if classes else "")


_READ: Mapping[TaskName, Callable[[str, Counter[str], Sequence[str]], Outcomes]] = {
    "binary": _two,
    "multiclass": _several,
    "regression": _amounts,
}


def _one_spelling(what: str, counts: Counter[str]) -> None:
    """That no outcome is written in two ways. Raises Problem."""
    spelt: dict[object, list[str]] = {}
    numerals = len(counts) <= MOST_CLASSES and all(map(NUMERAL.fullmatch, counts))
    for outcome in counts:
        spelt.setdefault(float(outcome) if numerals else outcome.strip().casefold(), []).append(outcome)
    twins = next((group for group in spelt.values() if len(group) > 1), None)
    if twins and len(counts) <= MOST_CLASSES:
        raise Problem(what, f"{' and '.join(map(_short, twins))} are one outcome written in several ways", "write it in one way")


def _mixed(counts: Counter[str]) -> str:
    """That most cells are numbers and some are texts; nothing where it is not so."""
    numerals = sum(count for cell, count in counts.items() if NUMERAL.fullmatch(cell))
    if numerals < MOSTLY * counts.total():
        return ""
    return f"numbers and texts are mixed, such as {_short(next(cell for cell in counts if not NUMERAL.fullmatch(cell)))}"


def _whole(counts: Counter[str]) -> bool:
    return all(float(cell).is_integer() for cell in counts)


def _listed(counts: Counter[str]) -> str:
    shown = ", ".join(_short(cell) for cell, _ in counts.most_common(LISTED))
    return f"{shown}{', …' if len(counts) > LISTED else ''}"


def _short(cell: str) -> str:
    return csv_text.shortened(cell, SHOWN)
