"""What `--shift` does to rows: the world as it may become, so that drift can be watched before it happens by itself.

    age=+10          every number more or less, every date so many days later or earlier: + and -
    balance=*1.5     or by a factor
    contact=cellular every cell has this value
    default=yes:0.4  this value in 40 % of the rows
    balance=:0.3     empty in 30 % of the rows, where model.toml lets cells be empty

Numbers and dates stay in the range that model.toml accepts: what is outside would be refused, and shows as refused requests, not as drift.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cli.problem import Problem
from cli.rows import Row
from paved_runtime import dates, rules
from paved_runtime.spec import Boolean, Category, Column, Date, Integer, ModelSpec, Number, Text

ARITHMETIC = re.compile(r"([+\-*])(\d+\.?\d*|\.\d+)", re.ASCII)
SHARED = re.compile(r"(?P<value>.*?)(?::(?P<share>1|0?\.\d+|0))?", re.ASCII | re.DOTALL)


@dataclass(frozen=True)
class Shift:
    """One column's change. `change` gets a cell, which is not empty, and gives the new one; a `share` of the rows is changed."""

    column: str
    change: Callable[[str], str]
    share: float = 1

    def apply(self, rows: Sequence[Row], draw: random.Random) -> list[Row]:
        """The rows, changed. The same state of `draw` chooses the same rows."""
        return [{**row, self.column: self.change(row[self.column])} if self._chosen(row, draw) else row for row in rows]

    def _chosen(self, row: Row, draw: random.Random) -> bool:
        return draw.random() < self.share and row[self.column] != ""


def parse(text: str, model: ModelSpec) -> Shift:
    """One `COLUMN=CHANGE`. Raises Problem: there is no such column, or the change is none that it can have."""
    name, equals, change = text.partition("=")
    if not equals or name not in model.stored_columns:
        raise _wrong(text, f"expected COLUMN=CHANGE with one of {', '.join(model.stored_columns)}")
    column = model.stored_columns[name]
    arithmetic = ARITHMETIC.fullmatch(change)
    if arithmetic and isinstance(column, Date):
        return Shift(name, _later(arithmetic[1], arithmetic[2], column, text))
    if arithmetic and isinstance(column, Integer | Number):
        return Shift(name, _calculated(arithmetic[1], float(arithmetic[2]), column))
    parts = SHARED.fullmatch(change)
    assert parts is not None  # it matches any text
    value, share = parts["value"], float(parts["share"] or 1)
    if value == "" and not column.missing:
        raise _wrong(text, f"model.toml lets no cell of {name} be empty")
    if value and (why := _refusal(value, column)):
        raise _wrong(text, f"expected {why}, found {value!r}")
    return Shift(name, lambda _: value, share)


def apply(shifts: Sequence[Shift], rows: Sequence[Row], seed: int) -> list[Row]:
    """The rows after every shift, in that order."""
    shifted = list(rows)
    for number, shift in enumerate(shifts):
        shifted = shift.apply(shifted, random.Random(f"{seed}/{number}"))  # noqa: S311 - repeatable, not secret
    return shifted


def _later(sign: str, by: str, column: Date, text: str) -> Callable[[str], str]:
    if sign == "*" or not by.isdecimal():
        raise _wrong(text, f"expected {_refusal('', column)}")
    (first, last), days = column.days, int(f"{sign}{by}")
    return lambda cell: dates.written(min(max(dates.days(cell) + days, first), last))


def _calculated(sign: str, by: float, column: Integer | Number) -> Callable[[str], str]:
    least, most, whole = column.minimum, column.maximum, isinstance(column, Integer)

    def change(cell: str) -> str:
        number = float(cell)
        moved = min(max({"+": number + by, "-": number - by, "*": number * by}[sign], least), most)
        return str(round(moved)) if whole else repr(moved)

    return change


def _refusal(value: str, column: Column) -> str:
    """What would have been accepted, when `value` is not."""
    if isinstance(column, Category | Boolean):
        return "" if value in column.cells else f"one of {', '.join(map(repr, column.cells))}"
    if isinstance(column, Date | Text):
        days = "+N or -N days or " if isinstance(column, Date) else ""
        return "" if rules.accepts(rules.of(column), value) else f"{days}{rules.of(column).expected}"
    expected = f"+N, -N, *N or a number between {column.minimum} and {column.maximum}"
    try:
        number = float(value)
    except ValueError:
        return expected
    fits = column.minimum <= number <= column.maximum and (not isinstance(column, Integer) or number.is_integer())
    return "" if fits else expected


def _wrong(text: str, why: str) -> Problem:
    return Problem(f"--shift {text}", why, "./road traffic --help tells how a shift is written", code=2)
