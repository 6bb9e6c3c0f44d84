"""What one column accepts, in one place: training data, JSON requests and CSV requests are judged by the same rules.

Every accepted value becomes one float: a number stays itself, a category becomes its position in `model.toml`, a boolean 0 or 1, a date its
days since 1970-01-01, nothing becomes NaN.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from paved_runtime import dates
from paved_runtime.spec import Boolean, Category, Column, Data, Date, Integer, Text, alike

Value = bool | int | float | str | None
_NUMERAL = r"[-+]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][-+]?\d++)?"  # in one way only, or a wrong line would be tried over and over
NUMERAL = re.compile(_NUMERAL, re.ASCII)
SURROGATE = re.compile("[\ud800-\udfff]")  # half a character, which no UTF-8 has
NUMERALS = re.compile(rf"(?:{_NUMERAL}\n)*+", re.ASCII)  # one a line


class RuleError(ValueError):
    """A value that breaks its column's rule. `broken` is `type`, `range` or `category`."""

    def __init__(self, broken: str) -> None:
        super().__init__(broken)
        self.broken = broken


class Rule(Protocol):
    """One column's rule. `expected` says in words what is accepted, `breaks` how a CSV cell may break it."""

    @property
    def expected(self) -> str: ...

    @property
    def breaks(self) -> tuple[str, ...]: ...

    def parse(self, cell: str) -> float:
        """The float of a CSV cell. Raises RuleError."""

    def parse_all(self, cells: Sequence[str]) -> NDArray[np.float64]:
        """The same of many cells, all at once: float64 [cells]. Raises RuleError where `parse` would of any of them."""

    def read(self, value: object) -> float:
        """The float of a JSON value. Raises RuleError."""

    def write(self, number: float) -> Value:
        """The JSON value that reads back as `number`."""

    def spell(self, number: float) -> Value:
        """What the CSV cell has in it that is parsed as `number`."""


@dataclass(frozen=True)
class NumberRule:
    """Numbers from `minimum` to `maximum`, both included; `whole` ones only if asked."""

    minimum: float
    maximum: float
    whole: bool
    breaks = ("type", "range")

    @property
    def expected(self) -> str:
        return f"{'an integer' if self.whole else 'a number'} between {self.minimum} and {self.maximum}"

    def parse(self, cell: str) -> float:
        if not NUMERAL.fullmatch(cell):
            raise RuleError("type")
        return self._accept(float(cell))

    def parse_all(self, cells: Sequence[str]) -> NDArray[np.float64]:
        lines = "\n".join([*cells, ""])
        if lines.count("\n") != len(cells) or not NUMERALS.fullmatch(lines):
            raise RuleError("type")
        numbers = np.array(list(map(float, cells)), dtype=np.float64)
        if not ((self.minimum <= numbers) & (numbers <= self.maximum)).all():
            raise RuleError("range")
        if self.whole and (numbers != np.floor(numbers)).any():
            raise RuleError("type")
        return numbers + 0.0  # as in `_accept`

    def read(self, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise RuleError("type")
        try:
            return self._accept(float(value))
        except OverflowError as error:
            raise RuleError("range") from error

    def write(self, number: float) -> Value:
        return int(number) if self.whole else float(number)

    spell = write

    def _accept(self, number: float) -> float:
        if self.whole and math.isfinite(number) and not number.is_integer():
            raise RuleError("type")
        if not self.minimum <= number <= self.maximum:
            raise RuleError("range")
        return number + 0.0  # -0.0 becomes 0.0: equal rows have equal bytes


@dataclass(frozen=True)
class CategoryRule:
    """One of a few texts, spelt exactly so."""

    codes: Mapping[str, float]
    breaks = ("category",)

    @property
    def expected(self) -> str:
        return "one of " + ", ".join(repr(value) for value in self.codes)

    def parse(self, cell: str) -> float:
        return self.read(cell)

    def parse_all(self, cells: Sequence[str]) -> NDArray[np.float64]:
        try:
            return np.array([self.codes[cell] for cell in cells], dtype=np.float64)
        except KeyError as error:
            raise RuleError("category") from error

    def read(self, value: object) -> float:
        if not isinstance(value, str):
            raise RuleError("type")
        if value not in self.codes:
            raise RuleError("category")
        return self.codes[value]

    def write(self, number: float) -> Value:
        return list(self.codes)[int(number)]

    spell = write


@dataclass(frozen=True)
class BooleanRule:
    """True or false; in CSV, one of two texts, spelt exactly so."""

    true: str
    false: str
    breaks = ("type",)

    @property
    def expected(self) -> str:
        spelt = "" if (self.true, self.false) == ("true", "false") else f", in CSV {self.true!r} or {self.false!r}"
        return f"true or false{spelt}"

    def parse(self, cell: str) -> float:
        if cell not in (self.true, self.false):
            raise RuleError("type")
        return float(cell == self.true)

    def parse_all(self, cells: Sequence[str]) -> NDArray[np.float64]:
        return _each(self, cells)

    def read(self, value: object) -> float:
        if not isinstance(value, bool):
            raise RuleError("type")
        return float(value)

    def write(self, number: float) -> Value:
        return bool(number)

    def spell(self, number: float) -> Value:
        return self.true if number else self.false


@dataclass(frozen=True)
class DateRule:
    """A day from `minimum` to `maximum`, both included, as ISO 8601 writes it: 2026-11-30. Days count from 1970-01-01."""

    minimum: float
    maximum: float
    breaks = ("type", "range")

    @property
    def expected(self) -> str:
        return f"a date between {dates.written(self.minimum)} and {dates.written(self.maximum)}"

    def parse(self, cell: str) -> float:
        try:
            day = dates.days(cell)
        except ValueError as error:
            raise RuleError("type") from error
        if not self.minimum <= day <= self.maximum:
            raise RuleError("range")
        return day

    def parse_all(self, cells: Sequence[str]) -> NDArray[np.float64]:
        return _each(self, cells)

    def read(self, value: object) -> float:
        if not isinstance(value, str):
            raise RuleError("type")
        return self.parse(value)

    def write(self, number: float) -> Value:
        return dates.written(number)

    spell = write


@dataclass(frozen=True)
class TextRule:
    """Free text of a length. Its float is how many characters it has: what it says stands beside the floats, in `Table.texts`."""

    maximum: int
    breaks = ("type", "range")

    @property
    def expected(self) -> str:
        return f"a text of 1 to {self.maximum} characters"

    def parse(self, cell: str) -> float:
        return self.read(cell)

    def parse_all(self, cells: Sequence[str]) -> NDArray[np.float64]:
        return np.array([self.read(cell) for cell in cells], dtype=np.float64)

    def read(self, value: object) -> float:
        if not isinstance(value, str) or SURROGATE.search(value):
            raise RuleError("type")
        if not 1 <= len(value) <= self.maximum:
            raise RuleError("range")
        return float(len(value))

    def write(self, number: float) -> Value:
        raise TypeError(f"a text of {number:g} characters may be any: `written` and `spelt` know which it is")

    spell = write


ANY_DAY = DateRule(dates.number(date.min), dates.number(date.max))


@dataclass(frozen=True)
class OptionalRule:
    """Another rule, which an empty CSV cell and JSON's null keep as well."""

    rule: Rule

    @property
    def expected(self) -> str:
        return f"{self.rule.expected}, null or an empty cell"

    @property
    def breaks(self) -> tuple[str, ...]:
        return self.rule.breaks

    def parse(self, cell: str) -> float:
        return self.rule.parse(cell) if cell else math.nan

    def parse_all(self, cells: Sequence[str]) -> NDArray[np.float64]:
        values = np.full(len(cells), np.nan)
        values[[bool(cell) for cell in cells]] = self.rule.parse_all([cell for cell in cells if cell])
        return values

    def read(self, value: object) -> float:
        return math.nan if value is None else self.rule.read(value)

    def write(self, number: float) -> Value:
        return None if math.isnan(number) else self.rule.write(number)

    def spell(self, number: float) -> Value:
        return None if math.isnan(number) else self.rule.spell(number)


class TargetRule(Protocol):
    """What a row turned out to be: which cells say so, and what number each of them stands for."""

    @property
    def expected(self) -> str:
        """What is accepted, in words."""

    @property
    def everywhere(self) -> tuple[str, ...]:
        """The outcomes that must occur somewhere in a data set."""

    def accepts(self, cell: str) -> bool:
        """Whether the cell is an outcome."""

    def label(self, cell: str) -> float:
        """The number of a cell; of one that is not accepted, that of what it resembles, or any other."""

    def spell(self, label: float) -> str:
        """The cell of a number."""

    def advice(self, cell: str) -> str:
        """What to do about a cell that is not accepted."""


@dataclass(frozen=True, slots=True)
class OutcomeRule:
    """One of the outcomes that `model.toml` declares under `keys`, spelt exactly so; `labels` has the number of each."""

    labels: Mapping[str, float]
    keys: str

    @property
    def expected(self) -> str:
        *others, last = map(repr, self.labels)
        return f"{', '.join(others)} or {last}"

    @property
    def everywhere(self) -> tuple[str, ...]:
        return tuple(self.labels)

    def accepts(self, cell: str) -> bool:
        return cell in self.labels

    def label(self, cell: str) -> float:
        return self.labels.get(self.resembled(cell), 0.0)

    def spell(self, label: float) -> str:
        return next(outcome for outcome, number in self.labels.items() if number == label)

    def resembled(self, cell: str) -> str:
        """The outcome that the cell is but for capitals and the blanks around it; empty where there is none."""
        return next((outcome for outcome in self.labels if alike(cell, outcome)), "")

    def advice(self, cell: str) -> str:
        if outcome := self.resembled(cell):
            return f"spelt {outcome!r} it would be an outcome: correct the spelling, where that is what it means"
        if not cell.strip():
            return "leave out the rows whose outcome is not known"
        return f"correct the cell, or leave out the row: {self.keys} in model.toml are the only outcomes"


@dataclass(frozen=True, slots=True)
class AmountRule:
    """A number in the target's accepted range, both ends included."""

    minimum: float
    maximum: float
    everywhere: tuple[str, ...] = ()

    @property
    def expected(self) -> str:
        return f"a number from {self.minimum:g} to {self.maximum:g}"

    def accepts(self, cell: str) -> bool:
        return accepts(NumberRule(self.minimum, self.maximum, whole=False), cell)

    def label(self, cell: str) -> float:
        return float(cell) if self.accepts(cell) else (self.minimum + self.maximum) / 2

    def spell(self, label: float) -> str:
        return repr(label)

    def advice(self, cell: str) -> str:
        if not cell.strip():
            return "leave out the rows whose outcome is not known"
        return "correct the cell, leave out the row, or widen data.target_minimum and data.target_maximum in model.toml"


def target(data: Data) -> TargetRule:
    """The rule of a model's target."""
    if data.task == "regression":
        assert data.target_minimum is not None
        assert data.target_maximum is not None
        return AmountRule(data.target_minimum, data.target_maximum)
    if data.task == "multiclass":
        return OutcomeRule({outcome: float(place) for place, outcome in enumerate(data.classes)}, "data.classes")
    return OutcomeRule({str(data.positive): 1.0, str(data.negative): 0.0}, "data.positive and data.negative")


def rules(data: Data) -> dict[str, Rule]:
    """Each feature column's rule, in the order of `model.toml`."""
    return {name: OptionalRule(of(column)) if column.missing else of(column) for name, column in data.columns.items()}


def of(column: Column) -> Rule:
    """The rule of a column's filled cells."""
    if isinstance(column, Category):
        return CategoryRule({value: float(code) for code, value in enumerate(column.values)})
    if isinstance(column, Boolean):
        return BooleanRule(column.true, column.false)
    if isinstance(column, Date):
        return DateRule(*column.days)
    if isinstance(column, Text):
        return TextRule(column.maximum_length)
    return NumberRule(column.minimum, column.maximum, whole=isinstance(column, Integer))


def is_text(rule: Rule) -> bool:
    """Whether a rule's cells stand in `Table.texts`."""
    return isinstance(rule.rule if isinstance(rule, OptionalRule) else rule, TextRule)


def is_optional(rule: Rule) -> bool:
    """Whether a rule accepts an empty cell."""
    return isinstance(rule, OptionalRule)


def valued(rule: Rule, cell: str) -> Value:
    """The JSON value that a CSV cell stands for. Raises RuleError."""
    number = rule.parse(cell)
    if is_text(rule):
        return cell or None
    return rule.write(number)


def accepts(rule: Rule, cell: str) -> bool:
    """Whether a CSV cell keeps a rule."""
    try:
        rule.parse(cell)
    except RuleError:
        return False
    return True


def _each(rule: Rule, cells: Sequence[str]) -> NDArray[np.float64]:
    """Cell by cell, each different one once."""
    parsed = {cell: rule.parse(cell) for cell in set(cells)}
    return np.array([parsed[cell] for cell in cells], dtype=np.float64)


def shown(value: object) -> str:
    """A value as an error may quote it: short, printable, and never the whole of somebody's payload."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value[:40] if isinstance(value, str) else value)
    return text if len(text) <= 60 else text[:57] + "..."
