"""Which resources of a template refer to which, and the order that follows from it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from moto.cloudformation.exceptions import ValidationError

Json = Any


def references(value: Json) -> Iterator[str]:
    """Logical ids that a resource's JSON refers to, by Ref, Fn::GetAtt, Fn::Sub or DependsOn."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        if key == "Ref":
            yield inner
        elif key == "Fn::GetAtt":
            yield inner[0] if isinstance(inner, list) else inner.split(".")[0]
        elif key == "DependsOn":
            yield from [inner] if isinstance(inner, str) else inner
        elif key == "Fn::Sub":
            text = inner if isinstance(inner, str) else inner[0]
            yield from (name.split(".")[0] for name in re.findall(r"\$\{([^!}]+)\}", text))
            yield from references(inner[1:] if isinstance(inner, list) else [])
        else:
            yield from references(inner)


def in_order(resources: dict[str, Json]) -> list[str]:
    """Logical ids with every resource after the ones it refers to."""
    ordered: dict[str, None] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise ValidationError(message=f"Circular dependency between resources: {' → '.join([*path, name])}")
        if name in ordered or name not in resources:
            return
        for other in sorted(set(references(resources[name]))):
            visit(other, (*path, name))
        ordered[name] = None

    for name in resources:
        visit(name, ())
    return list(ordered)
