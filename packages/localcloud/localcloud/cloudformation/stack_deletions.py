"""DeleteStack: with what it cannot delete, and what it is not to; and the protection from it."""

from __future__ import annotations

from typing import Any

from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult, EmptyResult

from localcloud.cloudformation import deletions
from localcloud.cloudformation.states import say

UNDER_WAY = ("UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS")  # no deletion meanwhile


def install() -> None:
    """Answer DeleteStack and UpdateTerminationProtection."""
    setattr(CloudFormationResponse, "delete_stack", delete_stack)  # noqa: B010
    setattr(CloudFormationResponse, "update_termination_protection", update_termination_protection)  # noqa: B010


def update_termination_protection(self: Any) -> ActionResult:
    stack = self.cloudformation_backend.get_stack(self._get_param("StackName"))
    stack.enable_termination_protection = self._get_bool_param("EnableTerminationProtection", False)
    return ActionResult({"StackId": stack.stack_id})


def delete_stack(self: Any) -> EmptyResult:
    """DeleteStack: of every stack of the name, of which there are several where change sets made them. None is deleted too."""
    backend, name = self.cloudformation_backend, self._get_param("StackName")
    for stack in [s for s in backend.stacks.values() if name in (s.name, s.stack_id) and s.status != "DELETE_IN_PROGRESS"]:
        _delete(backend, stack, set(self._get_param("RetainResources") or []), self._get_param("DeletionMode") == "FORCE_DELETE_STACK")
    return EmptyResult()


def _delete(backend: Any, stack: Any, retained: set[str], force: bool) -> None:
    if stack.enable_termination_protection:
        raise ValidationError(message=f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
    if stack.status in UNDER_WAY:
        raise ValidationError(message=f"Stack [{stack.name}] cannot be deleted while in status {stack.status}")
    if (retained or force) and stack.status != "DELETE_FAILED":
        only = "Specify resources to retain only when the current stack state is DELETE_FAILED."
        raise ValidationError(message=f"Invalid operation on stack [{stack.stack_id}]. {only}")
    exports = [export.name for export in stack.exports]
    say(stack, "DELETE_IN_PROGRESS", "User Initiated")
    kept = retained | {n for n, json in stack.resource_map._resource_json_map.items() if json.get("DeletionPolicy") in deletions.KEPT}
    failed = deletions.everything(stack.resource_map, kept)
    if stack.__dict__.get("way_back"):
        failed += deletions.together(stack.resource_map, stack.way_back.left)
    if failed and not force:
        return say(stack, "DELETE_FAILED", f"The following resource(s) failed to delete: [{', '.join(failed)}]. ")
    for name in exports:
        backend.exports.pop(name, None)
    backend.deleted_stacks[stack.stack_id] = backend.stacks.pop(stack.stack_id)
    return say(stack, "DELETE_COMPLETE")
