"""A deployed stack: what it says of itself, and how it is brought to other parameters with the template that it has."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipelines.deployment import stack_events
from pipelines.deployment.errors import DeploymentError, code
from pipelines.deployment.pace import Pace
from pipelines.evidence import document
from pipelines.serving_stack import ServingOutputs, ServingParameters
from pipelines.waiting import LONGEST_WAIT

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef

NOTHING_STANDS = ("REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE")  # nothing of it was ever made, or nothing is left
NEVER_WHOLE = "it was never whole: aws cloudformation delete-stack --stack-name {stack}"
# CloudFormation takes no update in these states, whoever asks; what ends each of them. `resources` are those that failed last.
WAYS_OUT = {
    "UPDATE_ROLLBACK_FAILED": "put right what stops it, or leave it out: aws cloudformation continue-update-rollback --stack-name {stack}"
    " --resources-to-skip {resources}",
    "UPDATE_FAILED": "aws cloudformation rollback-stack --stack-name {stack}",
    "DELETE_FAILED": "aws cloudformation delete-stack --stack-name {stack} --retain-resources {resources}",
    "ROLLBACK_FAILED": NEVER_WHOLE,
    "CREATE_FAILED": NEVER_WHOLE,
}
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A stack as it stands. `changed` is when its last update began, where it had one."""

    name: str
    status: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]
    changed: datetime | None = None

    @property
    def moving(self) -> bool:
        """Whether something is under way with it."""
        return self.status.endswith("_IN_PROGRESS")

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
        changed=description.get("LastUpdatedTime"),
    )


def settled(cloudformation: CloudFormationClient, name: str, pace: Pace) -> Stack | None:
    """The stack once nothing is under way with it: a step that was killed leaves a deployment that goes on; None when there is no stack.

    Each state that it is seen in on the way is told.
    """
    told = ""
    for _ in pace.polls(minutes=LONGEST_WAIT, waiting_for=f"the deployment of {name}"):
        stack = read(cloudformation, name)
        if stack is None or not stack.moving:
            return stack
        if stack.status != told:
            told = stack.status
            log.info("%s: its end is waited for", under_way(stack))
    raise AssertionError("polls() ends by raising")


def ready(cloudformation: CloudFormationClient, name: str, pace: Pace) -> Stack | None:
    """The stack once it can be updated; None when there is no stack.

    Raises:
        DeploymentError: it is in a state out of which only a person brings it.
    """
    stack = settled(cloudformation, name, pace)
    if stack and (why := broken(cloudformation, stack)):
        raise DeploymentError(f"{why}, then run this again")
    return stack


def under_way(stack: Stack) -> str:
    """What is under way with a stack, in a few words."""
    since = f" since {document.utc(stack.changed)}" if stack.changed else ""
    return f"{stack.name} is {stack.status}{since}"


def broken(cloudformation: CloudFormationClient, stack: Stack) -> str:
    """Why a stack takes no update, and the way out; empty where it does."""
    if stack.status not in WAYS_OUT:
        return ""
    last = stack_events.last_failures(cloudformation, stack.name)
    way = WAYS_OUT[stack.status].format(stack=stack.name, resources=" ".join(last) or "LOGICAL-ID")
    return f"{stack.name} is {stack.status}: {stack_events.reason(cloudformation, stack.name)}: {way}"


def update(cloudformation: CloudFormationClient, stack: Stack, values: Mapping[str, str], pace: Pace) -> Stack:
    """Bring the stack to these parameters and wait; those that its template does not have are left out, the others keep their values.

    Doing it twice changes nothing. Raises DeploymentError when the stack went back instead, or came to a state that it does not leave.
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
    updated = ready(cloudformation, stack.name, pace)
    if updated is None or any(updated.parameters[name] != value for name, value in known.items()):
        why = stack_events.reason(cloudformation, stack.name)
        raise DeploymentError(f"{stack.name} did not change: {why}: correct that and run it again")
    return updated


def template(cloudformation: CloudFormationClient, name: str) -> Any:
    """The template as it was handed in, parsed; None when the stack is not deployed."""
    if read(cloudformation, name) is None:
        return None
    body: Any = cloudformation.get_template(StackName=name, TemplateStage="Original")["TemplateBody"]
    return json.loads(body) if isinstance(body, str) else body
