"""`[data.columns]`: what a column of the data set, and of a request, may hold."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from paved_runtime import dates
from paved_runtime.spec.values import Day, Section, Tuple, alike


class _Column(Section):
    """What every column has. `missing` is the greatest share of empty cells that is accepted; feature code sees NaN there."""

    missing: float = Field(default=0, ge=0, le=1)


class Integer(_Column):
    """A whole-number column and its accepted range, both ends included; at most 2**53, so that JSON carries it exactly."""

    type: Literal["integer"]
    minimum: int = Field(ge=-(2**53), le=2**53)
    maximum: int = Field(ge=-(2**53), le=2**53)

    @model_validator(mode="after")
    def _range_holds_something(self) -> Integer:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is larger than maximum {self.maximum}")
        return self


class Number(_Column):
    """A real-number column and its accepted range, both ends included."""

    type: Literal["number"]
    minimum: float = Field(allow_inf_nan=False)
    maximum: float = Field(allow_inf_nan=False)

    @model_validator(mode="after")
    def _range_holds_something(self) -> Number:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is larger than maximum {self.maximum}")
        return self


class Category(_Column):
    """A text column and the values it may take. Their order is the order that feature code sees as 0, 1, 2, …"""

    type: Literal["category"]
    values: Tuple[str] = Field(min_length=2)

    @model_validator(mode="after")
    def _values_differ(self) -> Category:
        if repeated := sorted({value for value in self.values if self.values.count(value) > 1}):
            raise ValueError(f"value {repeated[0]!r} is listed twice")
        if self.missing and "" in self.values:
            raise ValueError("an empty cell is either the value '' or a missing one: take one of the two away")
        return self

    @property
    def cells(self) -> tuple[str, ...]:
        """How a data set spells the values."""
        return self.values


class Boolean(_Column):
    """A column of two values. `true` and `false` are how a data set and CSV requests spell them; feature code sees 1 and 0."""

    type: Literal["boolean"]
    true: str = Field(default="true", min_length=1)
    false: str = Field(default="false", min_length=1)

    @model_validator(mode="after")
    def _spellings_can_be_told_apart(self) -> Boolean:
        if alike(self.true, self.false):
            raise ValueError(f"true {self.true!r} and false {self.false!r} are one value: both are needed, spelt apart")
        return self

    @property
    def values(self) -> tuple[str, ...]:
        """What people call the values that feature code sees as 0 and 1."""
        return ("false", "true")

    @property
    def cells(self) -> tuple[str, ...]:
        """How a data set spells them."""
        return (self.false, self.true)


class Date(_Column):
    """A column of days and its accepted range, both ends included; feature code sees days since 1970-01-01.

    A date of training data that lies after `Data.time` is refused, unless it is `planned`: known before it comes, such as a due date.
    """

    type: Literal["date"]
    minimum: Day
    maximum: Day
    planned: bool = False

    @model_validator(mode="after")
    def _range_holds_something(self) -> Date:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is later than maximum {self.maximum}")
        return self

    @property
    def days(self) -> tuple[float, float]:
        """The accepted range as feature code sees it."""
        return dates.number(self.minimum), dates.number(self.maximum)


class Text(_Column):
    """A column of free text, of 1 to `maximum_length` characters. `Table.texts` has it; as a number it is its length."""

    type: Literal["text"]
    maximum_length: int = Field(ge=1, le=100_000)


Column = Annotated[Integer | Number | Category | Boolean | Date | Text, Field(discriminator="type")]
