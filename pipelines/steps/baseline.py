"""Which version the monitor of an endpoint looks at: the one that really serves, whatever was asked for.

SageMaker may have taken a deployment back though CloudFormation reports success, and a monitor that then looked for the new version's
requests would find none and see no drift. So it is looked up once the endpoint has settled.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.steps import cdk, environment, package, readback
from pipelines.steps.step import StepError, progress

PARAMETERS = {"ImageUri", "ModelDataUrl", "ModelVersion"}


def parameters(s3: Any, image: str, data: str) -> dict[str, str]:
    """The parameters of a stack that watches a version, which is made of this image and this `model.tar.gz`."""
    return {"ImageUri": image, "ModelDataUrl": data, "ModelVersion": package.model_version(s3, data)}


def serves(s3: Any, registry: Any, there: Any, endpoint: str) -> dict[str, str]:
    """These parameters for what an endpoint serves; `there` is a client of SageMaker in its account."""
    live = there.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    container = readback.container(there, live)
    if "ModelPackageName" in container:
        version = package.read(registry, container["ModelPackageName"])
        return parameters(s3, version.image, version.data)
    return parameters(s3, container["Image"], container["ModelDataUrl"])


def watching(assembly: Path, stacks: Sequence[str]) -> list[str]:
    """Those of the stacks behind the first, which serves, that look at one version."""
    return [stack for stack in stacks[1:] if cdk.parameters(assembly, stack) >= PARAMETERS]


def follow(given: Namespace, *, s3: Any, registry: Any, stacks: Sequence[str]) -> None:
    """Deploy these stacks for what the first of `given.stacks` serves.

    Raises:
        StepError: that one is not deployed.
    """
    outputs = environment.stack_outputs(environment.deployer(given), given.stacks[0])
    if outputs is None:
        raise StepError(f"{given.stacks[0]} is not deployed: there is nothing to watch: deploy it first")
    version = serves(s3, registry, environment.verifier(given).client("sagemaker"), outputs["EndpointName"])
    progress(f"{outputs['EndpointName']} serves version {version['ModelVersion']}: that one is watched")
    for stack in stacks:
        cdk.deploy(given.assembly, [stack], version)
