"""A deployed stack: what it says of itself, and how it is brought to other parameters with the template that it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from pipelines.steps.step import StepError, code, polls

LONGEST_MINUTES = 9 * 60  # a blue/green deployment may take eight hours
NOTHING_STANDS = ("REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE")  # nothing of it was ever made, or nothing is left


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A stack as it stands."""

    name: str
    status: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]


def read(cloudformation: Any, name: str) -> Stack | None:
    """The stack; None when it is not deployed."""
    try:
        found = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if code(error) == "ValidationError" and "does not exist" in str(error):
            return None
        raise
    if found["StackStatus"] in NOTHING_STANDS:
        return None
    return Stack(
        name=name,
        status=found["StackStatus"],
        outputs={output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])},
        parameters={one["ParameterKey"]: one.get("ParameterValue", "") for one in found.get("Parameters", [])},
    )


def settled(cloudformation: Any, name: str, *, poll_seconds: float) -> Stack | None:
    """The stack once nothing is under way with it: a step that was killed leaves a deployment that goes on; None when there is no stack."""
    for _ in polls(poll_seconds, minutes=LONGEST_MINUTES, waiting_for=f"the deployment of {name}"):
        found = read(cloudformation, name)
        if found is None or not found.status.endswith("_IN_PROGRESS"):
            return found
    raise AssertionError("polls() ends by raising")


def update(cloudformation: Any, stack: Stack, values: Mapping[str, str], *, poll_seconds: float) -> Stack:
    """Bring the stack to these parameters and wait; those that its template does not have are left out, the others keep their values.

    Doing it twice changes nothing. Raises StepError when the stack went back instead.
    """
    known = {name: value for name, value in values.items() if name in stack.parameters}
    given: list[dict[str, str | bool]] = [{"ParameterKey": name, "ParameterValue": value} for name, value in known.items()]
    given += [{"ParameterKey": name, "UsePreviousValue": True} for name in stack.parameters if name not in known]
    try:
        cloudformation.update_stack(
            StackName=stack.name, UsePreviousTemplate=True, Parameters=given, Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
        )
    except ClientError as error:
        if "No updates are to be performed" not in str(error):
            raise
    found = settled(cloudformation, stack.name, poll_seconds=poll_seconds)
    if found is None or any(found.parameters[name] != value for name, value in known.items()):
        raise StepError(f"{stack.name} did not change: {_reason(cloudformation, stack.name)}: correct that and run it again")
    return found


def _reason(cloudformation: Any, name: str) -> str:
    """Why the last update failed: its first resource that did."""
    why = "CloudFormation gives no reason"
    for event in cloudformation.describe_stack_events(StackName=name)["StackEvents"]:  # newest first
        if event["ResourceStatus"].endswith("_FAILED"):
            why = f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}"
        if (event["LogicalResourceId"], event["ResourceStatus"]) == (name, "UPDATE_IN_PROGRESS"):
            break
    return why
