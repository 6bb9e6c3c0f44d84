"""report.json, of whichever release: read in one shape, the newest, so that pages of old packs can be made again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]
CHALLENGER, CHAMPION = "challenger", "champion"
NOTHING: Json = {
    "task": "binary",
    "classes": [],
    "edges": [],
    "drawn": {},
    "slices": [],
    "fairness": None,
    "behaviour": [],
    "importance": [],
    "data": {"rows": None, "duplicates": None, "columns": {}, "checks": [], "change": None},
}


def read(content: Json) -> Json:
    """The content of a report.json, with everything that it may have. What `drawn` holds depends on the task.

    Raises:
        KeyError: it lacks what reports of its version have.
    """
    newest = _second(content) if "curves" in content else content
    return {**NOTHING, **newest}


def _second(first: Json) -> Json:
    """Version 1, which knew two outcomes alone, in the shape of version 2."""
    of_both = {**first["curves"], "reliability": first["reliability"], "scores": first["scores"]}
    drawn = {who: {name: each[who] for name, each in of_both.items() if who in each} for who in (CHALLENGER, CHAMPION)}
    kept = {name: first[name] for name in ("fairness", "behaviour", "importance")}
    slices, data = [_slice(row) for row in first["slices"]], _data(first["data"])
    return {
        **kept,
        "drawn": {who: each for who, each in drawn.items() if each},
        "edges": first["scores"]["edges"],
        "slices": slices,
        "data": data,
    }


def _slice(row: Json) -> Json:
    renamed = {"figure": row["roc_auc"], "champion_figure": row["champion_roc_auc"], "metric": "roc_auc"}
    fewest = min(row["positives"], row["rows"] - row["positives"])
    return {
        **{name: value for name, value in row.items() if name not in ("roc_auc", "champion_roc_auc", "positives")},
        **renamed,
        "fewest": fewest,
    }


def _data(data: Json) -> Json:
    split = data.get("split")
    if not split or "outcomes" in split:
        return data
    counts = {side: {"positive": positive, "negative": split["rows"][side] - positive} for side, positive in split["positive"].items()}
    return {**data, "split": {**{name: value for name, value in split.items() if name != "positive"}, "outcomes": counts}}
