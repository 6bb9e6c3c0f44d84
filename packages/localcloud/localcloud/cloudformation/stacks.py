"""Stacks that are created, updated, rolled back with the reason in their events, and protected from deletion.

moto runs inside the request, and never rolls back.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from typing import Any

from moto.cloudformation import models
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult

from localcloud.cloudformation.references import Json, in_order
from localcloud.cloudformation.updates import reason

_moto_delete_stack = models.CloudFormationBackend.delete_stack


def install() -> None:
    """Put the engine in the place of moto's."""
    models.CloudFormationBackend.update_stack = _update_stack  # type: ignore[method-assign]
    models.Stack.create_resources = _create_resources  # type: ignore[method-assign]
    models.CloudFormationBackend.delete_stack = _delete_stack  # type: ignore[method-assign]
    CloudFormationResponse.update_termination_protection = _update_termination_protection  # type: ignore[attr-defined]


def _create_resources(self: Any) -> None:
    """Stack.create_resources: what CreateStack does, inside the request."""
    _deploy(self, self.template_dict, self.parameters, verb="CREATE")


def _update_stack(
    self: Any, name: str, template: str, role_arn: str | None, parameters: list[dict[str, Any]], tags: dict[str, str] | None
) -> Any:
    stack = self.get_stack(name)
    require_settled(stack)
    kept = {p["ParameterKey"] for p in parameters if p.get("UsePreviousValue")}
    values = {name: value for name, value in stack.parameters.items() if name in kept}  # those with a default may never have been given
    values |= {p["ParameterKey"]: p["ParameterValue"] for p in parameters if "ParameterValue" in p}
    stack.role_arn, stack.tags = role_arn or stack.role_arn, stack.tags if tags is None else tags
    begin(self, stack, stack.parse_template(template), values, "UPDATE", template, lambda _: None)
    return stack


def require_settled(stack: Any) -> None:
    """Raise an AWS error while something is under way."""
    if re.fullmatch(r"(CREATE|(UPDATE_)?ROLLBACK|UPDATE|DELETE)_IN_PROGRESS", stack.status):
        raise ValidationError(message=f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated.")


def begin(
    backend: Any, stack: Any, template: Json, parameters: dict[str, Any], verb: str, text: str, ended: Callable[[bool], None]
) -> None:
    """Deploy in a thread of its own, `stack.deployment`; `ended` is called with whether it succeeded."""
    stack.status = f"{verb}_IN_PROGRESS"

    def run() -> None:
        succeeded = _deploy(stack, template, parameters, verb=verb, text=text)
        if succeeded:
            for export in stack.exports:
                backend.exports[export.name] = export
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
    resources.on_event = lambda name, kind, status, why: _event(stack, name, kind, status, why)
    stack._add_stack_event(f"{verb}_IN_PROGRESS", resource_status_reason="User Initiated")
    try:
        resources.update(template, parameters)
    except Exception as error:
        logging.getLogger(__name__).exception("%s", stack.name)
        _roll_back(stack, before, verb, reason(error))
        return False
    stack.template_dict, stack.parameters = template, dict(parameters)
    stack.template = text if text is not None else stack.template
    stack.description = template.get("Description")
    stack.output_map = stack._create_output_map()
    stack.status = f"{verb}_COMPLETE"
    stack._add_stack_event(stack.status)
    return True


def _roll_back(stack: Any, before: tuple[Json, dict[str, Any]], verb: str, why: str) -> None:
    prefix = "ROLLBACK" if verb == "CREATE" else "UPDATE_ROLLBACK"
    stack._add_stack_event(f"{prefix}_IN_PROGRESS", resource_status_reason=why)
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
    stack.stack_status_reason = why
    stack.status = f"{prefix}_COMPLETE"
    stack._add_stack_event(stack.status)


def _event(stack: Any, name: str, kind: str, status: str, why: str | None) -> None:
    resource = stack.resource_map._parsed_resources.get(name)
    stack.events.append(
        models.Event(
            stack_id=stack.stack_id,
            stack_name=stack.name,
            logical_resource_id=name,
            physical_resource_id=getattr(resource, "physical_resource_id", "") or "",
            resource_type=kind,
            resource_status=status,
            resource_status_reason=why,
            resource_properties=None,
        )
    )
