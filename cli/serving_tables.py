"""The tables `[serving.<environment>]` of models, when the environments of `config.py` change: they follow."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from config import Config

START = re.compile(r"^(?:#.*\n)*\[", re.MULTILINE)  # of a table, and the comment right above it
SERVING = re.compile(r"(?:#.*\n)*\[serving\.([^.\]]+)")


def follow(models: Path, config: Config) -> list[str]:
    """Give each model below `models` a table for each environment; the models that were changed.

    An environment keeps its table, and a new one gets that of the environment whose place it takes. Where there are more or fewer than
    before, the last takes the last's, and the others the first's.
    """
    changed = []
    for file in sorted(models.glob("*/model.toml")):
        text = file.read_bytes().decode()  # with its line ends
        if (moved := moved_to(text, [environment.name for environment in config.environments])) != text:
            file.write_bytes(moved.encode())
            changed.append(file.parent.name)
    return changed


def moved_to(text: str, environments: Sequence[str]) -> str:
    """The text of a `model.toml` with tables for these environments, in their order."""
    parts = _parts(text)
    tables: dict[str, list[str]] = {}
    for part in parts:
        if table := SERVING.match(part):
            tables.setdefault(table[1], []).append(part)
    before = list(tables)
    if not before or set(before) == set(environments):
        return text
    new = [_renamed(part, name) for place, name in enumerate(environments) for part in tables[_source(name, place, environments, before)]]
    first = parts.index(tables[before[0]][0])
    rest = [part for part in parts[first:] if not SERVING.match(part)]
    return "".join([*parts[:first], *new, *rest])


def _parts(text: str) -> list[str]:
    """What is before the first table, and each table. Each ends with its line, as it may get another after it."""
    whole = text if text.endswith("\n") else f"{text}\n"
    return [whole[start:end] for start, end in pairwise([0, *(match.start() for match in START.finditer(whole)), len(whole)])]


def _source(name: str, place: int, environments: Sequence[str], before: Sequence[str]) -> str:
    """The environment whose table this one gets."""
    if name in before:
        return name
    if len(before) == len(environments):
        return before[place]
    return before[-1 if place == len(environments) - 1 else 0]


def _renamed(part: str, name: str) -> str:
    table = SERVING.match(part)
    assert table
    return part[: table.start(1)] + name + part[table.end(1) :]
