"""What a data set's columns are, judged from their cells: how `model.toml` would declare each, or why it is left out.

A person corrects it; so a doubtful column is left out with a sentence rather than taken in silence.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from cli import csv_files, outcomes
from cli.outcomes import CODES, LARGEST, MOSTLY, NUMERAL, SHOWN, Outcomes
from cli.problem import Problem
from paved_runtime import csv_text, dates
from paved_runtime.spec import RESERVED, Boolean, Category, Column, Date, Integer, Number, TaskName, Text

DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?|\d{1,2}\.\d{1,2}\.\d{4}|\d{1,2}/\d{1,2}/\d{4}", re.ASCII)
IDENTIFIER = re.compile(r"(^|_| )(id|uuid|guid|key|nr|no)$|(Id|ID)$")
UNFIT = re.compile(r'["\\\x00-\x1f]')  # in a column's name: requests name their cells so
CATEGORIES = 100  # values of a category, at most
OFTEN = 20  # rows that each of its values has, on average
UNREAD_DATES = "it holds dates that are not written as 2026-11-30, without a time: rewrite them, or take an age in days"
SEVERAL = 3  # words that a free text has on average, at least
LONGEST = 100_000  # characters
EARLIEST, LATEST = dates.days("1800-01-01"), dates.days("2199-12-31")  # of a proposed range


@dataclass(frozen=True)
class Excluded:
    """A column that is left out, and why."""

    why: str


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A data set: `columns` by name, what the target holds, and every cell by column."""

    file: Path
    target: str
    rows: int
    outcomes: Outcomes
    columns: Mapping[str, Column]
    excluded: Mapping[str, str]
    cells: Mapping[str, Sequence[str]]

    @property
    def task(self) -> TaskName:
        """That of its target."""
        return self.outcomes.task


def read(file: Path, *, target: str, task: TaskName | None = None, positive: str | None = None, exclude: Sequence[str] = ()) -> Profile:
    """Read a file and judge its columns; those of `exclude` are left out unread. `task` and `positive` as `outcomes.read` has them.

    Raises:
        Problem: the file cannot be read, the target is not there or no model can have it, or no column is left.
    """
    cells = _read(file)
    _names(file, cells, target, exclude)
    answers = outcomes.read(f"target {target!r} of {file}", cells[target], task=task, positive=positive)
    judged = {name: judge(name, column) for name, column in cells.items() if name not in (target, *exclude)}
    excluded = dict.fromkeys(exclude, "you asked for it")
    excluded |= {name: column.why for name, column in judged.items() if isinstance(column, Excluded)}
    columns = {name: column for name, column in judged.items() if not isinstance(column, Excluded)}
    if not columns:
        reasons = "; ".join(f"{name}: {why}" for name, why in excluded.items()) or "it has the target only"
        raise Problem(
            f"data file {file}", f"no column is left to learn from: {reasons}", "give the data set columns of numbers or categories"
        )
    return Profile(file=file, target=target, rows=len(cells[target]), outcomes=answers, columns=columns, excluded=excluded, cells=cells)


def judge(name: str, cells: Sequence[str]) -> Column | Excluded:
    """What one column is."""
    present = [cell for cell in cells if cell]
    missing, values = _missing(len(cells) - len(present), len(cells)), Counter(present)
    if UNFIT.search(name):
        return Excluded("its name has a quote, a backslash or a control character, which no request may have: rename the column")
    if len(values) + (len(present) < len(cells)) < 2:
        return Excluded("it holds one value only")
    if len(values) == 1:
        return Category(type="category", values=tuple(sorted({"", *values})))
    numerals = sum(count for value, count in values.items() if NUMERAL.fullmatch(value))
    if numerals == len(present):
        return _numeric(name, values, len(cells), missing)
    if numerals >= MOSTLY * len(present):
        odd = csv_text.shortened(next(value for value in values if not NUMERAL.fullmatch(value)), SHOWN)
        return Excluded(f"numbers and texts are mixed, such as {odd}: write missing cells as nothing")
    return _textual(values, len(cells), missing)


def _names(file: Path, cells: Mapping[str, object], target: str, exclude: Sequence[str]) -> None:
    for name in (target, *exclude):
        if name not in cells:
            raise Problem(f"column {name!r}", f"{file} has {', '.join(cells)}", "name one of them", code=2)
    if target in exclude:
        raise Problem(f"--exclude {target}", "it is the target", "name another column", code=2)
    for name in RESERVED:
        if name in cells:
            raise Problem(f"column {name!r} of {file}", "requests use this name for themselves", "rename the column in the data set")


def _read(file: Path) -> dict[str, list[str]]:
    with csv_files.rows(file) as (header, rows):
        columns: list[list[str]] = [[] for _ in header]
        for number, row in enumerate(rows, start=1):
            if len(row) != len(header):
                raise Problem(f"data file {file}", f"row {number}: expected {len(header)} cells, found {len(row)}", "correct the file")
            for column, cell in zip(columns, row, strict=True):
                column.append(cell)
    if not columns[0]:
        raise Problem(f"data file {file}", "it has a header and no rows", "name a file with rows")
    return dict(zip(header, columns, strict=True))


def _numeric(name: str, values: Counter[str], rows: int, missing: float) -> Column | Excluded:
    numbers = [float(value) for value in values]
    whole = all(map(float.is_integer, numbers))
    if not all(map(math.isfinite, numbers)) or max(map(abs, numbers)) > LARGEST:
        return Excluded("it has numbers that are too large to be exact")
    if len(set(numbers)) < 2 and not missing:
        return Excluded("it holds one value only")
    if (whole and len(values) == rows) or (IDENTIFIER.search(name) and len(values) >= MOSTLY * rows):
        return Excluded("another value in every row: an identifier")
    if whole and _dates(values):
        return Excluded(UNREAD_DATES)
    if whole and len(values) <= CODES and len(set(numbers)) == len(values):
        return Category(type="category", values=tuple(sorted(values, key=float)), missing=missing)
    low, high = room(min(numbers), max(numbers))
    if whole:
        return Integer(type="integer", minimum=int(low), maximum=int(high), missing=missing)
    return Number(type="number", minimum=low, maximum=high, missing=missing)


def _textual(values: Counter[str], rows: int, missing: float) -> Column | Excluded:
    if all(map(_is_date, values)):
        return _dated(sorted(values), missing)
    if sum(count for value, count in values.items() if DATE.fullmatch(value)) >= MOSTLY * values.total():
        return Excluded(UNREAD_DATES)
    if {value.casefold() for value in values} == {"true", "false"} and len(values) == 2:
        true, false = sorted(values, key=lambda value: value.casefold() != "true")
        return Boolean(type="boolean", true=true, false=false, missing=missing)
    if (len(values) > CATEGORIES or rows < OFTEN * len(values)) and _words(values) >= SEVERAL:
        return Text(type="text", maximum_length=min(int(_round(2 * max(map(len, values)), math.ceil)), LONGEST), missing=missing)
    if len(values) == rows:
        return Excluded("another text in every row: an identifier")
    if len(values) > CATEGORIES or rows < OFTEN * len(values):
        return Excluded(f"{len(values)} different texts: too many for a category of {rows} rows")
    return Category(type="category", values=tuple(sorted(values)), missing=missing)


def _dated(days: Sequence[str], missing: float) -> Date:
    """A date between whole years: as long before the first day, and after the last, as these are apart."""
    low, high = dates.days(days[0]), dates.days(days[-1])
    first, last = max(low - (high - low), EARLIEST), min(high + (high - low), LATEST)
    years = (date.fromisoformat(dates.written(day)).year for day in (first, last))
    return Date(type="date", minimum=date(next(years), 1, 1), maximum=date(next(years), 12, 31), missing=missing)


def _words(values: Counter[str]) -> float:
    """How many words a cell has on average."""
    return sum(count * len(value.split()) for value, count in values.items()) / values.total()


def _is_date(text: str) -> bool:
    try:
        dates.days(text)
    except ValueError:
        return False
    return True


def _missing(empty: int, rows: int) -> float:
    """The share of empty cells that is accepted: twice what there is and a little more; none where there is none."""
    return min(1.0, math.ceil(200 * empty / rows + 1) / 100) if empty else 0


def room(low: float, high: float, *, share: float = 1) -> tuple[float, float]:
    """The accepted range: a `share` of the values' spread beyond the largest and below the least; down to 0 where none is negative and 0 is
    near.
    """
    beyond = share * (high - low)
    least = 0.0 if 0 <= low <= high - low else low - beyond
    return _round(least, math.floor), _round(high + beyond, math.ceil)


def _round(number: float, towards: Callable[[float], int]) -> float:
    """Two digits, outwards."""
    if number == 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(abs(number))) - 1)
    return min(max(float(f"{towards(number / unit) * unit:.10g}"), -float(LARGEST)), float(LARGEST))


def _dates(values: Counter[str]) -> bool:
    """Whether whole numbers are days such as 20261129."""
    return all(len(value) == 8 and _day(value) for value in values)


def _day(value: str) -> bool:
    try:
        return 1900 <= date(int(value[:4]), int(value[4:6]), int(value[6:])).year <= 2100
    except ValueError:
        return False
