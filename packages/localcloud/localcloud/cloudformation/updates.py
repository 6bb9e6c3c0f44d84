"""Brings the resources of a stack to what a template says, one after the other.

moto parses templates and knows many resource types, but updates only what a changed line touches. Types that moto lacks, or makes
incompletely, are in `resources`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError
from moto.ssm.models import ssm_backends

from localcloud.cloudformation.deletions import Deletion, discard, reason
from localcloud.cloudformation.references import Json, in_order

_moto_parameter = parsing.ResourceMap.parse_ssm_parameter


class Replaced(NamedTuple):
    """A physical resource that another one took the place of: its logical id, moto's record, its properties, and the new one's JSON."""

    name: str
    resource: Any
    resolved: Json
    json: Json


def install() -> None:
    """Put this in the place of moto's update."""
    parsing.resource_class_from_type = _resource_class
    parsing.ResourceMap.update = _update  # type: ignore[method-assign]
    parsing.ResourceMap.parse_ssm_parameter = _parameter  # type: ignore[method-assign]


def _resource_class(resource_type: str) -> Any:
    known = parsing.get_model_map().get(resource_type)
    if known is None:
        where = "localcloud/cloudformation/resources"
        raise ValidationError(message=f"localcloud has no resource type {resource_type}: add it to {where}")
    return known


def _update(self: Any, template: Json, parameters: dict[str, Any] | None = None) -> None:
    """ResourceMap.update: bring every resource to what `template` and `parameters` say, then delete what is no longer needed.

    Until then `replaced` is kept, for a way back. What cannot be deleted then is left, as CloudFormation leaves it.
    """
    gone = [n for n in in_order(self._resource_json_map) if n not in template["Resources"]]
    old_json = self._resource_json_map
    self._template, self._resource_json_map = template, template["Resources"]
    if parameters is not None:
        self.input_parameters = {n: _unresolved(self, template, n, v) for n, v in parameters.items()}
    self.load_mapping()
    self.load_parameters()
    self.load_conditions()
    self.replaced = []
    for name in in_order(self._resource_json_map):
        _apply(self, name)
    for name in reversed(gone):
        if (resource := self._parsed_resources.pop(name, None)) is not None and old_json[name].get("DeletionPolicy") != "Retain":
            discard(self, Deletion(name, resource, old_json[name]))
        resolved_of(self).pop(name, None)
    for old in reversed(self.replaced):
        if old.json.get("UpdateReplacePolicy") != "Retain":
            discard(self, Deletion(old.name, old.resource, old.json))
    self.replaced = []


def resolved_of(resources: Any) -> dict[str, Json]:
    """What each resource of moto's ResourceMap was last made of, by logical id."""
    resolved: dict[str, Json] = resources.__dict__.setdefault("resolved", {})
    return resolved


def _parameter(self: Any, value: str, value_type: str) -> Any:
    """What SSM holds for a parameter of the stack; moto breaks on one that is not there."""
    if ssm_backends[self._account_id][self._region_name].get_parameter(value) is None:
        raise ValidationError(message=f"Unable to fetch parameters [{value}] from parameter store for this account.")
    return _moto_parameter(self, value, value_type)


def _unresolved(self: Any, template: Json, name: str, value: Any) -> Any:
    """For a parameter that keeps its value moto passes what an SSM parameter held, where its path belongs."""
    slot = template.get("Parameters", {}).get(name, {})
    if slot.get("Type", "").startswith("AWS::SSM::Parameter::") and value == self.resolved_parameters.get(name):
        return self.input_parameters.get(name, slot.get("Default"))
    return value


def _apply(self: Any, name: str) -> None:
    """Create or update one resource."""
    json, resolved = self._resource_json_map[name], resolved_of(self)
    if (condition := json.get("Condition")) and not self.lazy_condition_map[condition]:
        return
    wanted = parsing.clean_json(copy.deepcopy(json), self)
    old, before = self._parsed_resources.get(name), resolved.get(name)
    if old is not None and before == wanted:
        return
    event: Callable[..., None] = getattr(self, "on_event", lambda *_: None)
    verb = "CREATE" if old is None else "UPDATE"
    event(name, json["Type"], f"{verb}_IN_PROGRESS", None)
    if name not in getattr(self, "skipped", ()):
        try:
            self._parsed_resources[name] = new = _made(self, name, json, old)
        except Exception as error:
            if not getattr(getattr(old, "of", None), "fixed", False):  # what would have been replaced is as it was
                resolved.pop(name, None)  # nobody knows how far it came: the way back brings it back like one that succeeded
            self.failing = name
            event(name, json["Type"], f"{verb}_FAILED", reason(error))
            raise
        if old is not None and old.physical_resource_id != new.physical_resource_id and getattr(new, "replaces", False):
            self.replaced.append(Replaced(name, old, before, json))
    resolved[name] = wanted
    event(name, json["Type"], f"{verb}_COMPLETE", None)


def _made(self: Any, name: str, json: Json, old: Any) -> Any:
    if old is None:
        self._parsed_resources.pop(name, None)
        return self[name]
    new = parsing.parse_and_update_resource(name, copy.deepcopy(json), self, self._account_id, self._region_name)
    if new is None:
        raise ValidationError(message=f"localcloud cannot update a {json['Type']}")
    return new
