"""What a rule's target is sent of an event: all of it, a part, a constant, or what a transformer makes of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from localcloud.core.errors import invalid
from localcloud.events.patterns import Event

PATH = re.compile(r"\$(\.[\w-]+|\[\d+\])*")


def check(target: Mapping[str, Any]) -> None:
    """Raise an AWS error for a target's input that cannot be made."""
    inputs = [k for k in ("Input", "InputPath", "InputTransformer") if target.get(k) is not None]
    if len(inputs) > 1:
        raise invalid(f"Only one of Input, InputPath, or InputTransformer must be provided for target {target['Id']}.")
    paths = [target["InputPath"]] if "InputPath" in inputs else list(target.get("InputTransformer", {}).get("InputPathsMap", {}).values())
    if unknown := [p for p in paths if not PATH.fullmatch(p)]:
        raise invalid(f"localcloud does not know the JSON path {unknown[0]} of target {target['Id']}: it knows names and array indices")
    if "Input" in inputs:
        json.loads(target["Input"])


def text(target: Mapping[str, Any], event: Event, rule_arn: str) -> str:
    """The text that a target gets. Raises an AWS error when a transformer does not make JSON."""
    if (constant := target.get("Input")) is not None:
        return str(constant)
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

    def fill(match: re.Match[str]) -> str:
        if match[1] not in values:
            return match[0]
        value, quoted = values[match[1]], len(re.findall(r'(?<!\\)"', template[: match.start()])) % 2
        if not quoted:
            return json.dumps(value)
        return json.dumps("" if value is None else value if isinstance(value, str) else json.dumps(value))[1:-1]

    filled = re.sub(r"<([\w.-]+)>", fill, template)
    try:
        json.loads(filled)
    except ValueError as problem:
        raise invalid(f"InputTransformer made no JSON: {problem}: {filled[:200]}") from problem
    return filled


def _at(path: str, event: Event) -> Any:
    value: Any = event
    for name, index in re.findall(r"\.([\w-]+)|\[(\d+)\]", path):
        try:
            value = value[name] if name else value[int(index)]
        except (KeyError, IndexError, TypeError):
            return None
    return value
