"""What the resources of a stack are and how each fares, by its events.

moto shows each in the state of its stack, and makes what it looks for and does not find.
"""

from __future__ import annotations

from typing import Any

from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult


def install() -> None:
    """Answer the calls about a stack's resources."""
    for answer in (describe_stack_resource, describe_stack_resources, list_stack_resources):
        setattr(CloudFormationResponse, answer.__name__, answer)


def describe_stack_resource(self: Any) -> ActionResult:
    stack, name = _stack(self), self._get_param("LogicalResourceId")
    found = [resource for resource in _resources(stack) if resource["LogicalResourceId"] == name]
    if not found:
        raise ValidationError(message=f"Resource {name} does not exist for stack {stack.name}")
    return ActionResult({"StackResourceDetail": found[0]})


def describe_stack_resources(self: Any) -> ActionResult:
    wanted = self._get_param("LogicalResourceId")
    return ActionResult({"StackResources": [r for r in _resources(_stack(self)) if wanted in (None, r["LogicalResourceId"])]})


def list_stack_resources(self: Any) -> ActionResult:
    return ActionResult({"StackResourceSummaries": _resources(_stack(self))})


def _stack(self: Any) -> Any:
    return self.cloudformation_backend.get_stack(self._get_param("StackName"))


def _resources(stack: Any) -> list[dict[str, Any]]:
    """The members that the three calls have in common; each takes those that it knows."""
    newest = {event.logical_resource_id: event for event in list(stack.events) if not _is_of_another(event, stack)}
    there = stack.resource_map._resource_json_map
    return [
        {
            "StackId": stack.stack_id,
            "StackName": stack.name,
            "LogicalResourceId": name,
            "PhysicalResourceId": _current(stack, event),
            "ResourceType": event.resource_type,
            "ResourceStatus": event.resource_status,
            "ResourceStatusReason": event.resource_status_reason,
            "Timestamp": event.timestamp,
            "LastUpdatedTimestamp": event.timestamp,
        }
        for name, event in newest.items()
        if name in there
    ]


def _current(stack: Any, event: Any) -> Any:
    """The physical resource that there is now: the way back gives one its place again without an event of its own."""
    resource = stack.resource_map._parsed_resources.get(event.logical_resource_id)
    return getattr(resource, "physical_resource_id", event.physical_resource_id)


def _is_of_another(event: Any, stack: Any) -> bool:
    """Whether an event is of the stack itself, or of a physical resource that another one took the place of."""
    gone = event.resource_status.startswith("DELETE_") and event.physical_resource_id != _current(stack, event)
    return bool(gone or event.resource_type == "AWS::CloudFormation::Stack")
