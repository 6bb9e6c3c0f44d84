"""A deployed stack: what it says of itself, and how it is brought to other parameters with the template that it has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipelines.deployment.errors import DeploymentError, code
from pipelines.deployment.pace import Pace
from pipelines.serving_stack import ServingOutputs, ServingParameters

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef

LONGEST_MINUTES = 9 * 60  # a blue/green deployment may take eight hours
NOTHING_STANDS = ("REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE")  # nothing of it was ever made, or nothing is left


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A stack as it stands."""

    name: str
    status: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]

    @property
    def serving(self) -> ServingOutputs:
        """What a serving stack says of itself. Raises DeploymentError for any other stack."""
        try:
            return ServingOutputs.read(self.outputs)
        except KeyError as error:
            raise DeploymentError(f"{self.name}: its outputs are not those of a serving stack: deploy it again") from error

    @property
    def version(self) -> ServingParameters:
        """What a serving stack was deployed with."""
        return ServingParameters.read(self.parameters)


def read(cloudformation: CloudFormationClient, name: str) -> Stack | None:
    """The stack; None when it is not deployed."""
    try:
        description = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if code(error) == "ValidationError" and "does not exist" in str(error):
            return None
        raise
    if description["StackStatus"] in NOTHING_STANDS:
        return None
    return Stack(
        name=name,
        status=description["StackStatus"],
        outputs={output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", [])},
        parameters={parameter["ParameterKey"]: parameter.get("ParameterValue", "") for parameter in description.get("Parameters", [])},
    )


def settled(cloudformation: CloudFormationClient, name: str, pace: Pace) -> Stack | None:
    """The stack once nothing is under way with it: a step that was killed leaves a deployment that goes on; None when there is no stack."""
    for _ in pace.polls(minutes=LONGEST_MINUTES, waiting_for=f"the deployment of {name}"):
        stack = read(cloudformation, name)
        if stack is None or not stack.status.endswith("_IN_PROGRESS"):
            return stack
    raise AssertionError("polls() ends by raising")


def update(cloudformation: CloudFormationClient, stack: Stack, values: Mapping[str, str], pace: Pace) -> Stack:
    """Bring the stack to these parameters and wait; those that its template does not have are left out, the others keep their values.

    Doing it twice changes nothing. Raises DeploymentError when the stack went back instead.
    """
    known = {name: value for name, value in values.items() if name in stack.parameters}
    parameters: list[ParameterTypeDef] = [{"ParameterKey": name, "ParameterValue": value} for name, value in known.items()]
    parameters += [{"ParameterKey": name, "UsePreviousValue": True} for name in stack.parameters if name not in known]
    try:
        cloudformation.update_stack(
            StackName=stack.name, UsePreviousTemplate=True, Parameters=parameters, Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
        )
    except ClientError as error:
        if "No updates are to be performed" not in str(error):
            raise
    updated = settled(cloudformation, stack.name, pace)
    if updated is None or any(updated.parameters[name] != value for name, value in known.items()):
        raise DeploymentError(f"{stack.name} did not change: {_reason(cloudformation, stack.name)}: correct that and run it again")
    return updated


def template(cloudformation: CloudFormationClient, name: str) -> Any:
    """The template as it was handed in, parsed; None when the stack is not deployed."""
    if read(cloudformation, name) is None:
        return None
    body: Any = cloudformation.get_template(StackName=name, TemplateStage="Original")["TemplateBody"]
    return json.loads(body) if isinstance(body, str) else body


def _reason(cloudformation: CloudFormationClient, name: str) -> str:
    """Why the last update failed: its first resource that did."""
    why = "CloudFormation gives no reason"
    for event in cloudformation.describe_stack_events(StackName=name)["StackEvents"]:  # newest first
        if event["ResourceStatus"].endswith("_FAILED"):
            why = f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}"
        if (event["LogicalResourceId"], event["ResourceStatus"]) == (name, "UPDATE_IN_PROGRESS"):
            break
    return why
