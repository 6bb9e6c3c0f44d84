"""How a declaration's problems are told: one line each, with the file, the key, what was found and what is accepted."""

from __future__ import annotations

import re
from typing import Any

from pydantic import ValidationError


def lines(where: str, error: ValidationError, reference: str) -> str:
    """The problems of the file `where`, one a line. `reference` is the page that lists its keys."""
    return "\n".join(_line(where, dict(each), reference) for each in error.errors())


def _line(where: str, error: dict[str, Any], reference: str) -> str:
    words = {"missing": "this key is required", "extra_forbidden": f"there is no such key; {reference} lists them all"}
    path = error["loc"]
    path = path[:3] + path[4:] if path[:2] == ("data", "columns") else path  # pydantic puts a column's type behind its name
    key = ".".join(
        str(part) for part in path if part != "[key]"
    )  # none where several tables do not fit together: the message then has the key
    accepted = words.get(error["type"]) or re.sub(r"^Value error, ", "", error["msg"])
    found = "" if error["type"] in ("value_error", *words) else f"found {error['input']!r}; "
    return ": ".join(part for part in (where, key, f"{found}{accepted}") if part)
