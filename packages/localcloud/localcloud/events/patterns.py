"""Event patterns: which events a rule wants.

moto compares single values well; it takes any comparison that it does not know for a match, and does not look into lists of objects.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from moto.events.models import EventPattern

from localcloud.core.errors import error

COMPARISONS = {"anything-but", "cidr", "equals-ignore-case", "exists", "numeric", "prefix", "suffix", "wildcard"}
Event = dict[str, Any]


def check(pattern: str) -> None:
    """Raise an AWS error for a pattern that EventBridge refuses, or that localcloud cannot compare."""
    try:
        read = json.loads(pattern)
    except ValueError as problem:
        raise error("InvalidEventPatternException", f"Event pattern is not valid. Reason: {problem}") from problem
    if reason := next(_problems(read, "pattern"), None):
        raise error("InvalidEventPatternException", f"Event pattern is not valid. Reason: {reason}")


def _problems(node: Any, where: str) -> Iterator[str]:
    if not isinstance(node, dict) or not node:
        yield f"'{where}' must be an object or an array"
        return
    for name, wanted in node.items():
        if name == "$or":
            for part in wanted:
                yield from _problems(part, where)
        elif not isinstance(wanted, list):
            yield from _problems(wanted, name)
        else:
            for item in wanted:
                if isinstance(item, dict) and (unknown := set(item) - COMPARISONS):
                    yield f"localcloud does not compare by {', '.join(unknown)} (in '{name}')"
            if not wanted:
                yield f"Empty arrays are not allowed (in '{name}')"


def matches(pattern: EventPattern, event: Event) -> bool:
    """Whether the event is what the pattern wants."""
    flat: dict[str, Any] = {}
    _flatten(event, "", flat)
    return pattern._does_event_match(flat, pattern.get_pattern())


def test(self: Any) -> str:
    """Answer TestEventPattern."""
    pattern, event = self._get_param("EventPattern"), json.loads(self._get_param("Event"))
    check(pattern)
    return json.dumps({"Result": matches(EventPattern.load(pattern), event)})


def _flatten(node: Any, prefix: str, flat: dict[str, Any]) -> None:
    """Leaves by their dotted names; what lists hold is a list of values under one name."""
    if isinstance(node, dict):
        for name, inner in node.items():
            _flatten(inner, f"{prefix}.{name}" if prefix else name, flat)
    elif isinstance(node, list) and any(isinstance(item, dict) for item in node):
        for item in node:
            leaves: dict[str, Any] = {}
            _flatten(item, prefix, leaves)
            for name, value in leaves.items():
                flat.setdefault(name, [])
                flat[name] += value if isinstance(value, list) else [value]
    else:
        flat[prefix] = node
