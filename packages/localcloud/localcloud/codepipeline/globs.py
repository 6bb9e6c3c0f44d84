"""The glob patterns of triggers: `*` and `?` stay within a folder, `**` crosses folders; also `[set]`, `[!set]`, `{either,or}` and `\\`.

They are Java's, as CodePipeline's guide describes them ("Working with glob patterns in syntax"): so `**/x` is not `x` at the root.
"""

from __future__ import annotations

import re
from functools import cache

TOKEN = re.compile(
    r"\\(?P<escaped>.)|(?P<across>\*\*+)|(?P<within>\*)|(?P<character>\?)|\[(?P<negated>!?)(?P<set>[^]]+)]"
    r"|(?P<opens>\{)|(?P<closes>})|(?P<literal>[^\\[])",
    re.DOTALL,
)
WILD = {"across": ".*", "within": "[^/]*", "character": "[^/]"}


@cache
def compiled(glob: str) -> re.Pattern[str]:
    """The regular expression for the whole of a path. Raises ValueError for a pattern that is none."""
    expression, position, grouped = "", 0, False
    while position < len(glob):
        token = TOKEN.match(glob, position)
        if token is None or (grouped and token["opens"]):
            raise ValueError(f"{glob} is no glob pattern: look at character {position + 1}")
        if token["opens"] or (grouped and token["closes"]):
            grouped = bool(token["opens"])
            expression += "(?:" if grouped else ")"
        else:
            expression += "|" if grouped and token[0] == "," else _expression(token)
        position = token.end()
    try:
        return re.compile(expression, re.DOTALL)
    except re.error as problem:
        raise ValueError(f"{glob} is no glob pattern: {problem}") from None


def _expression(token: re.Match[str]) -> str:
    if token["set"]:
        members = re.escape(token["set"][0]) + re.sub(r"([\\\[^&~|])", r"\\\1", token["set"][1:])
        return f"(?!/)[{'^' if token['negated'] else ''}{members}]"
    return WILD.get(str(token.lastgroup)) or re.escape(token["escaped"] or token[0])
