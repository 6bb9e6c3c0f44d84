"""How an endpoint stands to its stack. Whoever is about to say or do something about what serves asks this first.

CloudFormation does not look at what it made: an endpoint that was deleted or moved by hand is still there to it, and SageMaker's own
rollback is a success.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

import naming
from pipelines.deployment import live as endpoints
from pipelines.deployment import package, readback
from pipelines.deployment import stack as stacks
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.live import Live, Undeterminable
from pipelines.deployment.pace import Pace
from pipelines.deployment.place import Place
from pipelines.deployment.registry import Registry
from pipelines.deployment.stack import Stack
from pipelines.evidence import pack

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.type_defs import ContainerDefinitionOutputTypeDef

RECENT = 20  # versions among which the one is looked for that a model made of parts may be
State = Literal["unknown", "not deployed", "in line", "under way", "gone", "failed", "mixed", "changed"]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """`state` is the endpoint's; one that has failed can only be deleted.

    `lines` say what is wrong with endpoint and stack, each with the way back; none where all is well. `serves` is the registered version
    that answers (its ARN), None where nothing does, several do, or no version of this model's group made it.
    """

    state: State
    lines: tuple[str, ...] = ()
    stack: Stack | None = None
    live: Live | None = None
    serves: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        stack, live = self.stack, self.live
        return {
            "state": self.state,
            "lines": list(self.lines),
            "stack": stack.name if stack else None,
            "stack_status": stack.status if stack else None,
            "endpoint": live.endpoint if live else None,
            "endpoint_status": live.status if live else None,
            "endpoint_config": live.endpoint_config if live else None,
            "serves": self.serves,
        }


def look(place: Place) -> Standing:
    """How the endpoint of a place stands now."""
    stack = stacks.read(place.cloudformation, place.serving_stack)
    if stack is None:
        return Standing(state="not deployed")
    stuck, endpoint = stacks.broken(place.cloudformation, stack), _endpoint(place, stack)
    return replace(endpoint, stack=stack, lines=tuple(filter(None, (stuck, *endpoint.lines))))


def ready(place: Place, pace: Pace) -> Stack | None:
    """The serving stack, once it can be deployed to and so can the stacks beside it; None where nothing is deployed.

    Raises:
        DeploymentError: one of the stacks takes no update, or the endpoint is gone.
    """
    stack = stacks.ready(place.cloudformation, place.serving_stack, pace)
    if stack:
        live_of(place, stack)
    for beside in (place.monitoring_stack, place.batch_stack):
        if beside:
            stacks.ready(place.cloudformation, beside, pace)
    return stack


def live_of(place: Place, stack: Stack) -> Live:
    """What the endpoint of a serving stack serves. Raises DeploymentError where it is gone, or that cannot be told."""
    live = endpoints.live(place.sagemaker, stack.serving.endpoint_name)
    if live is None:
        raise DeploymentError(f"{_gone(place, stack)}, then run this again")
    return live


def _gone(place: Place, stack: Stack) -> str:
    return f"endpoint {stack.serving.endpoint_name} is gone, though {stack.name} has it: nothing answers: {_way_back(place, stack)}"


def _endpoint(place: Place, stack: Stack) -> Standing:
    """What is to be said of the endpoint alone."""
    if not stack.outputs:
        return Standing(state="under way", lines=(stacks.under_way(stack),)) if stack.moving else Standing(state="not deployed")
    name, back = stack.serving.endpoint_name, _way_back(place, stack)
    try:
        live = endpoints.live(place.sagemaker, name)
    except Undeterminable as error:
        return Standing(state="failed" if error.first else "changed", lines=(f"{error.what}: {error.first}{back}",))
    if live is None:
        return Standing(state="gone", lines=(_gone(place, stack),))
    why = f": {live.why}" if live.why else ""
    if live.status == "Failed":
        delete = f"delete what is left of it: aws sagemaker delete-endpoint --endpoint-name {name}"
        return Standing(state="failed", lines=(f"endpoint {name} is Failed{why}: {delete}, then {back}",), live=live)
    if live.mixed:
        return Standing(state="mixed", lines=(f"{live.mixture}: {one_alone(place)}",), live=live)
    serves = _registered(place.registry, stack, live)
    if live.moving or stack.moving:
        who = stacks.under_way(stack) if stack.moving else f"nothing is under way with {stack.name}: somebody else has begun that"
        return Standing(state="under way", lines=(f"endpoint {name} is {live.status}: {who}",), live=live, serves=serves)
    if live.status != "InService":
        return Standing(state="changed", lines=(f"endpoint {name} is {live.status}{why}: {back}",), live=live, serves=serves)
    if serves == stack.serving.model_package and live.endpoint_config == stack.serving.endpoint_config_name:
        return Standing(state="in line", live=live, serves=serves)
    line = f"endpoint {name} {_difference(stack, live, serves)}{why}: changed by hand, or taken back by SageMaker: "
    line += f"{_command(place)} --reason … goes on with the last good version, --to VERSION with that one" if serves else back
    return Standing(state="changed", lines=(line,), live=live, serves=serves)


def _difference(stack: Stack, live: Live, serves: str | None) -> str:
    """What an endpoint serves, and what its stack says."""
    what = f"version {_number(serves)}" if serves else f"a model that no registered version made ({live.origin})"
    expected = f"version {_number(stack.serving.model_package)} with {stack.serving.endpoint_config_name}"
    return f"serves {what} with {live.endpoint_config}, {stack.name} says {expected}"


def _registered(registry: Registry, stack: Stack, live: Live) -> str | None:
    """The version of the model's group that made what serves (its ARN): the stack's, or a recent one."""
    if live.package:
        group = stack.serving.model_package.rpartition("/")[0]
        return live.package if live.package.rpartition("/")[0] == group else None
    return next((arn for arn in _recent(registry, stack) if _made_of(registry, live.container, arn)), None)


def _recent(registry: Registry, stack: Stack) -> Iterator[str]:
    """The stack's version, then the newest ones of the group."""
    yield stack.serving.model_package
    group = naming.model_package_group(registry.config, registry.model.name)
    pages = registry.sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending"
    )
    yield from islice((summary["ModelPackageArn"] for page in pages for summary in page["ModelPackageSummaryList"]), RECENT)


def _made_of(registry: Registry, container: ContainerDefinitionOutputTypeDef, arn: str) -> bool:
    return readback.made_of(container, package.read(registry.sagemaker, arn))


def _way_back(place: Place, stack: Stack) -> str:
    """What a person types to have the stack's version serve again."""
    return f"{_command(place)} --to {_number(stack.serving.model_package)} --reason …"


def one_alone(place: Place) -> str:
    """What a person types to end a mixture."""
    return f"{_command(place)} --to VERSION --reason … has one of them answer alone"


def _command(place: Place) -> str:
    return f"./road rollback {place.model.name} --environment {place.environment.name}"


def _number(arn: str) -> str:
    return pack.group_and_version(arn)[1]
