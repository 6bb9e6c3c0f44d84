"""What several tables of `model.toml` are made of: kinds of values, each strict in its own way, and the table itself."""

from __future__ import annotations

import math
from datetime import date, datetime
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict

Item = TypeVar("Item")
Tuple = Annotated[tuple[Item, ...], Strict(False)]  # TOML has lists; what is in them is as strict as all else
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
InstanceType = Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.(medium|large|\d*xlarge)$")]
InferenceAmi = Annotated[str, Field(pattern=r"^al2(023)?-ami-sagemaker-inference-(gpu|neuron)-\d+(-\d+)?$")]
Schedule = Annotated[str, Field(pattern=r"^(rate\([1-9]\d* (minutes?|hours?|days?)\)|cron\(\S+ \S+ \S+ \S+ \S+ \S+\))$")]
TimeOfDay = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


def _plain(value: object) -> object:
    """Refused here, a value is one problem, and not one for each type that it might have had."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"found {value!r}; accepted are an integer, a number or a text")  # noqa: TRY004 - pydantic's way to refuse
    return value


Plain = Annotated[int | float | str, BeforeValidator(_plain)]


def _cell(value: object) -> object:
    """A cell as requests write it: a date of TOML is its text there."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, bool) else _plain(value)


Cell = Annotated[bool | int | float | str, BeforeValidator(_cell)]


def _day(value: object) -> object:
    """A time of day has no place in a date: pydantic would drop it."""
    if isinstance(value, datetime):
        raise ValueError(f"found {value.isoformat()}; accepted is a date without a time, such as 2026-11-30")  # noqa: TRY004
    return value


def _cut(value: object) -> object:
    """Refused here, a cut point is one problem, not two."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not number and not isinstance(value, date):
        raise ValueError(f"found {value!r}; accepted is a finite number, or for a date column a date")
    return _day(value)


Day = Annotated[date, BeforeValidator(_day)]
Cut = Annotated[float | date, BeforeValidator(_cut)]


class Section(BaseModel):
    """Nothing is converted but an integer where a number is due: `"18"` is a text, and `true` is no 1."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def alike(text: str, outcome: str) -> bool:
    """Whether two texts differ in nothing but capitals and the blanks around them."""
    return text.strip().casefold() == outcome.strip().casefold()
