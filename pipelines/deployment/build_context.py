"""The files that a model's image is built from: those of the repository that `.dockerignore` lets through.

What cannot get into an image cannot change what it trains, so this is where the line is drawn between a change and a word about it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

IGNORE = ".dockerignore"


def files(root: Path) -> list[Path]:
    """The context's files below `root`, sorted, relative to it. A `.dockerignore` that is not there lets everything through."""
    rules = _rules(root / IGNORE)
    walked = (path for top in _tops(rules) for path in _walk(root, root / top))
    return sorted({path for path in walked if _included(path.as_posix(), rules)})


def _rules(file: Path) -> list[str]:
    """Its patterns in order, cleaned as Docker does (Docker's reference, "Build context", .dockerignore files)."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _tops(rules: list[str]) -> list[str]:
    """Below which folders there can be something: where everything is left out first, those that are let in again."""
    if not rules or rules[0] != "**":
        return ["."]
    let_in = (re.split(r"[*?\[]", rule[1:], maxsplit=1)[0].strip("/") for rule in rules if rule.startswith("!"))
    return [top or "." for top in let_in]


def _walk(root: Path, top: Path) -> Iterator[Path]:
    if top.is_file():
        yield top.relative_to(root)
    for folder, _, names in os.walk(top):
        yield from (Path(folder, name).relative_to(root) for name in names)


def _included(path: str, rules: list[str]) -> bool:
    """The last rule that fits decides; one that fits a folder fits what is in it."""
    included = True
    for rule in rules:
        if _expression(rule.removeprefix("!")).fullmatch(path):
            included = rule.startswith("!")
    return included


def _expression(pattern: str) -> re.Pattern[str]:
    """A pattern of `.dockerignore` as a regular expression: Go's `filepath.Match`, and `**` for any number of folders."""
    parts = re.findall(r"\*\*/|\*\*|\*|\?|\[[^\]]+\]|\\.|.", os.path.normpath(pattern.strip()).lstrip("/"))
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    made = "".join(known.get(part) or (part if part.startswith("[") and len(part) > 1 else re.escape(part[-1])) for part in parts)
    return re.compile(f"{made}(?:/.*)?", re.DOTALL)
