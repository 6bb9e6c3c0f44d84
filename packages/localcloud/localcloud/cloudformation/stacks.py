"""Stacks that are created, updated, and rolled back with the reason in their events.

moto runs inside the request, and never rolls back. Where a way back fails, the stack says so by its state, as on AWS, and what may be done
then is what may be done there.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from typing import Any

from moto.cloudformation import models
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.parsing import OutputMap
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult

from localcloud.cloudformation import deletions
from localcloud.cloudformation.deletions import reason
from localcloud.cloudformation.references import Json
from localcloud.cloudformation.rollbacks import Rollback
from localcloud.cloudformation.states import require_updatable, say, say_of
from localcloud.core import late_reads

_no_updates = CloudFormationResponse._validate_different_update


def install() -> None:
    """Put the engine in the place of moto's."""
    models.CloudFormationBackend.update_stack = _update_stack  # type: ignore[method-assign]
    models.Stack.create_resources = _create_resources  # type: ignore[method-assign]
    setattr(CloudFormationResponse, "_validate_different_update", _validate_update)  # noqa: B010
    setattr(CloudFormationResponse, "continue_update_rollback", _continue_update_rollback)  # noqa: B010


def _create_resources(self: Any) -> None:
    """Stack.create_resources: what CreateStack does, inside the request."""
    _deploy(self, self.template_dict, self.parameters, verb="CREATE")


def _update_stack(
    self: Any, name: str, template: str, role_arn: str | None, parameters: list[dict[str, Any]], tags: dict[str, str] | None
) -> Any:
    stack = self.get_stack(name)
    kept = {p["ParameterKey"] for p in parameters if p.get("UsePreviousValue")}
    values = {name: value for name, value in stack.parameters.items() if name in kept}  # those with a default may never have been given
    values |= {p["ParameterKey"]: p["ParameterValue"] for p in parameters if "ParameterValue" in p}
    stack.role_arn, stack.tags = role_arn or stack.role_arn, stack.tags if tags is None else tags
    begin(self, stack, stack.parse_template(template), values, "UPDATE", template, lambda _: None)
    return stack


def _validate_update(self: Any, parameters: Any, text: str, stack: Any) -> None:
    """Before UpdateStack, and before CreateChangeSet of an update."""
    require_updatable(stack)
    _no_updates(self, parameters, text, stack)


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

    _in_a_thread(stack, run)


def _in_a_thread(stack: Any, work: Callable[[], None]) -> None:
    stack.deployment = threading.Thread(target=work, daemon=True)
    stack.deployment.start()


def _continue_update_rollback(self: Any) -> ActionResult:
    """ContinueUpdateRollback, with or without what the way back stopped at."""
    stack, skipped = self.cloudformation_backend.get_stack(self._get_param("StackName")), self._get_param("ResourcesToSkip") or []
    if stack.status != "UPDATE_ROLLBACK_FAILED":
        raise ValidationError(message=f"Stack:{stack.stack_id} is in {stack.status} state and can not continue update rollback")
    failed = [stack.way_back.failed] if stack.way_back.failed else []
    if self._get_bool_param("ForceRollback", False):
        if skipped:
            raise ValidationError(message="ForceRollback and ResourcesToSkip are mutually exclusive")
        skipped = failed
    if other := [name for name in skipped if name not in failed]:
        states = f"only those that are in UPDATE_FAILED state because a rollback failed, [{', '.join(failed)}]"
        raise ValidationError(message=f"ResourcesToSkip has [{', '.join(other)}]: it can have {states}")
    stack.status = "UPDATE_ROLLBACK_IN_PROGRESS"
    _in_a_thread(stack, lambda: _go_back(stack, "User Initiated", skipped))
    return ActionResult({})


def _deploy(stack: Any, template: Json, parameters: dict[str, Any], *, verb: str, text: str | None = None) -> bool:
    """Bring `stack` to `template`; on failure roll back, with the reason in the events. Says whether it succeeded."""
    resources = stack.resource_map
    before = (resources._template, dict(resources.input_parameters), set(resources._parsed_resources))
    resources.on_event = lambda *what: say_of(stack, *what)
    say(stack, f"{verb}_IN_PROGRESS", "User Initiated")
    try:
        resources.update(template, parameters)
    except Exception as error:
        logging.getLogger(__name__).exception("%s", stack.name)
        if verb == "CREATE":
            _undo(stack, reason(error))
        else:
            stack.way_back = Rollback(resources, *before)
            _go_back(stack, reason(error))
        return False
    stack.template_dict, stack.parameters = template, dict(parameters)
    stack.template = text if text is not None else stack.template
    stack.description = template.get("Description")
    stack.output_map = stack._create_output_map()
    if verb == "CREATE":
        late_reads.settle()
    say(stack, f"{verb}_COMPLETE")
    return True


def _undo(stack: Any, why: str) -> None:
    """Delete what a creation that failed had made, but what is to be retained whatever happens."""
    say(stack, "ROLLBACK_IN_PROGRESS", why)
    stack.output_map = OutputMap(stack.resource_map, {}, stack.stack_id)  # what it would tell is not there
    retained = {n for n, json in stack.resource_map._resource_json_map.items() if json.get("DeletionPolicy") == "Retain"}
    if failed := deletions.everything(stack.resource_map, retained):
        return say(stack, "ROLLBACK_FAILED", f"The following resource(s) failed to delete: [{', '.join(failed)}]. ")
    return say(stack, "ROLLBACK_COMPLETE", why)


def _go_back(stack: Any, why: str, skipped: Collection[str] = ()) -> None:
    say(stack, "UPDATE_ROLLBACK_IN_PROGRESS", why)
    try:
        stack.way_back.run(skipped)
    except Exception as error:
        logging.getLogger(__name__).exception("%s", stack.name)
        failed = stack.way_back.failed
        stuck = f"The following resource(s) failed to update: [{failed}]. " if failed else reason(error)
        return say(stack, "UPDATE_ROLLBACK_FAILED", stuck)
    stack.way_back = None
    return say(stack, "UPDATE_ROLLBACK_COMPLETE", why)
