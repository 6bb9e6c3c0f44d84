"""CloudFormation's own description of each resource type, as cfn-lint brings it: what its properties may be, and which never change.

Its user guide tells what the descriptions mean: "Resource type schema" and "Update behaviors of stack resources".
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from moto.cloudformation.exceptions import ValidationError

from localcloud.cloudformation.schema_rules import Json, plain, problems

Path = tuple[str, ...]  # the names that lead to a property


class Schema:
    """One resource type's description."""

    def __init__(self, described: Mapping[str, Any]) -> None:
        self._described = described
        self._create_only = _paths(described, "createOnlyProperties")
        self._identifier = _paths(described, "primaryIdentifier")
        self._read_only = _paths(described, "readOnlyProperties") - self._create_only

    def require(self, name: str, properties: Json) -> None:
        """Raise CloudFormation's error where the resource `name` cannot have these properties."""
        words = list(problems(self._described, properties))
        words += [f"#/{'/'.join(path)}: a read-only property cannot be set" for path in sorted(self._read_only) if _at(properties, path)]
        if words:
            raise ValidationError(message="\n".join([f"Properties validation failed for resource {name} with message:", *words]))

    def replaces(self, before: Json, after: Json, name: str | None) -> bool:
        """Whether a change of properties asks for another resource; `name` is the property that names one, if the type has such.

        Raises CloudFormation's error where the new resource would have the name of the one that it is to replace.
        """
        changed = {path for path in self._create_only if plain(_at(before, path)) != plain(_at(after, path))}
        fixed = after.get(name) if name and (name,) not in changed else None
        if changed and fixed and not changed & self._identifier:
            words = "CloudFormation cannot update a stack when a custom-named resource requires replacing."
            raise ValidationError(message=f"{words} Rename {fixed} and update the stack again.")
        return bool(changed)


@cache
def of(kind: str, region: str) -> Schema | None:
    """The description of a resource type in a region; None where CloudFormation publishes none, and nothing is judged."""
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER, ResourceNotFoundError  # type: ignore[import-untyped]  # takes a second to import

    try:
        return Schema(PROVIDER_SCHEMA_MANAGER.get_resource_schema(region, kind).schema)
    except ResourceNotFoundError:
        return None


def _paths(described: Mapping[str, Any], which: str) -> frozenset[Path]:
    """A description's list of pointers such as /properties/A/B."""
    return frozenset(tuple(pointer.split("/")[2:]) for pointer in described.get(which, []))


def _at(value: Json, path: Path) -> Json:
    """What is at a path, or None."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
