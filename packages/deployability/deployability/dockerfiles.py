"""Dockerfiles: whether an image starts tomorrow from what it starts from today."""

from __future__ import annotations

import re
from collections.abc import Iterator

_INSTRUCTION = re.compile(r"^\s*(ARG|FROM)\s+(.*?)\s*$", re.IGNORECASE)


def moving_bases(dockerfile: str) -> Iterator[str]:
    """What is wrong with each base of a Dockerfile, in a line that says where and what to do.

    A base holds still when it names a digest, or is an ARG without a default or with a version in it: who builds then gives the digest
    with `--build-arg`. An ARG whose default has no tag is judged as what it is, `latest`. Source: "Dockerfile reference", FROM and ARG.

    >>> list(moving_bases("FROM python:3.11"))
    ['line 1: its base python:3.11 has no digest: name one (@sha256:…), or an ARG that the build is given']
    """
    arguments: dict[str, str] = {}
    stages: set[str] = {"scratch"}
    for line, text in _logical_lines(dockerfile):
        instruction = _INSTRUCTION.match(text)
        if instruction is None:
            continue
        words = [word for word in instruction[2].split() if not word.startswith("--")]
        if instruction[1].upper() == "ARG":
            arguments.update((name, default.strip("\"'")) for name, _, default in (word.partition("=") for word in words))
        elif words:
            base = words[0]
            if base not in stages and (wrong := _wrong(base, arguments)):
                yield f"line {line}: its base {base} {wrong}"
            stages |= {words[2]} if len(words) == 3 and words[1].lower() == "as" else set()


def _wrong(base: str, arguments: dict[str, str]) -> str:
    named = re.fullmatch(r"\$\{?(\w+)(?::?-([^}]*))?\}?", base)
    default = (arguments.get(named[1]) or named[2] or "") if named else base
    if "@sha256:" in default or not default or "$" in default:
        return ""
    tag = re.search(r":([^/:]+)$", default)
    if tag is None or tag[1] == "latest":
        return "is whatever is the latest that day: name a version and a digest"
    return "" if named else "has no digest: name one (@sha256:…), or an ARG that the build is given"


def _logical_lines(dockerfile: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, those together that a backslash joins, without comments."""
    pending, start = "", 0
    for number, line in enumerate(dockerfile.splitlines(), start=1):
        if line.lstrip().startswith("#"):
            continue
        start = start if pending else number
        pending += line
        if pending.endswith("\\"):
            pending = pending[:-1] + " "
            continue
        yield start, pending
        pending = ""
