"""Gives a version copies of production's requests before anybody gets its answers. The version that serves is never touched."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from paved_runtime.protocol import model_version
from pipelines.deployment import cdk, package, readback
from pipelines.deployment import stack as stacks
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.pace import Pace
from pipelines.deployment.package import Package
from pipelines.deployment.place import Place
from pipelines.deployment.readback import Served
from pipelines.deployment.score_metrics import ScoreMetrics
from pipelines.deployment.shadow_trial import Trial
from pipelines.deployment.stack import Stack
from pipelines.serving_stack import NO, NO_VERSION

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

log = logging.getLogger(__name__)


def begin(place: Place, stack: Stack, assembly: Path, version: Package, pace: Pace) -> tuple[Stack, Trial] | None:
    """Put a version into the shadow of the one that serves; None where it serves itself, and so was compared before.

    Raises:
        DeploymentError: CDK failed, or the shadow is not made of the version.
    """
    s3, registry, sagemaker = place.registry.s3, place.registry.sagemaker, place.sagemaker
    container = readback.serves(sagemaker, stack.serving.endpoint_name)
    if readback.made_of(container, version):
        log.info("%s serves already: it was compared before", version.arn)
        return None
    serving = package.read(registry, container["ModelPackageName"])
    old, new = (package.model_sha256(s3, each.data, each.artifact_sha256) for each in (serving, version))
    log.info("%s gets a copy of every request that %s answers", version.arn, serving.arn)
    values = replace(
        stack.version,
        model_package_arn=serving.arn,
        image_uri=serving.image,
        model_data_url=serving.data,
        model_version=model_version(old),
        model_sha256=old,
        previous_model_version=NO_VERSION,
        shadow_model_package_arn=version.arn,
        urgent=NO,
    )
    cdk.deploy(assembly, [place.serving_stack], values.values())
    shadowed = stacks.settled(place.cloudformation, place.serving_stack, pace)
    assert shadowed is not None, "it was deployed just now"
    live = readback.served(sagemaker, shadowed.serving, serving, pace)
    expected = package.expected_shift(s3, version, serving.arn)
    variant = variant_of(sagemaker, live, version)
    return shadowed, Trial(
        metrics=ScoreMetrics.of(place),
        live=live,
        variant=variant,
        new=model_version(new),
        old=model_version(old),
        expected=expected,
        span=place.model.data.span,
    )


def end(place: Place, stack: Stack, pace: Pace) -> None:
    """Take what is in the shadow away."""
    stacks.update(place.cloudformation, stack, replace(stack.version, shadow_model_package_arn="").values(), pace)


def variant_of(sagemaker: SageMakerClient, live: Served, version: Package) -> str:
    """The name of the shadow. Raises DeploymentError when what is in the shadow is not made of the version."""
    shadows = sagemaker.describe_endpoint_config(EndpointConfigName=live.endpoint_config).get("ShadowProductionVariants", [])
    if not shadows:
        raise DeploymentError(f"endpoint {live.endpoint} has no shadow: the deployment did not make one: retry the stage")
    (shadow,) = shadows
    container = sagemaker.describe_model(ModelName=shadow["ModelName"])["PrimaryContainer"]
    if not readback.made_of(container, version):
        raise DeploymentError(f"endpoint {live.endpoint} shadows {container.get('ModelPackageName')}, not {version.arn}: retry the stage")
    return shadow["VariantName"]
