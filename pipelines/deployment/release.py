"""Puts versions into an environment, from the assembly that the commit's build made: the serving stack first, then what monitors it, and
what scores files of rows beside it.

Both have the version that really serves, whatever was asked for: SageMaker may have taken a deployment back though
CloudFormation reports success; who then looked for the new version's requests would find none and see no drift, and a batch would be
scored by a version that did not stand.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from paved_runtime.protocol import model_version
from pipelines.deployment import cdk, live, package, parameters, readback, standing, toolchain
from pipelines.deployment import stack as stacks
from pipelines.deployment.compare_evidence import bound
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.pace import Pace
from pipelines.deployment.package import Package
from pipelines.deployment.parameters import Previous
from pipelines.deployment.place import Place
from pipelines.deployment.stack import Stack
from pipelines.serving_stack import COMPONENT, NO, NO_VERSION, BatchParameters, MonitoringParameters, ServingParameters

log = logging.getLogger(__name__)


def candidate(place: Place, model_package_arn: str) -> Package:
    """A version as a place takes it: where approval is asked for, what its signed evidence binds, at this moment.

    Raises:
        DeploymentError: something else than what was approved is registered.
    """
    if place.environment.approved_only:
        return bound(place.registry, model_package_arn)
    return package.read(place.registry.sagemaker, model_package_arn)


def deploy(place: Place, version: Package, assembly: Path, pace: Pace) -> list[str]:
    """Deploy a version; the stacks. Where approval is asked for, only an approved one is let through, here and again by SageMaker itself.

    Raises:
        DeploymentError: it is not approved, it lacks what it is made of, stacks or endpoint cannot be deployed to, or CDK failed.
    """
    if place.environment.approved_only and version.status != "Approved":
        raise DeploymentError(
            f"{version.arn} is {version.status}: this environment takes approved versions only: approve it in the pipeline"
        )
    stack = standing.ready(place, pace)
    _takes_shape(place, stack)
    values = serving_parameters(place, stack, version)
    log.info("deploying %s (%s)", version.arn, version.image)
    return _deploy(place, assembly, values.values())


def redeploy(place: Place, assembly: Path, pace: Pace) -> list[str]:
    """Bring the stacks to what the assembly says, with the version that they have; without one, what models share there.

    Only the hurry that a rollback may have left behind is ended.

    Raises:
        DeploymentError: stacks or endpoint cannot be deployed to, or CDK failed.
    """
    stack = standing.ready(place, pace)
    if stack is None:
        log.info("%s is not deployed yet: nothing to update but what it will stand on", place.serving_stack)
        return _deploy_shared(place, assembly)
    _takes_shape(place, stack)
    return _deploy(place, assembly, replace(stack.version, urgent=NO).values())


def _takes_shape(place: Place, stack: Stack | None) -> None:
    """Raise DeploymentError where the endpoint has instances and is to be serverless: SageMaker refuses that in the midst of an update.

    (SageMaker guide, "Update a serverless endpoint".)
    """
    if stack is None:
        return
    if place.serving.component:
        _stays(place, stack)
    if not place.serving.serverless:
        return
    config = standing.live_of(place, stack).endpoint_config
    variant = place.sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"][0]
    if "ServerlessConfig" not in variant:
        raise DeploymentError(
            f"endpoint {stack.serving.endpoint_name} has instances, and SageMaker makes no such endpoint serverless: delete it with its"
            f" stack (aws cloudformation delete-stack --stack-name {stack.name}; what it captured stays), then run this again: nothing"
            " answers meanwhile"
        )


def _stays(place: Place, stack: Stack) -> None:
    """Raise DeploymentError where a component is to be on another endpoint: UpdateInferenceComponent has no member that says so."""
    name = stack.serving.endpoint_name
    described = live.component(place.sagemaker, name) if name.startswith(COMPONENT) else None
    if described and described["EndpointName"] != place.shared_endpoint:
        raise DeploymentError(
            f"{name} is on endpoint {described['EndpointName']}, and SageMaker moves no component to another, such as"
            f" {place.shared_endpoint}: delete it with its stack (aws cloudformation delete-stack --stack-name {stack.name}), then run this"
            " again: nothing answers meanwhile"
        )


def serving_parameters(place: Place, stack: Stack | None, version: Package) -> ServingParameters:
    """Those with which a version is deployed, in no hurry, and without a shadow. `stack` is the serving stack.

    The version before is the one that really serves: after a rollback of SageMaker's own, the stack says otherwise. Once this version
    serves, the step was run before: what it said then stays.

    Raises:
        DeploymentError: a version lacks what it is made of, or the endpoint is gone.
    """
    s3 = place.registry.s3
    if stack is None:
        return parameters.serving(s3, version, None)
    now = standing.live_of(place, stack)
    container = now.container
    if readback.made_of(container, version) and now.endpoint_config == stack.serving.endpoint_config_name:
        digest = package.model_sha256(s3, version.data, version.artifact_sha256)
        return replace(
            stack.version,
            model_package_arn=version.arn,
            image_uri=version.image,
            model_data_url=version.data,
            model_version=model_version(digest),
            model_sha256=digest,
        )
    arn = container.get("ModelPackageName", NO_VERSION)
    data = container.get("ModelDataUrl") or package.read(place.registry.sagemaker, arn).data
    return parameters.serving(s3, version, Previous(arn=arn, data=data))


def monitoring_parameters(place: Place, endpoint: str) -> MonitoringParameters:
    """Those of the version that really serves."""
    s3, container = place.registry.s3, readback.serves(place.sagemaker, endpoint)
    if "ModelPackageName" in container:
        version = package.read(place.registry.sagemaker, container["ModelPackageName"])
        return parameters.monitoring(s3, version.image, version.data)
    return parameters.monitoring(s3, container["Image"], container["ModelDataUrl"])


def batch_parameters(place: Place, stack: Stack) -> BatchParameters:
    """Those of the version that really serves; `stack` is the serving stack. Made of parts, it is the stack's version or one not known."""
    s3, container = place.registry.s3, readback.serves(place.sagemaker, stack.serving.endpoint_name)
    version = package.read(place.registry.sagemaker, container.get("ModelPackageName", stack.serving.model_package))
    if readback.made_of(container, version):
        return parameters.batch(s3, version.arn, version.image, version.data)
    return parameters.batch(s3, NO_VERSION, container["Image"], container["ModelDataUrl"])


def _deploy_shared(place: Place, assembly: Path) -> list[str]:
    """Bring to what the assembly says what models share in the environment; which stacks were not."""
    shared = toolchain.of_environment(place.config, place.environment)
    others = [stack for stack in shared if stacks.template(place.cloudformation, stack) != cdk.template(assembly, stack)]
    for stack in others:
        cdk.deploy(assembly, [stack], {})
    return others


def _deploy(place: Place, assembly: Path, values: Mapping[str, str]) -> list[str]:
    _deploy_shared(place, assembly)
    serving, monitoring, batch = place.serving_stack, place.monitoring_stack, place.batch_stack
    monitored = MonitoringParameters.declared().keys() <= cdk.parameters(assembly, monitoring)
    cdk.deploy(assembly, [serving] if monitored else [serving, monitoring], values)
    if not (monitored or batch):
        return [serving, monitoring]
    stack = stacks.read(place.cloudformation, serving)
    assert stack is not None, "it was deployed just now"
    endpoint = stack.serving.endpoint_name
    if monitored:
        version = monitoring_parameters(place, endpoint)
        log.info("%s serves version %s: that one is monitored", endpoint, version.model_version)
        cdk.deploy(assembly, [monitoring], version.values())
    if batch:
        scores = batch_parameters(place, stack)
        log.info("%s serves version %s: that one scores batches", endpoint, scores.model_version)
        cdk.deploy(assembly, [batch], scores.values())
    return [serving, monitoring, *([batch] if batch else [])]
