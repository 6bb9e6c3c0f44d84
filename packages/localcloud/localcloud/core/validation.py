"""Requests as AWS's own descriptions of its services have them: made of CloudFormation properties, and judged before they are taken.

The descriptions are botocore's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
from botocore.model import Shape

from localcloud.core.errors import invalid

MEASURED = ("integer", "long", "float", "double", "list", "map", "string")
CASTS = {"integer": int, "long": int, "float": float, "double": float, "string": str}


@cache
def _service(name: str) -> Any:
    return botocore.session.Session().get_service_model(name)


def request(service: str, operation: str, properties: dict[str, Any], *, member: str | None = None) -> dict[str, Any]:
    """`properties` as `operation`'s input (or as its `member`): names in the API's case, values of its types.

    Raises an AWS error for a property the API does not know.
    """
    shape = _service(service).operation_model(operation).input_shape
    fitted: dict[str, Any] = fit(properties, shape.members[member] if member else shape, operation)
    return fitted


def check(service: str, name: str, value: Any) -> None:
    """Raise an AWS error where `value` is outside what the service's shape `name` allows: numbers, lengths, enumerations, members."""
    if words := problem(value, _service(service).shape_for(name), name):
        raise invalid(words)


def problem(value: Any, shape: Any, where: str) -> str | None:
    """What AWS would say of a value that is outside what a shape allows, or None; `where` names it."""
    first = next(_problems(value, shape, where), None)
    return f"1 validation error detected: {first}" if first else None


def _problems(value: Any, shape: Any, where: str) -> Iterator[str]:
    size = {"list": len, "map": len, "string": len}.get(shape.type_name, float)(value) if shape.type_name in MEASURED else None
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if size is not None and ((least is not None and size < least) or (most is not None and size > most)):
        yield f"Value {size:g} at '{where}' must be between {least} and {most}"
    if shape.type_name == "string" and shape.metadata.get("enum") and value not in shape.metadata["enum"]:
        yield f"Value {value} at '{where}' must be one of {', '.join(shape.metadata['enum'])}"
    if shape.type_name == "string" and not _matches(value, pattern := shape.metadata.get("pattern", "(?s:.*)")):
        yield f"Value {value} at '{where}' must match {pattern}"
    if shape.type_name == "structure":
        yield from (f"{where}.{name} is needed" for name in shape.required_members if name not in value)
        yield from (f"{where} has no member {name}" for name in value if name not in shape.members)
        for name in (name for name in value if name in shape.members):
            yield from _problems(value[name], shape.members[name], f"{where}.{name}")
    if shape.type_name == "map":
        for name, inner in value.items():
            yield from _problems(name, shape.key, where)
            yield from _problems(inner, shape.value, f"{where}.{name}")
    if shape.type_name == "list":
        for inner in value:
            yield from _problems(inner, shape.member, where)


def fit(value: Any, shape: Shape, where: str) -> Any:
    """`value` in the form of `shape`; `where` names it in an error."""
    if shape.type_name == "structure":
        members = {name.lower(): name for name in shape.members}  # type: ignore[attr-defined]
        if unknown := [key for key in value if key.lower() not in members]:
            raise invalid(f"{where} has no member {', '.join(unknown)}")
        named = {members[key.lower()]: inner for key, inner in value.items()}
        return {name: fit(inner, shape.members[name], f"{where}.{name}") for name, inner in named.items()}  # type: ignore[attr-defined]
    if shape.type_name == "list":
        return [fit(inner, shape.member, f"{where}[{i}]") for i, inner in enumerate(value)]  # type: ignore[attr-defined]
    if shape.type_name == "map":
        return {key: fit(inner, shape.value, f"{where}.{key}") for key, inner in value.items()}  # type: ignore[attr-defined]
    if shape.type_name == "boolean":
        return value if isinstance(value, bool) else str(value).lower() == "true"
    return CASTS[shape.type_name](value) if shape.type_name in CASTS else value


def _matches(value: str, pattern: str) -> bool:
    """Whether the whole value matches. Some of AWS's patterns are Java's, and nothing that Python reads: those are not judged."""
    try:
        return bool(re.fullmatch(pattern, value))
    except re.error:
        return True
