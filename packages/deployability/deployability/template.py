"""A CloudFormation template as rules want to read it: resources by type, references followed, intrinsic functions seen through."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from deployability.schemas import name_property

Properties = Mapping[str, Any]
PSEUDO = {"AWS::AccountId": 12, "AWS::Region": 9, "AWS::Partition": 3, "AWS::StackName": 1, "AWS::URLSuffix": 13, "AWS::StackId": 1}


class Template:
    """One template, in CloudFormation's long form."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._resources = _mappings(content.get("Resources"))
        self.parameters = _mappings(content.get("Parameters"))
        self.outputs = _mappings(content.get("Outputs"))

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

    def waits_for(self, resource: str) -> set[str]:
        """Every resource that CloudFormation makes before this one: what it depends on or refers to, and what those do."""
        before: set[str] = set()
        ahead = [resource]
        while ahead:
            content = self._resources.get(ahead.pop(), {})
            depends = [one for one in items(content.get("DependsOn")) if isinstance(one, str)]
            new = ({*depends, *references(content.get("Properties"))} & set(self._resources)) - before
            before |= new
            ahead += new
        return before

    def handled_elsewhere(self, resource: str) -> bool:
        """Whether a custom resource, a module or a nested stack refers to it, and so may do to it what this template does not show."""
        others = (
            properties
            for _, kind, properties in self
            if not kind.startswith("AWS::") or kind in ("AWS::CloudFormation::CustomResource", "AWS::CloudFormation::Stack")
        )
        return any(resource in references(properties) for properties in others)

    def pointed(self, value: Any, *types: str) -> tuple[str, Properties] | None:
        """The resource that a value means, if it is in this template and of one of the types: by Ref, GetAtt, plain Sub or its own name."""
        target, text = _target(value), words(value)
        for name, kind, properties in self:
            key = name_property(kind) if kind in types else None
            called = words(properties[key]) if key and key in properties else None
            if kind in types and (name == target or (called == text and "${}" not in text)):
                return name, properties
        return None


def options(value: Any) -> Iterator[Any]:
    """Everything that a value can be: itself, or each branch of its conditions; lists hold the items of every branch."""
    if conditional(value) and isinstance(value["Fn::If"], list):
        for branch in value["Fn::If"][1:]:
            yield from options(branch)
    elif value != {"Ref": "AWS::NoValue"}:
        yield value


def conditional(value: Any) -> bool:
    """Whether a condition decides what a value is, and whether it is there."""
    return isinstance(value, dict) and set(value) == {"Fn::If"}


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


def references(value: Any) -> Iterator[str]:
    """Every logical id or parameter that a value refers to, by Ref, GetAtt or Sub, at any depth."""
    match value:
        case {"Ref": str() as name}:
            yield name
        case {"Fn::GetAtt": _}:
            yield from filter(None, [_target(value)])
        case {"Fn::Sub": [str() as text, dict() as local]}:
            yield from (name for name in _subjects(text) if name not in local)
            yield from references(local)
        case {"Fn::Sub": str() as text}:
            yield from _subjects(text)
        case dict() | list():
            for inner in value.values() if isinstance(value, dict) else value:
                yield from references(inner)


def _subjects(text: str) -> Iterator[str]:
    return (name.strip().partition(".")[0] for name in filled(text) if not name.startswith("!"))


def known(text: str) -> bool:
    """Whether a text of `words` is the same whatever parameters and other resources are; AWS's own pseudo parameters count as the same."""
    return all(name.startswith("AWS::") for name in filled(text))


def _mappings(value: Any) -> dict[str, dict[str, Any]]:
    return {str(name): one for name, one in value.items() if isinstance(one, dict)} if isinstance(value, dict) else {}


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
