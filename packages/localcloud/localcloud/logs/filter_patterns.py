"""What a filter pattern of CloudWatch Logs matches.

Known are patterns of terms (`ERROR -debug "no such"`, `?A ?B`) and JSON patterns of comparisons joined by && and ||
(`{ $.event = "scores" && $.rows > 0 }`, `{ $.x = * }`); everything else is refused by its name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

from moto.logs.exceptions import InvalidParameterException

Matcher = Callable[[str], dict[str, Any] | None]  # a log line → its JSON object ({} for plain text), None: no match
Test = Callable[[Any], bool]
TOKEN = re.compile(r'\s*(&&|\|\||[()]|!=|<=|>=|[=<>]|\$(?:\.[\w-]+|\[\d+\])+|"(?:[^"\\]|\\.)*"|[^\s()&|=<>!"]+)')
PATH = re.compile(r"\$((?:\.[\w-]+|\[\d+\])+)")
NUMBER = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?")


def matcher(pattern: str) -> Matcher:
    """What a filter pattern matches. Raises an AWS error for a pattern that localcloud does not know."""
    text = pattern.strip()
    if text.startswith("{") and text.endswith("}"):
        return _json(text)
    return _terms(text)


def refused(what: str) -> InvalidParameterException:
    """The error that a filter is refused with."""
    return InvalidParameterException(f"Invalid metric filter: {what}")


def _terms(text: str) -> Matcher:
    terms = re.findall(r'([-?]?)(?:"((?:[^"\\]|\\.)*)"|(\S+))', text)
    if odd := [plain for _, _, plain in terms if plain and not re.fullmatch(r"\w+", plain)]:
        raise refused(f"localcloud does not know {odd[0]} in {text}: put a term of other characters than letters and digits in quotes")
    by_sign = {sign: [_plain(quoted) or plain for s, quoted, plain in terms if s == sign] for sign in ("", "-", "?")}

    def matches(line: str) -> dict[str, Any] | None:
        wanted = all(t in line for t in by_sign[""]) and not any(t in line for t in by_sign["-"])
        return {} if wanted and (not by_sign["?"] or any(t in line for t in by_sign["?"])) else None

    return matches


def _json(text: str) -> Matcher:
    tokens, end = [], 0
    inner = text[1:-1].strip()
    while end < len(inner):
        if not (token := TOKEN.match(inner, end)):
            raise refused(f"localcloud cannot read {inner[end:]} in {text}")
        tokens.append(token[1])
        end = token.end()
    test, rest = _either(tokens, text)
    if rest:
        raise refused(f"localcloud does not know {rest[0]} in {text}")

    def matches(line: str) -> dict[str, Any] | None:
        try:
            event = json.loads(line)
        except ValueError:
            return None
        return event if isinstance(event, dict) and test(event) else None

    return matches


def _either(tokens: list[str], text: str) -> tuple[Test, list[str]]:
    first, rest = _both(tokens, text)
    if rest[:1] != ["||"]:
        return first, rest
    second, rest = _either(rest[1:], text)
    return lambda event: first(event) or second(event), rest


def _both(tokens: list[str], text: str) -> tuple[Test, list[str]]:
    if tokens[:1] == ["("]:
        first, rest = _either(tokens[1:], text)
        if rest[:1] != [")"]:
            raise refused(f"a bracket is not closed in {text}")
        rest = rest[1:]
    else:
        first, rest = _comparison(tokens[:3], text), tokens[3:]
    if rest[:1] != ["&&"]:
        return first, rest
    second, rest = _both(rest[1:], text)
    return lambda event: first(event) and second(event), rest


def _comparison(tokens: list[str], text: str) -> Test:
    if len(tokens) < 3 or not PATH.fullmatch(tokens[0]) or tokens[1] not in ("=", "!=", "<", ">", "<=", ">="):
        raise refused(f"localcloud does not know {' '.join(tokens) or 'an empty condition'} in {text}: it knows comparisons like $.a.b > 3")
    path, sign, wanted = tokens
    if NUMBER.fullmatch(wanted):
        number = float(wanted)
        return lambda event: _is_number(v := value_at(event, path)) and _holds(sign, float(v), number)
    if sign not in ("=", "!="):
        raise refused(f"{sign} needs a number, found {wanted} in {text}")
    if wanted.startswith('"'):
        wanted = _plain(wanted[1:-1])
    elif not re.fullmatch(r"[\w*.-]+", wanted):
        raise refused(f"localcloud does not know {wanted} in {text}")
    if wanted == "*":
        return lambda event: (value_at(event, path) is not None) == (sign == "=")
    return lambda event: (
        isinstance(v := value_at(event, path), str) and fnmatchcase(v, re.sub(r"([\[?])", r"[\1]", wanted)) == (sign == "=")
    )


def _plain(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _holds(sign: str, value: float, wanted: float) -> bool:
    return {
        "=": value == wanted,
        "!=": value != wanted,
        "<": value < wanted,
        ">": value > wanted,
        "<=": value <= wanted,
        ">=": value >= wanted,
    }[sign]


def value_at(event: Any, path: str) -> Any:
    """What lies at a path like `$.a.b[0]`, or None."""
    for name, index in re.findall(r"\.([\w-]+)|\[(\d+)\]", path):
        if name and isinstance(event, dict):
            event = event.get(name)
        elif index and isinstance(event, list) and int(index) < len(event):
            event = event[int(index)]
        else:
            return None
    return event
