"""The states of a stack and of its resources, as its events tell them, and which of them take an update."""

from __future__ import annotations

from typing import Any

from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import Event

UPDATABLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


def say(stack: Any, status: str, why: str | None = None) -> None:
    """Let a stack be in a state, of which its events tell first."""
    stack._add_stack_event(status, resource_status_reason=why)
    stack.stack_status_reason, stack.status = why, status


def say_of(stack: Any, name: str, kind: str, status: str, why: str | None, resource: Any = None) -> None:
    """Let a resource of a stack be in a state."""
    resource = resource or stack.resource_map._parsed_resources.get(name)
    stack.events.append(
        Event(
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


def require_updatable(stack: Any) -> None:
    """Raise AWS's error where a stack cannot be updated: something is under way, or failed so that it must be mended first."""
    if stack.status not in UPDATABLE:
        raise ValidationError(message=f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated.")
