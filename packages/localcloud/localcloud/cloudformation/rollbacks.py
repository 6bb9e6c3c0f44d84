"""The way back from an update of a stack that failed, as far as there is one.

What the update replaced is still there and takes its place again; what it changed is changed back; what it made is deleted last. Where that
fails, as with a resource that somebody deleted, the rest of the way is kept, to be continued without that resource.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from localcloud.cloudformation.deletions import Deletion, together
from localcloud.cloudformation.references import Json, in_order
from localcloud.cloudformation.updates import resolved_of


class Rollback:
    """The way back to `template` and `parameters`; `there` are the logical ids that the update began with.

    `left` is what only the failed update knows, `failed` the resource that it stopped at, if it was one.
    """

    def __init__(self, resources: Any, template: Json, parameters: dict[str, Any], there: Collection[str]) -> None:
        self.resources, self.template, self.parameters, self.there = resources, template, parameters, there
        self.failed: str | None = None
        self.left = [deletion for deletion in [*self._made(), *self._replaced()] if deletion.json.get("DeletionPolicy") != "Retain"]

    def _made(self) -> list[Deletion]:
        """What the update added, taken out of the stack."""
        parsed, json = self.resources._parsed_resources, self.resources._resource_json_map
        made = [name for name in in_order(json) if name in parsed and name not in self.there]
        for name in made:
            resolved_of(self.resources).pop(name, None)
        return [Deletion(name, parsed.pop(name), json[name]) for name in made]

    def _replaced(self) -> list[Deletion]:
        """What the update put in the place of others, which take their places again."""
        parsed, replaced = self.resources._parsed_resources, self.resources.replaced
        new = [Deletion(old.name, parsed[old.name], old.json) for old in replaced]
        for old in replaced:
            parsed[old.name] = old.resource
            resolved_of(self.resources)[old.name] = old.resolved
        return new

    def run(self, skipped: Collection[str] = ()) -> None:
        """Go back, taking the resources `skipped` as they are. Raises what stops it."""
        resources = self.resources
        resources.skipped, resources.failing = skipped, None
        try:
            resources.update(self.template, self.parameters)
        finally:
            resources.skipped, self.failed = (), resources.failing
        together(resources, self.left[::-1])
