"""What one column accepts, in one place: training data, JSON requests and CSV requests are judged by the same rules.

Every accepted value becomes one float: a number stays itself, a category becomes its position in `model.toml`, nothing becomes NaN.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from paved_runtime.spec import Category, Column, Data, Integer, alike

Value = int | float | str | None
NUMERAL = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)


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

    def read(self, value: object) -> float:
        """The float of a JSON value. Raises RuleError."""

    def write(self, number: float) -> Value:
        """The JSON value that reads back as `number`."""


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

    def read(self, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise RuleError("type")
        try:
            return self._accept(float(value))
        except OverflowError as error:
            raise RuleError("range") from error

    def write(self, number: float) -> Value:
        return int(number) if self.whole else float(number)

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

    def read(self, value: object) -> float:
        if not isinstance(value, str):
            raise RuleError("type")
        if value not in self.codes:
            raise RuleError("category")
        return self.codes[value]

    def write(self, number: float) -> Value:
        return list(self.codes)[int(number)]


@dataclass(frozen=True)
class OptionalRule:
    """Another rule, which an empty CSV cell and JSON's null keep as well."""

    rule: NumberRule | CategoryRule

    @property
    def expected(self) -> str:
        return f"{self.rule.expected}, null or an empty cell"

    @property
    def breaks(self) -> tuple[str, ...]:
        return self.rule.breaks

    def parse(self, cell: str) -> float:
        return self.rule.parse(cell) if cell else math.nan

    def read(self, value: object) -> float:
        return math.nan if value is None else self.rule.read(value)

    def write(self, number: float) -> Value:
        return None if math.isnan(number) else self.rule.write(number)


@dataclass(frozen=True)
class OutcomeRule:
    """What a row turned out to be: one of the two outcomes that `model.toml` declares, spelt exactly so."""

    positive: str
    negative: str

    @classmethod
    def of(cls, data: Data) -> OutcomeRule:
        """The rule of a model's target."""
        return cls(data.positive, data.negative)

    @property
    def expected(self) -> str:
        return f"{self.positive!r} or {self.negative!r}"

    def accepts(self, cell: str) -> bool:
        """Whether the cell is one of the two."""
        return cell in (self.positive, self.negative)

    def resembled(self, cell: str) -> str:
        """The outcome that the cell is but for capitals and the blanks around it; empty where there is none."""
        return next((outcome for outcome in (self.positive, self.negative) if alike(cell, outcome)), "")

    def advice(self, cell: str) -> str:
        """What to do about a cell that is not accepted."""
        if outcome := self.resembled(cell):
            return f"spelt {outcome!r} it would be an outcome: correct the spelling, where that is what it means"
        if not cell.strip():
            return "leave out the rows whose outcome is not known"
        return "correct the cell, or leave out the row: data.positive and data.negative in model.toml are the only outcomes"


def rules(data: Data) -> dict[str, Rule]:
    """Each feature column's rule, in the order of `model.toml`."""
    return {name: OptionalRule(_rule(column)) if column.missing else _rule(column) for name, column in data.columns.items()}


def _rule(column: Column) -> NumberRule | CategoryRule:
    if isinstance(column, Category):
        return CategoryRule({value: float(code) for code, value in enumerate(column.values)})
    return NumberRule(column.minimum, column.maximum, whole=isinstance(column, Integer))


def shown(value: object) -> str:
    """A value as an error may quote it: short, printable, and never the whole of somebody's payload."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value[:40] if isinstance(value, str) else value)
    return text if len(text) <= 60 else text[:57] + "..."
