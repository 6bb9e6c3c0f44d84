"""Event patterns and input transformers: what a rule wants of an event, and what its target is told.

moto compares single values well; it takes any comparison that it does not know for a match, and does not look into lists of objects.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from moto.events.models import EventPattern

from localcloud.errors import error, invalid

COMPARISONS = {"anything-but", "cidr", "equals-ignore-case", "exists", "numeric", "prefix", "suffix", "wildcard"}
PATH = re.compile(r"\$(\.[\w-]+|\[\d+\])*")
Event = dict[str, Any]


def check(pattern: str) -> None:
    """Raise an AWS error for a pattern that EventBridge refuses, or that localcloud cannot compare."""
    try:
        read = json.loads(pattern)
    except ValueError as problem:
        raise error("InvalidEventPatternException", f"Event pattern is not valid. Reason: {problem}") from problem
    if found := next(_problems(read, "pattern"), None):
        raise error("InvalidEventPatternException", f"Event pattern is not valid. Reason: {found}")


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


def _flatten(node: Any, prefix: str, flat: dict[str, Any]) -> None:
    """Leaves by their dotted names; what lists hold is a list of values under one name."""
    if isinstance(node, dict):
        for name, inner in node.items():
            _flatten(inner, f"{prefix}.{name}" if prefix else name, flat)
    elif isinstance(node, list) and any(isinstance(item, dict) for item in node):
        for item in node:
            held: dict[str, Any] = {}
            _flatten(item, prefix, held)
            for name, value in held.items():
                flat.setdefault(name, [])
                flat[name] += value if isinstance(value, list) else [value]
    else:
        flat[prefix] = node


def check_target(target: Mapping[str, Any]) -> None:
    """Raise an AWS error for a target's input that cannot be made."""
    given = [k for k in ("Input", "InputPath", "InputTransformer") if target.get(k) is not None]
    if len(given) > 1:
        raise invalid(f"Only one of Input, InputPath, or InputTransformer must be provided for target {target['Id']}.")
    paths = [target["InputPath"]] if "InputPath" in given else list(target.get("InputTransformer", {}).get("InputPathsMap", {}).values())
    if unknown := [p for p in paths if not PATH.fullmatch(p)]:
        raise invalid(f"localcloud does not know the JSON path {unknown[0]} of target {target['Id']}: it knows names and array indices")
    if "Input" in given:
        json.loads(target["Input"])


def told(target: Mapping[str, Any], event: Event, rule_arn: str) -> str:
    """The text that a target gets. Raises an AWS error when a transformer does not make JSON."""
    if (plain := target.get("Input")) is not None:
        return str(plain)
    if path := target.get("InputPath"):
        return json.dumps(_at(path, event))
    if transformer := target.get("InputTransformer"):
        return _filled(transformer, event, rule_arn)
    return json.dumps(event)


def _filled(transformer: Mapping[str, Any], event: Event, rule_arn: str) -> str:
    own = {name: _at(path, event) for name, path in transformer.get("InputPathsMap", {}).items()}
    values = own | {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_arn.rpartition("/")[2],
        "aws.events.event.ingestion-time": event["time"],
        "aws.events.event": {k: v for k, v in event.items() if k != "detail"},
        "aws.events.event.json": event,
    }
    template = transformer["InputTemplate"]

    def fill(found: re.Match[str]) -> str:
        if found[1] not in values:
            return found[0]
        value, quoted = values[found[1]], len(re.findall(r'(?<!\\)"', template[: found.start()])) % 2
        if not quoted:
            return json.dumps(value)
        return json.dumps("" if value is None else value if isinstance(value, str) else json.dumps(value))[1:-1]

    made = re.sub(r"<([\w.-]+)>", fill, template)
    try:
        json.loads(made)
    except ValueError as problem:
        raise invalid(f"InputTransformer made no JSON: {problem}: {made[:200]}") from problem
    return made


def _at(path: str, event: Event) -> Any:
    value: Any = event
    for name, index in re.findall(r"\.([\w-]+)|\[(\d+)\]", path):
        try:
            value = value[name] if name else value[int(index)]
        except (KeyError, IndexError, TypeError):
            return None
    return value
