"""Drift by feature group: what has moved together was made together, and whoever owns the group is the one to ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paved_runtime.spec import Lookup

Json = dict[str, Any]


def judged(columns: Mapping[str, Json], lookups: Mapping[str, Lookup]) -> Json:
    """What monitor.json says of each feature group, out of what it says of `columns`: which of its own have moved, the largest population
    stability index, and the largest rise of a share of empty cells. Nothing where no column was judged.
    """
    return {group: _group(lookup, {name: columns[name] for name in lookup.columns}) for group, lookup in lookups.items()} if columns else {}


def sentences(groups: Mapping[str, Json]) -> list[str]:
    """A sentence for each group of which something has moved."""
    return [
        f"feature group {name}: {len(group['moved'])} of {len(group['columns'])} columns moved ({', '.join(group['moved'])})"
        for name, group in groups.items()
        if group["moved"]
    ]


def _group(lookup: Lookup, columns: Mapping[str, Json]) -> Json:
    indices = [column["psi"] for column in columns.values() if column["psi"] is not None]
    return {
        "key": lookup.key,
        "columns": list(columns),
        "moved": [name for name, column in columns.items() if column["moved"]],
        "psi": max(indices, default=None),
        "missing": max(column["missing"]["found"] - column["missing"]["expected"] for column in columns.values()),
    }
