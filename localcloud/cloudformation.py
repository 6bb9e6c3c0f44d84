"""Deploys stacks as CloudFormation does: in the order of references, replacing what must be replaced, rolling back on failure.

moto parses templates and knows many resource types; it updates only what a changed line touches, runs inside the
request, and never rolls back. This is the missing engine. Resource types that moto lacks are in resources.py.
"""

from __future__ import annotations

import contextlib
import copy
import re
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from moto.cloudformation import models, parsing
from moto.cloudformation.exceptions import CloudFormationError, ValidationError
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.ssm.models import ssm_backends

from localcloud.cloud import cloud

Json = Any
_moto_parameter = parsing.ResourceMap.parse_ssm_parameter
_moto_delete_stack = models.CloudFormationBackend.delete_stack
ANSWER_WITHIN = 20  # seconds that ExecuteChangeSet waits for the end: clients look at once, and then only every few seconds


def install() -> None:
    """Put the engine in the place of moto's."""
    parsing.resource_class_from_type = _resource_class
    parsing.ResourceMap.update = _update  # type: ignore[method-assign]
    parsing.ResourceMap.parse_ssm_parameter = _parameter  # type: ignore[method-assign]
    models.CloudFormationBackend.execute_change_set = _execute_change_set  # type: ignore[method-assign]
    models.CloudFormationBackend.update_stack = _update_stack  # type: ignore[method-assign]
    models.Stack.create_resources = _create_resources  # type: ignore[method-assign]
    models.CloudFormationBackend.delete_stack = _delete_stack  # type: ignore[method-assign]
    CloudFormationResponse.describe_change_set = _describe_change_set  # type: ignore[method-assign]
    CloudFormationResponse.delete_change_set = _delete_change_set  # type: ignore[method-assign]
    CloudFormationResponse.update_termination_protection = _update_termination_protection  # type: ignore[attr-defined]


def _resource_class(resource_type: str) -> Any:
    found = parsing.get_model_map().get(resource_type)
    if found is None:
        raise ValidationError(message=f"localcloud has no resource type {resource_type}: add an adapter in localcloud/resources.py")
    return found


def references(value: Json) -> Iterator[str]:
    """Logical ids that a resource's JSON refers to, by Ref, Fn::GetAtt, Fn::Sub or DependsOn."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        if key == "Ref":
            yield inner
        elif key == "Fn::GetAtt":
            yield inner[0] if isinstance(inner, list) else inner.split(".")[0]
        elif key == "DependsOn":
            yield from [inner] if isinstance(inner, str) else inner
        elif key == "Fn::Sub":
            text = inner if isinstance(inner, str) else inner[0]
            yield from (name.split(".")[0] for name in re.findall(r"\$\{([^!}]+)\}", text))
            yield from references(inner[1:] if isinstance(inner, list) else [])
        else:
            yield from references(inner)


def in_order(resources: dict[str, Json]) -> list[str]:
    """Logical ids with every resource after the ones it refers to."""
    ordered: dict[str, None] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise ValidationError(message=f"Circular dependency between resources: {' → '.join([*path, name])}")
        if name in ordered or name not in resources:
            return
        for other in sorted(set(references(resources[name]))):
            visit(other, (*path, name))
        ordered[name] = None

    for name in resources:
        visit(name, ())
    return list(ordered)


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
        event(name, json["Type"], f"{verb}_FAILED", _reason(error))
        raise
    resolved[name] = wanted
    event(name, json["Type"], f"{verb}_COMPLETE", None)
    changed = old is not None and old.physical_resource_id != new.physical_resource_id and getattr(new, "replaces", False)
    return [(old, json)] if changed else []


def _reason(error: Exception) -> str:
    return str(getattr(error, "message", None) or getattr(error, "description", None) or error or type(error).__name__)


def _create_resources(self: Any) -> None:
    """Stack.create_resources: what CreateStack does, inside the request."""
    _deploy(self, self.template_dict, self.parameters, verb="CREATE")


class ChangeSetNotFound(CloudFormationError):
    """moto looks change sets up by name alone, though every stack's may have the same one."""

    code = "ChangeSetNotFound"


def _change_set(self: Any, name: str, stack_name: str | None) -> Any:
    for found in reversed(self.change_sets.values()):
        if name in (found.change_set_id, found.change_set_name) and stack_name in (None, found.stack_name, found.stack_id):
            return found
    raise ChangeSetNotFound(f"ChangeSet [{name}] does not exist")


def _describe_change_set(self: Any) -> ActionResult:
    return ActionResult(_change_set(self.cloudformation_backend, self._get_param("ChangeSetName"), self._get_param("StackName")))


def _delete_change_set(self: Any) -> ActionResult:
    """As CloudFormation: deleting what is not there succeeds."""
    backend = self.cloudformation_backend
    with contextlib.suppress(ChangeSetNotFound):
        del backend.change_sets[_change_set(backend, self._get_param("ChangeSetName"), self._get_param("StackName")).change_set_id]
    return EmptyResult()


def _execute_change_set(self: Any, change_set_name: str, stack_name: str | None = None) -> None:
    change_set = _change_set(self, change_set_name, stack_name)
    stack = self.stacks[change_set.stack_id]
    _settled(stack)
    change_set.execution_status = "EXECUTE_IN_PROGRESS"

    def ended(succeeded: bool) -> None:
        change_set.execution_status = "EXECUTE_COMPLETE" if succeeded else "EXECUTE_FAILED"

    _begin(self, stack, change_set.template_dict, change_set.parameters, change_set.change_set_type, change_set.template, ended)
    stack.deployment.join(ANSWER_WITHIN)


def _update_stack(
    self: Any, name: str, template: str, role_arn: str | None, parameters: list[dict[str, Any]], tags: dict[str, str] | None
) -> Any:
    stack = self.get_stack(name)
    _settled(stack)
    kept = {p["ParameterKey"] for p in parameters if p.get("UsePreviousValue")}
    values = {name: value for name, value in stack.parameters.items() if name in kept}  # those with a default may never have been given
    values |= {p["ParameterKey"]: p["ParameterValue"] for p in parameters if "ParameterValue" in p}
    stack.role_arn, stack.tags = role_arn or stack.role_arn, stack.tags if tags is None else tags
    _begin(self, stack, stack.parse_template(template), values, "UPDATE", template, lambda _: None)
    return stack


def _settled(stack: Any) -> None:
    if re.fullmatch(r"(CREATE|(UPDATE_)?ROLLBACK|UPDATE|DELETE)_IN_PROGRESS", stack.status):
        raise ValidationError(message=f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated.")


def _begin(self: Any, stack: Any, template: Json, parameters: dict[str, Any], verb: str, text: str, ended: Callable[[bool], None]) -> None:
    """Deploy in a thread of its own, `stack.deployment`."""
    stack.status = f"{verb}_IN_PROGRESS"

    def run() -> None:
        succeeded = _deploy(stack, template, parameters, verb=verb, text=text)
        if succeeded:
            for export in stack.exports:
                self.exports[export.name] = export
        ended(succeeded)

    stack.deployment = threading.Thread(target=run, daemon=True)
    stack.deployment.start()


def _update_termination_protection(self: Any) -> ActionResult:
    stack = self.cloudformation_backend.get_stack(self._get_param("StackName"))
    stack.enable_termination_protection = self._get_bool_param("EnableTerminationProtection", False)
    return ActionResult({"StackId": stack.stack_id})


def _delete_stack(self: Any, name_or_stack_id: str) -> None:
    for stack in self.describe_stacks(name_or_stack_id):
        if stack.enable_termination_protection:
            raise ValidationError(message=f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
    _moto_delete_stack(self, name_or_stack_id)


def _deploy(stack: Any, template: Json, parameters: dict[str, Any], *, verb: str, text: str | None = None) -> bool:
    """Bring `stack` to `template`; on failure roll back, with the reason in the events. Says whether it succeeded."""
    resources = stack.resource_map
    before = (resources._template, dict(resources.input_parameters))
    resources.on_event = lambda name, kind, status, reason: _event(stack, name, kind, status, reason)
    stack._add_stack_event(f"{verb}_IN_PROGRESS", resource_status_reason="User Initiated")
    try:
        resources.update(template, parameters)
    except Exception as error:
        with (cloud().root / "localcloud.log").open("a") as log:
            log.write(f"{stack.name}: {traceback.format_exc()}")
        _roll_back(stack, before, verb, _reason(error))
        return False
    stack.template_dict, stack.parameters = template, dict(parameters)
    stack.template = text if text is not None else stack.template
    stack.description = template.get("Description")
    stack.output_map = stack._create_output_map()
    stack.status = f"{verb}_COMPLETE"
    stack._add_stack_event(stack.status)
    return True


def _roll_back(stack: Any, before: tuple[Json, dict[str, Any]], verb: str, reason: str) -> None:
    prefix = "ROLLBACK" if verb == "CREATE" else "UPDATE_ROLLBACK"
    stack._add_stack_event(f"{prefix}_IN_PROGRESS", resource_status_reason=reason)
    stack.status = f"{prefix}_IN_PROGRESS"
    resources = stack.resource_map
    if verb == "CREATE":
        for name in reversed(in_order(resources._resource_json_map)):
            resource = resources._parsed_resources.pop(name, None)
            if resource is not None:
                resources._delete_resource(resource, resources._resource_json_map[name])
        resources.resolved = {}
    else:
        resources.update(*before)
    stack.stack_status_reason = reason
    stack.status = f"{prefix}_COMPLETE"
    stack._add_stack_event(stack.status)


def _event(stack: Any, name: str, kind: str, status: str, reason: str | None) -> None:
    resource = stack.resource_map._parsed_resources.get(name)
    stack.events.append(
        models.Event(
            stack_id=stack.stack_id,
            stack_name=stack.name,
            logical_resource_id=name,
            physical_resource_id=getattr(resource, "physical_resource_id", "") or "",
            resource_type=kind,
            resource_status=status,
            resource_status_reason=reason,
            resource_properties=None,
        )
    )
