"""What an endpoint serves now, asked of SageMaker: stack and ledger say what should serve, and a person with a console changes neither."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import ClientError

from pipelines.deployment.errors import DeploymentError, code

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker.type_defs import ContainerDefinitionOutputTypeDef

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Live:
    """An endpoint that is there. `status` is its EndpointStatus, `container` what the first variant of `endpoint_config` runs.

    `why` is SageMaker's reason where something failed.
    """

    endpoint: str
    status: str
    endpoint_config: str
    container: ContainerDefinitionOutputTypeDef
    why: str = ""

    @property
    def package(self) -> str | None:
        """The model package that serves; None where the model is made of a package's parts."""
        return self.container.get("ModelPackageName")


def live(sagemaker: SageMakerClient, endpoint: str) -> Live | None:
    """What an endpoint serves now; None when there is no such endpoint.

    Raises:
        DeploymentError: the endpoint is there, but what it was made of is not, or it is no endpoint of one model.
    """
    description = _existing(lambda: sagemaker.describe_endpoint(EndpointName=endpoint))
    if description is None:
        return None
    config = description["EndpointConfigName"]
    return Live(
        endpoint=endpoint,
        status=description["EndpointStatus"],
        endpoint_config=config,
        container=_container(sagemaker, endpoint, config),
        why=description.get("FailureReason", ""),
    )


def _container(sagemaker: SageMakerClient, endpoint: str, config: str) -> ContainerDefinitionOutputTypeDef:
    """What the first variant of an endpoint's configuration runs. Raises DeploymentError naming the first part that is missing."""
    made = _existing(lambda: sagemaker.describe_endpoint_config(EndpointConfigName=config))
    if made is None:
        raise _unknown(endpoint, f"its configuration {config} was deleted")
    name = made["ProductionVariants"][0].get("ModelName")
    if name is None:
        raise _unknown(endpoint, f"its configuration {config} names no model")
    model = _existing(lambda: sagemaker.describe_model(ModelName=name))
    if model is None:
        raise _unknown(endpoint, f"model {name} of its configuration {config} was deleted")
    if "PrimaryContainer" not in model:
        raise _unknown(endpoint, f"model {name} of its configuration {config} is a chain of containers")
    return model["PrimaryContainer"]


def _unknown(endpoint: str, why: str) -> DeploymentError:
    return DeploymentError(f"endpoint {endpoint}: what it serves cannot be told: {why}: bring a good version back with ./road rollback")


def _existing(describe: Callable[[], T]) -> T | None:
    """What a call describes; None when SageMaker has no such thing."""
    try:
        return describe()
    except ClientError as error:
        if code(error) == "ValidationException" and "Could not find" in str(error):
            return None
        raise
