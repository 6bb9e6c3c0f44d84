"""Evaluates what a SageMaker pipeline definition leaves open: references, joins, values out of JSON files, conditions."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from typing import Any

Lookup = Callable[[str], Any]
ReadFile = Callable[[str, str], Any]
COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "Equals": operator.eq,
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}


class Unresolved(Exception):
    """What a definition refers to is not there."""


def evaluate(value: Any, get: Lookup, read: ReadFile) -> Any:
    """`value` with every expression replaced; `get` answers a reference, `read` a (step, property file)'s JSON."""
    if isinstance(value, list):
        return [evaluate(v, get, read) for v in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Get"}:
        return get(value["Get"])
    if set(value) == {"Std:Join"}:
        return evaluate(value["Std:Join"]["On"], get, read).join(str(evaluate(v, get, read)) for v in value["Std:Join"]["Values"])
    if set(value) == {"Std:JsonGet"}:
        inner = value["Std:JsonGet"]
        _, step, _, file = inner["PropertyFile"]["Get"].split(".", 3)
        return follow(read(step, file), evaluate(inner["Path"], get, read), f"property file {file} of step {step}")
    if unknown := [k for k in value if k.startswith("Std:")]:
        raise Unresolved(f"localcloud does not know the function {unknown[0]}")
    return {k: evaluate(v, get, read) for k, v in value.items() if v is not None}


def holds(condition: dict[str, Any], get: Lookup, read: ReadFile) -> bool:
    """Whether one condition of a Condition step is met."""
    kind = condition["Type"]
    if kind == "Not":
        return not holds(condition["Expression"], get, read)
    if kind == "Or":
        return any(holds(c, get, read) for c in condition["Conditions"])
    if kind == "In":
        return evaluate(condition["QueryValue"], get, read) in evaluate(condition["Values"], get, read)
    if kind not in COMPARISONS:
        raise Unresolved(f"localcloud does not know the condition {kind}")
    left, right = (evaluate(condition[side], get, read) for side in ("LeftValue", "RightValue"))
    try:
        return bool(COMPARISONS[kind](left, right))
    except TypeError as problem:
        raise Unresolved(f"{kind} cannot compare {left!r} with {right!r}") from problem


def follow(value: Any, path: str, where: str) -> Any:
    """What is at `a.b['c'][0]` in `value`; a list of named members is indexed by their name, as in `Outputs['train']`."""
    for key, quoted, index in re.findall(r"([^.\[\]]+)|\[['\"]([^'\"]+)['\"]\]|\[(\d+)\]", path):
        name = key or quoted
        if isinstance(value, list):
            inner = value[int(index)] if index and int(index) < len(value) else _named(value, name)
        else:
            inner = value.get(name) if isinstance(value, dict) else None
        if inner is None:
            raise Unresolved(f"{where} has no {path}: {name or index} is not there")
        value = inner
    return value


def _named(members: list[Any], name: str) -> Any:
    return next((m for m in members if isinstance(m, dict) and any(k.endswith("Name") and v == name for k, v in m.items())), None)


def steps_named(value: Any) -> Iterator[str]:
    """The names of the steps that `value` refers to."""
    if isinstance(value, list):
        for inner in value:
            yield from steps_named(inner)
    elif isinstance(value, dict):
        if set(value) == {"Get"} and str(value["Get"]).startswith("Steps."):
            yield value["Get"].split(".")[1]
        for inner in value.values():
            yield from steps_named(inner)
