"""Brings the resources of a stack to what a template says, one after the other.

moto parses templates and knows many resource types, but updates only what a changed line touches. Types that moto lacks, or makes
incompletely, are in `resources`.
"""

from __future__ import annotations

import copy
from typing import Any

from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError
from moto.ssm.models import ssm_backends

from localcloud.cloudformation.references import Json, in_order

_moto_parameter = parsing.ResourceMap.parse_ssm_parameter


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
    """ResourceMap.update: bring every resource to what `template` and `parameters` say."""
    resolved = self.__dict__.setdefault("resolved", {})
    gone = [n for n in in_order(self._resource_json_map) if n not in template["Resources"]]
    old_json = self._resource_json_map
    self._template, self._resource_json_map = template, template["Resources"]
    if parameters is not None:
        self.input_parameters = {n: _unresolved(self, template, n, v) for n, v in parameters.items()}
    self.load_mapping()
    self.load_parameters()
    self.load_conditions()
    replaced = []
    for name in in_order(self._resource_json_map):
        replaced += _apply(self, name, resolved)
    for name in reversed(gone):
        if (resource := self._parsed_resources.pop(name, None)) is not None and old_json[name].get("DeletionPolicy") != "Retain":
            self._delete_resource(resource, old_json[name])
        resolved.pop(name, None)
    for resource, json in replaced:
        if json.get("UpdateReplacePolicy") != "Retain":
            self._delete_resource(resource, json)


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


def _apply(self: Any, name: str, resolved: dict[str, Json]) -> list[tuple[Any, Json]]:
    """Create or update one resource; returns the old physical resource when it was replaced."""
    json = self._resource_json_map[name]
    if (condition := json.get("Condition")) and not self.lazy_condition_map[condition]:
        return []
    wanted = parsing.clean_json(copy.deepcopy(json), self)
    old = self._parsed_resources.get(name)
    if old is not None and resolved.get(name) == wanted:
        return []
    event = getattr(self, "on_event", lambda *_: None)
    verb = "CREATE" if old is None else "UPDATE"
    event(name, json["Type"], f"{verb}_IN_PROGRESS", None)
    try:
        if old is None:
            self._parsed_resources.pop(name, None)
            new = self[name]
        else:
            new = parsing.parse_and_update_resource(name, copy.deepcopy(json), self, self._account_id, self._region_name)
            if new is None:
                raise ValidationError(message=f"localcloud cannot update a {json['Type']}")
            self._parsed_resources[name] = new
    except Exception as error:
        event(name, json["Type"], f"{verb}_FAILED", reason(error))
        raise
    resolved[name] = wanted
    event(name, json["Type"], f"{verb}_COMPLETE", None)
    changed = old is not None and old.physical_resource_id != new.physical_resource_id and getattr(new, "replaces", False)
    return [(old, json)] if changed else []


def reason(error: Exception) -> str:
    """An error as a ResourceStatusReason."""
    return str(getattr(error, "message", None) or getattr(error, "description", None) or error or type(error).__name__)
