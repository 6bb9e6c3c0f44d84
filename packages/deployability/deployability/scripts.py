"""The commands of a script: what a shell would run, and not what a comment, a message or a here-document speaks of.

Read by Python's own `shlex`, a logical line at a time. (`bashlex`, a whole parser of bash, is under the GPL, which a package under the
Apache licence cannot bring along.) Where a line cannot be read, nothing is said about it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

from cfnlint.decode import decode_str  # type: ignore[import-untyped]

from deployability.template import items, words

_SEPARATORS = ";&|()\n"
_BEFORE = re.compile(
    r"(\w+=.*|sudo|exec|time|command|nohup|if|then|else|elif|while|until|do|!|\{)$"
)  # what may stand before a command's name
_HERE_DOCUMENT = re.compile(r"<<-?\s*([\"']?)(\w+)\1")


def commands(script: str) -> Iterator[list[str]]:
    """Each simple command of a shell script as its words; those inside `$(…)` and `sh -c` too.

    >>> list(commands("echo docker run; # docker pull\\nIMAGE=x docker push $IMAGE"))
    [['echo', 'docker', 'run'], ['docker', 'push', '$IMAGE']]
    """
    for line in _logical_lines(script):
        command: list[str] = []
        for token in [*_tokens(line), ";"]:
            if set(token) <= set(_SEPARATORS):
                yield from _simple(command)
                command = []
            else:
                command.append(token)


def _simple(tokens: list[str]) -> Iterator[list[str]]:
    while tokens and _BEFORE.match(tokens[0]):
        tokens = tokens[1:]
    if tokens:
        yield tokens
        if tokens[0] in ("sh", "bash", "/bin/sh", "/bin/bash") and "-c" in tokens[:-1]:
            yield from commands(tokens[tokens.index("-c") + 1])
    for token in tokens:
        for inner in re.findall(r"\$\((.+)\)|`([^`]+)`", token):
            yield from commands(inner[0] or inner[1])


def _tokens(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=_SEPARATORS)
    lexer.whitespace_split = True
    return list(lexer)


def _logical_lines(script: str) -> Iterator[str]:
    """The lines of a script, those together that a quote or a backslash joins, without here-documents."""
    pending, until = "", ""
    for line in script.splitlines():
        if until:
            until = "" if line.strip() == until else until
            continue
        pending += line
        if pending.endswith("\\"):
            pending = pending[:-1] + " "
            continue
        try:
            _tokens(pending)
        except ValueError:  # a quotation goes on in the next line
            pending += "\n"
            continue
        yield pending
        if document := _HERE_DOCUMENT.search(pending):
            until = document[2]
        pending = ""


def buildspec_commands(buildspec: Any) -> list[list[str]]:
    """The commands of a buildspec that is written in the template; none where it is a file's name or cannot be read."""
    content, errors = decode_str(words(buildspec))
    phases = content.get("phases") if not errors and isinstance(content, dict) else None
    scripts = [
        script
        for phase in (phases.values() if isinstance(phases, dict) else ())
        if isinstance(phase, dict)
        for key in ("commands", "finally")
        for script in items(phase.get(key))
        if isinstance(script, str)
    ]
    return [command for script in scripts for command in commands(script)]
