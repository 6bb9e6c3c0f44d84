"""Reasons as a person reads them: a table a row, the weightiest column first, sampled ones with their standard error."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from cli.problem import Problem


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


def tables(answer: dict[str, Any]) -> RenderableType:
    """Each row's score and what makes it."""
    return Group(*(_table(number, prediction, answer["base"]) for number, prediction in enumerate(answer["predictions"], start=1)))


def _table(number: int, prediction: dict[str, Any], base: float) -> Table:
    reasons = prediction["reasons"]
    total = base + sum(reason["contribution"] for reason in reasons)
    title = f"row {number}: score {prediction['score']:.4f}, log-odds {total:+.3f} = base {base:+.3f} and what the columns add"
    table = Table("column", "value", title=title, title_justify="left", box=None)
    table.add_column("adds", justify="right")
    for reason in reasons:
        error = f" ± {reason['error']:.3f}" if "error" in reason else ""
        table.add_row(reason["column"], _shown(reason["value"]), f"{reason['contribution']:+.3f}{error}")
    return table


def _shown(value: Any) -> str:
    return "nothing" if value is None else str(value)
