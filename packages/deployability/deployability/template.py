"""A CloudFormation template as rules want to read it: resources by type, references followed, intrinsic functions seen through."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Properties = Mapping[str, Any]
PSEUDO = {"AWS::AccountId": 12, "AWS::Region": 9, "AWS::Partition": 3, "AWS::StackName": 1, "AWS::URLSuffix": 13, "AWS::StackId": 1}


class Template:
    """One template, in CloudFormation's long form."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        found = content.get("Resources")
        self._resources = {name: one for name, one in found.items() if isinstance(one, dict)} if isinstance(found, dict) else {}

    def __iter__(self) -> Iterator[tuple[str, str, Properties]]:
        """(logical id, type, properties) of every resource."""
        for name, resource in self._resources.items():
            properties = resource.get("Properties")
            yield name, str(resource.get("Type")), properties if isinstance(properties, dict) else {}

    def of(self, *types: str) -> Iterator[tuple[str, Properties]]:
        """(logical id, properties) of every resource of one of the types."""
        return ((name, properties) for name, kind, properties in self if kind in types)

    def attribute(self, resource: str, name: str) -> Any:
        """A resource attribute beside its properties, such as DeletionPolicy or DependsOn."""
        return self._resources[resource].get(name)

    def pointed(self, value: Any, *types: str) -> tuple[str, Properties] | None:
        """The resource that a Ref, GetAtt or plain Sub points to, if it is in this template and of one of the types."""
        name = _target(value)
        return next(((one, properties) for one, properties in self.of(*types) if one == name), None)


def options(value: Any) -> Iterator[Any]:
    """Everything that a value can be: itself, or each branch of its conditions; lists hold the items of every branch."""
    if isinstance(value, dict) and set(value) == {"Fn::If"} and isinstance(value["Fn::If"], list):
        for branch in value["Fn::If"][1:]:
            yield from options(branch)
    elif value != {"Ref": "AWS::NoValue"}:
        yield value


def items(value: Any) -> list[Any]:
    """A list's items under all conditions; one item where a list was left out around it."""
    lists = [one if isinstance(one, list) else [one] for one in options(value) if one is not None]
    return [item for one in lists for inner in one for item in options(inner)]


def get(value: Any, *path: str) -> Any:
    """The first value at a path of keys, through conditions; None where there is none."""
    for one in options(value):
        if not path:
            return one
        if isinstance(one, dict) and (found := get(one.get(path[0]), *path[1:])) is not None:
            return found
    return None


def number(value: Any) -> float | None:
    """A number that is written in the template, as a number or as text."""
    try:
        return None if isinstance(value, bool | dict | list | None) else float(value)
    except ValueError:
        return None


def texts(value: Any) -> Iterator[str]:
    """Every text inside a value, whatever it is made of."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from texts(inner)


def words(value: Any) -> str:
    """A text that may be put together by Sub and Join, with `${…}` where something is filled in."""
    match value:
        case str() | int() | float():
            return str(value)
        case {"Fn::Sub": [str() as text, dict()]} | {"Fn::Sub": str() as text}:
            return text
        case {"Fn::Join": [str() as between, list() as parts]}:
            return between.join(words(part) for part in parts)
        case {"Ref": str() as name}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": _}:
            return f"${{{_target(value)}}}"
    return "${}"


def filled(text: str) -> list[str]:
    """What is filled into a text of `words`."""
    return re.findall(r"\$\{([^}]*)\}", text)


def shortest(text: str) -> int:
    """The fewest characters that a text of `words` can have."""
    return len(re.sub(r"\$\{([^}]*)\}", "", text)) + sum(PSEUDO.get(name, 1) for name in filled(text))


def _target(value: Any) -> str | None:
    match value:
        case {"Ref": str() as name}:
            return name
        case {"Fn::GetAtt": [str() as name, *_]}:
            return name
        case {"Fn::GetAtt": str() as path}:
            return path.partition(".")[0]
        case {"Fn::Sub": str() as text} if re.fullmatch(r"\$\{[^}]+\}", text):
            return text[2:-1].partition(".")[0]
    return None
