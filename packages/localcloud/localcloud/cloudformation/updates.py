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

from localcloud.cloudformation import schemas
from localcloud.cloudformation.deletions import Deletion, discard, reason
from localcloud.cloudformation.references import Json, in_order
from localcloud.core.late_reads import changing
from localcloud.iam.roles import ROLES
from localcloud.kms.keys import ALIASES, POLICIES

MADE_BY_MOTO = {"AWS::IAM": (ROLES,), "AWS::KMS": (POLICIES, ALIASES)}  # without a request to the service
_moto_parameter = parsing.ResourceMap.parse_ssm_parameter
_moto_json = parsing.clean_json


class Replaced(NamedTuple):
    """A physical resource that another one took the place of: its logical id, moto's record, its properties, and the new one's JSON."""

    name: str
    resource: Any
    resolved: Json
    json: Json


def install() -> None:
    """Put this in the place of moto's update."""
    parsing.resource_class_from_type = _resource_class
    parsing.clean_json = _json  # type: ignore[assignment]
    parsing.ResourceMap.update = _update  # type: ignore[method-assign]
    parsing.ResourceMap.parse_ssm_parameter = _parameter  # type: ignore[method-assign]


def _json(value: Any, resources: Any) -> Any:
    """A template's JSON with its functions carried out: what is `AWS::NoValue` is no element of a list, where moto leaves None."""
    if isinstance(value, list):
        return [each for each in (parsing.clean_json(each, resources) for each in value) if each is not None]
    return _moto_json(value, resources)


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
    old_json = self._resource_json_map
    self._template, self._resource_json_map = template, template["Resources"]
    if parameters is not None:
        self.input_parameters = {n: _unresolved(self, template, n, v) for n, v in parameters.items()}
    self.load_mapping()
    self.load_parameters()
    self.load_conditions()
    self.replaced = []
    present = _present(self)
    for name in present:
        _apply(self, name)
    for name in reversed([n for n in in_order(old_json) if n not in present and n in self._parsed_resources]):
        discard(self, Deletion(name, self._parsed_resources.pop(name), old_json[name]))
        resolved_of(self).pop(name, None)
    for old in reversed(self.replaced):
        discard(self, Deletion(old.name, old.resource, old.json), policy="UpdateReplacePolicy")
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


def _present(self: Any) -> list[str]:
    """The logical ids of what the template wants, in the order of references: all but what its condition leaves out."""
    json, conditions = self._resource_json_map, self.lazy_condition_map
    return [name for name in in_order(json) if "Condition" not in json[name] or conditions[json[name]["Condition"]]]


def _apply(self: Any, name: str) -> None:
    """Create or update one resource."""
    json, resolved = self._resource_json_map[name], resolved_of(self)
    wanted = parsing.clean_json(copy.deepcopy(json), self)
    old = self._parsed_resources.get(name)
    if old is not None and resolved.get(name) == wanted:
        return
    event: Callable[..., None] = getattr(self, "on_event", lambda *_: None)
    verb = "CREATE" if old is None else "UPDATE"
    event(name, json["Type"], f"{verb}_IN_PROGRESS", None)
    if name not in getattr(self, "skipped", ()):
        try:
            _put(self, name, wanted)
        except Exception as error:
            self.failing = name
            event(name, json["Type"], f"{verb}_FAILED", reason(error))
            raise
    resolved[name] = wanted
    event(name, json["Type"], f"{verb}_COMPLETE", None)


def _put(self: Any, name: str, wanted: Json) -> None:
    """Create a resource, change it, or create another one that takes its place."""
    parsed, json, resolved = self._parsed_resources, self._resource_json_map[name], resolved_of(self)
    old, before, properties = parsed.get(name), resolved.get(name), wanted.get("Properties", {})
    schema = schemas.of(json["Type"], self._region_name)
    if schema:
        schema.require(name, properties)
    named_by = parsing.resource_name_property_from_type(json["Type"])
    if old is None:
        parsed[name] = _made(self, name, parsing.parse_and_create_resource)
    elif before is not None and schema and schema.replaces(before.get("Properties", {}), properties, named_by):
        parsed[name] = _made(self, name, parsing.parse_and_create_resource)
        self.replaced.append(Replaced(name, old, before, json))
    else:
        resolved.pop(name, None)  # should it fail, nobody knows how far it came: the way back brings it back like one that succeeded
        parsed[name] = _made(self, name, parsing.parse_and_update_resource)


def _made(self: Any, name: str, make: Callable[..., Any]) -> Any:
    json = self._resource_json_map[name]
    with changing(MADE_BY_MOTO.get(json["Type"].rpartition("::")[0], ()), self._account_id, self._region_name):
        new = make(name, copy.deepcopy(json), self, self._account_id, self._region_name)
    if new is None:
        raise ValidationError(message=f"localcloud cannot update a {json['Type']}")
    return new
