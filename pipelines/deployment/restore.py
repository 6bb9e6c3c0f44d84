"""Puts an endpoint back under its stack, where a hand has deleted or moved it.

CloudFormation makes and moves only what its parameters change, and to it nothing has: so this is done with SageMaker's own calls, from a
configuration that CloudFormation has made. Replaced ones are kept, and an endpoint is known by its name alone, so the stack finds what it
expects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

import naming
from paved_runtime.spec import Component
from pipelines.deployment import live, readback
from pipelines.deployment.errors import DeploymentError, code
from pipelines.deployment.live import Undeterminable
from pipelines.deployment.pace import Pace
from pipelines.deployment.package import Package
from pipelines.deployment.place import Place
from pipelines.deployment.stack import Stack
from pipelines.evidence.document import LedgerEntry
from pipelines.serving_stack import COMPONENT

REFUSED = ("AccessDenied", "AccessDeniedException")


def configuration(place: Place, stack: Stack, ledger: Sequence[LedgerEntry], target: Package) -> str:
    """The endpoint configuration with which a version served, or the stack has it serve; `ledger` is oldest first.

    Raises:
        DeploymentError: there is none any more, or it is made of something else.
    """
    outputs = stack.serving
    name = outputs.endpoint_config_name if outputs.model_package == target.arn else served_with(ledger, target.arn)
    advice = "name a version that has one with --to, then this one, or begin anew:"
    advice += f" aws cloudformation delete-stack --stack-name {stack.name}, then push"
    if not name:
        raise DeploymentError(f"{target.arn}: no endpoint configuration of it is known: {advice}")
    try:
        container = live.container(place.sagemaker, outputs.endpoint_name, name)
    except Undeterminable as error:
        raise DeploymentError(f"{error.what}: {advice}") from error
    if not readback.made_of(container, target):
        raise DeploymentError(f"endpoint configuration {name} is not made of {target.arn} any more: {advice}")
    return name


def served_with(ledger: Sequence[LedgerEntry], version: str) -> str:
    """The endpoint configuration with which a version (its ARN) served last; empty where it never did. `ledger` is oldest first."""
    return next((entry.endpoint_config for entry in reversed(ledger) if entry.model_package_arn == version), "")


def restore(place: Place, endpoint: str, config: str, pace: Pace, *, gone: bool) -> None:
    """Make the endpoint anew where it is `gone`, else move all of its traffic; wait until that has ended.

    Raises:
        DeploymentError: who asks may not do that.
    """
    if table := place.serving.component:
        return _restore_component(place, endpoint.removeprefix(COMPONENT), config, table, pace, gone=gone)
    operation = "create-endpoint" if gone else "update-endpoint"
    sagemaker = place.deployer("sagemaker")
    change = sagemaker.create_endpoint if gone else sagemaker.update_endpoint
    try:
        change(EndpointName=endpoint, EndpointConfigName=config)
    except ClientError as error:
        if code(error) not in REFUSED:
            raise
        command = f"aws sagemaker {operation} --endpoint-name {endpoint} --endpoint-config-name {config}"
        raise DeploymentError(
            f"you may not do that: {error.response['Error']['Message']}: have somebody who may in account {place.environment.account.id}"
            f" type {command}, then run this again"
        ) from error
    live.settled(place.sagemaker, endpoint, pace)
    return None


def _restore_component(place: Place, name: str, model: str, table: Component, pace: Pace, *, gone: bool) -> None:
    """The same of a component: its copies of `model`, on the endpoint that models share."""
    sagemaker, requirements = place.deployer("sagemaker"), dict[str, Any]()
    requirements |= {"NumberOfCpuCoresRequired": table.cores, "MinMemoryRequiredInMb": table.memory_mb}
    requirements |= {"NumberOfAcceleratorDevicesRequired": table.accelerators} if table.accelerators else {}
    wanted: dict[str, Any] = {
        "InferenceComponentName": name,
        "Specification": {"ModelName": model, "ComputeResourceRequirements": requirements},
        "RuntimeConfig": {"CopyCount": table.copies},
    }
    try:
        if gone:
            sagemaker.create_inference_component(EndpointName=place.shared_endpoint, VariantName=naming.VARIANT, **wanted)
        else:
            sagemaker.update_inference_component(**wanted)
    except ClientError as error:
        if code(error) not in REFUSED:
            raise
        operation = "create-inference-component" if gone else "update-inference-component"
        raise DeploymentError(
            f"you may not do that: {error.response['Error']['Message']}: have somebody who may in account {place.environment.account.id}"
            f" type aws sagemaker {operation} for {name} with model {model}, then run this again"
        ) from error
    live.settled(place.sagemaker, f"{COMPONENT}{name}", pace)
