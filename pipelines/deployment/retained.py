"""What the updates of a serving stack have replaced and kept, and which of it anything still needs.

Each deployment makes a model and an endpoint configuration, and those before stay: SageMaker's own rollback returns to them, and so does
`road rollback` where the endpoint is gone (`restore.py`). With the years they are many. SageMaker deletes whatever it is asked to, even
what serves (DeleteEndpointConfig's page warns of it): so it is told here, beside the ways back, what they need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from pipelines.deployment import ledger, live, restore, rollback
from pipelines.deployment import stack as stacks
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.place import Place
from pipelines.deployment.stack import Stack
from pipelines.serving_stack import BATCH_MODEL, BatchOutputs

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker.type_defs import DescribeEndpointOutputTypeDef

Kind = Literal["endpoint configuration", "model"]
Reasons = Mapping[str, str]  # names, each with why it is needed
UNENDED = ("Executing", "Stopping")  # states of a batch
KINDS: Mapping[str, Kind] = {"AWS::SageMaker::EndpointConfig": "endpoint configuration", "AWS::SageMaker::Model": "model"}


@dataclass(frozen=True, kw_only=True)
class Retained:
    """An endpoint configuration, or a model. `needed` says why it stays; empty where nothing needs it."""

    kind: Kind
    name: str
    made: datetime
    tags: Mapping[str, str]
    needed: str = ""


def everything(sagemaker: SageMakerClient) -> list[Retained]:
    """Every configuration and every model of an account, whoever's; each kind oldest first."""
    configurations = sagemaker.get_paginator("list_endpoint_configs").paginate(SortBy="CreationTime", SortOrder="Ascending")
    models = sagemaker.get_paginator("list_models").paginate(SortBy="CreationTime", SortOrder="Ascending")
    made: list[tuple[Kind, str, str, datetime]] = [
        ("endpoint configuration", one["EndpointConfigName"], one["EndpointConfigArn"], one["CreationTime"])
        for page in configurations
        for one in page["EndpointConfigs"]
    ]
    made += [("model", one["ModelName"], one["ModelArn"], one["CreationTime"]) for page in models for one in page["Models"]]
    return [Retained(kind=kind, name=name, made=time, tags=_tags(sagemaker, arn)) for kind, name, arn, time in made]


def look(place: Place, things: Iterable[Retained], *, keep: int, before: datetime) -> list[Retained]:
    """Those of an account's `things` that the serving stack of a place has made, each with why it stays.

    Needed is what serves, what the stack has, that with which the newest `keep` versions serve again that `road rollback` offers, all that
    these name, and what was not made `before`; everything while anything is under way. `things` were read before: what is made from then
    on is not among them.

    Raises:
        DeploymentError: tags of `config.py` hide whose a thing is, or an entry of the ledger cannot be trusted.
    """
    sagemaker, own = place.sagemaker, _own(place, things)
    stack, endpoints = stacks.read(place.cloudformation, place.serving_stack), list(_endpoints(sagemaker))
    if why := _under_way(place, stack, endpoints):
        return [replace(thing, needed=why) for thing in own]
    batches = stacks.read(place.cloudformation, place.batch_stack) if place.batch_stack else None
    serving, of_stack = _serving(endpoints), {**_of_stack(place, stack), **_of_stack(place, batches)}
    configurations, models = ([thing for thing in own if thing.kind == kind] for kind in KINDS.values())
    judged = _judged(configurations, {**_ways_back(place, stack, keep), **of_stack, **serving}, before)
    named = {**_ways_back(place, stack, keep), **_named(sagemaker, [*serving, *(each.name for each in judged if each.needed)])}
    scoring = {**_transforming(sagemaker), **_in_batches(sagemaker, batches), **_components(sagemaker)}
    return [*judged, *_judged(models, {**named, **scoring, **of_stack}, before)]


def remove(sagemaker: SageMakerClient, thing: Retained) -> bool:
    """Delete it; whether it was still there."""
    if thing.kind == "model":
        return live.existing(lambda: [sagemaker.delete_model(ModelName=thing.name)]) is not None
    return live.existing(lambda: [sagemaker.delete_endpoint_config(EndpointConfigName=thing.name)]) is not None


def _own(place: Place, things: Iterable[Retained]) -> list[Retained]:
    """Those that have the tags of the place's stack (`pipelines/tags.py`): their names, which are CloudFormation's, say nothing."""
    whose = {"project": place.config.project, "model": place.model.name, "environment": place.environment.name}
    if hidden := sorted(whose.keys() & place.config.tags.keys()):
        raise DeploymentError(f"tags of config.py: {', '.join(hidden)} is the road's own, by which it knows what it made: rename yours")
    return [thing for thing in things if whose.items() <= thing.tags.items()]


def _tags(sagemaker: SageMakerClient, arn: str) -> dict[str, str]:
    """The tags of a resource; none of one that has gone meanwhile."""
    pages = live.existing(lambda: list(sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)))
    return {tag["Key"]: tag["Value"] for page in pages or [] for tag in page["Tags"]}


def _endpoints(sagemaker: SageMakerClient) -> Iterator[DescribeEndpointOutputTypeDef]:
    """Every endpoint of the account: anybody's may serve with what is ours."""
    pages = sagemaker.get_paginator("list_endpoints").paginate()
    for name in (summary["EndpointName"] for page in pages for summary in page["Endpoints"]):
        if endpoint := live.existing(_describing(sagemaker.describe_endpoint, EndpointName=name)):
            yield endpoint


def _under_way(place: Place, stack: Stack | None, endpoints: Iterable[DescribeEndpointOutputTypeDef]) -> str:
    """Why nothing may go now: what moves may return to anything, and so may what waits for a person to bring it back."""
    if stack and (stack.moving or stack.status in stacks.WAYS_OUT):
        return stacks.under_way(stack)
    states = {endpoint["EndpointName"]: endpoint["EndpointStatus"] for endpoint in endpoints}
    component = live.component(place.sagemaker, place.endpoint) if place.serving.component else None
    status = component.get("InferenceComponentStatus", "") if component else states.get(place.endpoint, "")
    return f"endpoint {place.endpoint} is {status}" if status in (*live.MOVING, live.MIXED) else ""


def _serving(endpoints: Iterable[DescribeEndpointOutputTypeDef]) -> Reasons:
    """The configurations with which endpoints serve, or are about to."""
    reasons = dict[str, str]()
    for endpoint in endpoints:
        why = f"endpoint {endpoint['EndpointName']} serves with it"
        reasons[endpoint["EndpointConfigName"]] = why
        if pending := endpoint.get("PendingDeploymentSummary"):
            reasons[pending["EndpointConfigName"]] = why
    return reasons


def _of_stack(place: Place, stack: Stack | None) -> Reasons:
    """What the stack has now. A physical id is a name or an ARN, as the resource type has it."""
    if stack is None:
        return {}
    pages = place.cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack.name)
    resources = (resource for page in pages for resource in page["StackResourceSummaries"] if resource["ResourceType"] in KINDS)
    return {resource.get("PhysicalResourceId", "").rpartition("/")[2]: f"{stack.name} has it" for resource in resources}


def _ways_back(place: Place, stack: Stack | None, keep: int) -> Reasons:
    """The configurations with which versions of the ledger would serve again, were the endpoint gone; of a component, the models."""
    if stack is None or not place.releases:
        return {}
    entries = [entry for entry in ledger.entries(place.registry, place.environment.name) if entry.serves]
    marked, left = rollback.marked(place.registry.sagemaker), stack.serving.model_package
    offered = islice(rollback.ways_back(entries, marked=marked, left=left), keep)
    return {
        restore.served_with(entries, version): f"version {rollback.number(version)} serves again with it, should the endpoint be gone"
        for version in offered
    }


def _named(sagemaker: SageMakerClient, configurations: Iterable[str]) -> Reasons:
    """The models that configurations name, in the shadow too."""
    reasons = dict[str, str]()
    for name in configurations:
        made = live.existing(_describing(sagemaker.describe_endpoint_config, EndpointConfigName=name))
        for variant in [*made["ProductionVariants"], *made.get("ShadowProductionVariants", [])] if made else []:
            reasons[variant.get("ModelName", "")] = f"endpoint configuration {name} names it"
    return reasons


def _components(sagemaker: SageMakerClient) -> Reasons:
    """The models of components, anybody's, on endpoints that models share."""
    pages = sagemaker.get_paginator("list_inference_components").paginate()
    names = [summary["InferenceComponentName"] for page in pages for summary in page["InferenceComponents"]]
    described = filter(None, (live.component(sagemaker, name) for name in names))
    return {
        each["Specification"].get("ModelName", ""): f"inference component {each['InferenceComponentName']} serves with it"
        for each in described
    }


def _transforming(sagemaker: SageMakerClient) -> Reasons:
    """The models with which batch transform jobs score now: anybody may start one."""
    pages = sagemaker.get_paginator("list_transform_jobs").paginate(StatusEquals="InProgress")
    names = [summary["TransformJobName"] for page in pages for summary in page["TransformJobSummaries"]]
    return {sagemaker.describe_transform_job(TransformJobName=name)["ModelName"]: f"transform job {name} scores with it" for name in names}


def _in_batches(sagemaker: SageMakerClient, stack: Stack | None) -> Reasons:
    """The models with which batches under way score, whichever of their steps runs; `stack` is theirs."""
    if stack is None:
        return {}
    pages = sagemaker.get_paginator("list_pipeline_executions").paginate(PipelineName=BatchOutputs.read(stack.outputs).batch_pipeline)
    executions = [each for page in pages for each in page["PipelineExecutionSummaries"]]
    reasons = dict[str, str]()
    for arn in (each["PipelineExecutionArn"] for each in executions if each["PipelineExecutionStatus"] in UNENDED):
        values = sagemaker.get_paginator("list_pipeline_parameters_for_execution").paginate(PipelineExecutionArn=arn)
        named = {value["Name"]: value["Value"] for page in values for value in page["PipelineParameters"]}
        reasons[named[BATCH_MODEL]] = f"batch {arn.rpartition('/')[2]} scores with it"
    return reasons


def _judged(things: Iterable[Retained], needed: Reasons, before: datetime) -> list[Retained]:
    """Each with why it stays."""
    young = "it is not old enough"
    return [replace(each, needed=needed.get(each.name) or ("" if each.made < before else young)) for each in things]


def _describing(call: Callable[..., Any], **arguments: str) -> Callable[[], Any]:
    return lambda: call(**arguments)
