"""Every key that `model.toml` may have, as the contract declares it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel

from paved_runtime.spec import ModelSpec


def keys(table: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every key of a table and of the tables in it, a list's or dictionary's under its own name; what may be left out is a key, too."""
    for name, field in table.model_fields.items():
        inner = list(tables(field.annotation))
        if field.annotation not in inner:
            yield prefix + name
        for each in inner:
            yield from keys(each, f"{prefix}{name}." + (f"{each.__name__.lower()}." if len(inner) > 1 else ""))


def tables(annotation: Any) -> Iterator[type[BaseModel]]:
    """The tables that a value may be, or hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from tables(argument)


KEYS = sorted(set(keys(ModelSpec)) - {"name"})  # which is the folder's
