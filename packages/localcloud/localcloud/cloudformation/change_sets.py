"""Change sets, each of its own stack: moto looks them up by name alone, though every stack's may have the same one."""

from __future__ import annotations

import contextlib
from typing import Any

from moto.cloudformation.exceptions import CloudFormationError, ValidationError
from moto.cloudformation.models import CloudFormationBackend
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult, EmptyResult

from localcloud.cloudformation import stacks
from localcloud.cloudformation.states import require_updatable

_create = CloudFormationBackend.create_change_set
ANSWER_WITHIN = 20  # seconds that ExecuteChangeSet waits for the end: clients look at once, and then only every few seconds


class ChangeSetNotFound(CloudFormationError):
    """The stack has no such change set."""

    code = "ChangeSetNotFound"


def install() -> None:
    """Answer the calls about change sets."""
    setattr(CloudFormationBackend, "create_change_set", _create_change_set)  # noqa: B010
    CloudFormationBackend.execute_change_set = _execute_change_set  # type: ignore[method-assign]
    CloudFormationResponse.describe_change_set = _describe_change_set  # type: ignore[method-assign]
    CloudFormationResponse.delete_change_set = _delete_change_set  # type: ignore[method-assign]


def _create_change_set(self: Any, stack_name: str, change_set_name: str, *, change_set_type: str, **more: Any) -> tuple[str, str]:
    """A stack that is there is not created again, however it fares: it is deleted first."""
    if change_set_type == "CREATE" and any(s.name == stack_name and s.status != "REVIEW_IN_PROGRESS" for s in self.stacks.values()):
        why = f"Stack [{stack_name}] already exists and cannot be created again with the changeSet [{change_set_name}]."
        raise ValidationError(message=why)
    return _create(self, stack_name, change_set_name, change_set_type=change_set_type, **more)


def _change_set(self: Any, name: str, stack_name: str | None) -> Any:
    for change_set in reversed(self.change_sets.values()):
        names, stacks_names = (change_set.change_set_id, change_set.change_set_name), (None, change_set.stack_name, change_set.stack_id)
        if name in names and stack_name in stacks_names:
            return change_set
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
    if stack.status != "REVIEW_IN_PROGRESS":
        require_updatable(stack)
    change_set.execution_status = "EXECUTE_IN_PROGRESS"

    def ended(succeeded: bool) -> None:
        change_set.execution_status = "EXECUTE_COMPLETE" if succeeded else "EXECUTE_FAILED"

    stacks.begin(self, stack, change_set.template_dict, change_set.parameters, change_set.change_set_type, change_set.template, ended)
    stack.deployment.join(ANSWER_WITHIN)
