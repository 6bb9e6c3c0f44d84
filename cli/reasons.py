"""Reasons as a person reads them: a table a row, the weightiest column first, sampled ones with their standard error."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from cli.problem import Problem
from paved_runtime.spec import ModelSpec


def asking(body: bytes) -> bytes:
    """The same JSON request, for reasons. Raises Problem when it is not an object."""
    try:
        content = json.loads(body)
    except ValueError as error:
        raise Problem(
            "explain", f"the request is not JSON: {error}", "give rows as JSON: CSV has no place to ask for reasons", code=2
        ) from error
    if not isinstance(content, dict):
        raise Problem("explain", "the request is no JSON object", 'give {"instances": [{…}, …]}, or one object', code=2)
    rows = content if "instances" in content else {"instances": [content]}
    return json.dumps({**rows, "explain": True}).encode()


def tables(answer: dict[str, Any], model: ModelSpec) -> RenderableType:
    """Each row's score and what makes it."""
    titled = [(_title(prediction, answer["base"], model), prediction["reasons"]) for prediction in answer["predictions"]]
    return Group(*(_table(f"row {number}: {title}", reasons) for number, (title, reasons) in enumerate(titled, start=1)))


def _title(prediction: dict[str, Any], base: Any, model: ModelSpec) -> str:
    """The score, and what it is made of in the unit of reasons."""
    if model.data.classes:
        name = prediction["class"]
        others = ", ".join(f"{each} {score:.4f}" for each, score in prediction["scores"].items() if each != name)
        score, base = f"{name} {prediction['scores'][name]:.4f} ({others})", base[name]
    else:
        score = f"score {prediction['score']:.4f}"
    total = base + sum(reason["contribution"] for reason in prediction["reasons"])
    shared = "" if model.task == "regression" else f", log-odds {total:+.3f}"
    return f"{score}{shared} = base {base:+.3f} and what the columns add"


def _table(title: str, reasons: list[dict[str, Any]]) -> Table:
    table = Table("column", "value", title=title, title_justify="left", box=None)
    table.add_column("adds", justify="right")
    for reason in reasons:
        error = f" ± {reason['error']:.3f}" if "error" in reason else ""
        table.add_row(reason["column"], _shown(reason["value"]), f"{reason['contribution']:+.3f}{error}")
    return table


def _shown(value: Any) -> str:
    return "nothing" if value is None else str(value)
