"""What a tuning job tries: a value of each range for each trial, drawn at random before the first trial begins.

Whatever strategy a request names, the draw is random: nothing is learnt from one trial for the next. The same ranges and seed give the same
values, however many trials run at a time.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from typing import Any

from localcloud.core.errors import invalid

MOST = 30  # hyperparameters; this and the other limits by "Resource limits for automatic model tuning" in the developer guide
KINDS = ("IntegerParameterRanges", "ContinuousParameterRanges", "CategoricalParameterRanges")


def drawn(ranges: Mapping[str, Any], count: int, seed: str) -> list[dict[str, str]]:
    """The hyperparameters of `count` trials, as the texts that SageMaker hands over."""
    source = random.Random(seed)  # noqa: S311  a search, no secret
    return [{range_["Name"]: _value(kind, range_, source) for kind, range_ in _each(ranges)} for _ in range(count)]


def check(ranges: Mapping[str, Any], static: Mapping[str, str]) -> None:
    """Raise an AWS error for ranges that nothing can be drawn from, or that are of a hyperparameter which is given as well."""
    every = list(_each(ranges))
    names = [range_["Name"] for _, range_ in every]
    if not every or len(every) > MOST:
        raise invalid(f"A tuning job searches 1 to {MOST} hyperparameters, found {len(every)}")
    if repeated := sorted({name for name in names if names.count(name) > 1 or name in static}):
        raise invalid(f"Hyperparameter {repeated[0]} is given more than once: as a range and as a static value, or as two ranges")
    for kind, range_ in every:
        if kind != "CategoricalParameterRanges":
            _require_bounds(kind, range_)


def _require_bounds(kind: str, range_: Mapping[str, str]) -> None:
    name, scale = range_["Name"], range_.get("ScalingType", "Auto")
    number = int if kind == "IntegerParameterRanges" else float
    try:
        low, high = number(range_["MinValue"]), number(range_["MaxValue"])
    except ValueError as problem:
        raise invalid(f"Hyperparameter {name}: MinValue and MaxValue are no {number.__name__}: {problem}") from problem
    if low > high:
        raise invalid(f"Hyperparameter {name}: MinValue {low} is larger than MaxValue {high}")
    if scale == "Logarithmic" and low <= 0:
        raise invalid(f"Hyperparameter {name}: Logarithmic scaling is for values greater than 0, found {low}")
    if scale == "ReverseLogarithmic" and (kind == "IntegerParameterRanges" or not 0 <= low <= high < 1):
        raise invalid(f"Hyperparameter {name}: ReverseLogarithmic scaling is for continuous values from 0 to below 1")


def _each(ranges: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((kind, range_) for kind in KINDS for range_ in ranges.get(kind) or [])


def _value(kind: str, range_: Mapping[str, Any], source: random.Random) -> str:
    if kind == "CategoricalParameterRanges":
        return str(source.choice(range_["Values"]))
    scale = range_.get("ScalingType", "Auto")
    if kind == "IntegerParameterRanges":
        least, most = int(range_["MinValue"]), int(range_["MaxValue"])
        value = math.floor(_logarithmic(least, most + 1, source)) if scale == "Logarithmic" else source.randint(least, most)
        return str(min(max(value, least), most))
    low, high = float(range_["MinValue"]), float(range_["MaxValue"])
    if scale == "Logarithmic":
        number = _logarithmic(low, high, source)
    elif scale == "ReverseLogarithmic":
        number = 1 - _logarithmic(1 - high, 1 - low, source)
    else:
        number = source.uniform(low, high)
    return repr(min(max(number, low), high))


def _logarithmic(low: float, high: float, source: random.Random) -> float:
    return math.exp(source.uniform(math.log(low), math.log(high)))
