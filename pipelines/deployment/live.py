"""What an endpoint serves now, asked of SageMaker: stack and ledger say what should serve, and a person with a console changes neither."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import ClientError

from pipelines.deployment.errors import DeploymentError, code
from pipelines.deployment.pace import Pace
from pipelines.serving_stack import COMPONENT
from pipelines.waiting import LONGEST_WAIT

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker.type_defs import (
        ContainerDefinitionOutputTypeDef,
        DescribeEndpointOutputTypeDef,
        DescribeInferenceComponentOutputTypeDef,
    )

T = TypeVar("T")
MOVING = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
MIXED = "UpdateRollbackFailed"
log = logging.getLogger(__name__)


class Undeterminable(DeploymentError):
    """An endpoint of which cannot be told what it serves. `what` is wrong, `first` what must be done before a version can come back."""

    def __init__(self, endpoint: str, why: str, first: str = "") -> None:
        self.what, self.first = f"endpoint {endpoint}: what it serves cannot be told: {why}", first
        super().__init__(f"{self.what}: {first}./road rollback MODEL --to VERSION brings a version back")


@dataclass(frozen=True, kw_only=True)
class Live:
    """An endpoint that is there. `status` is its EndpointStatus, `container` what the first variant of `endpoint_config` runs.

    Of a component of an endpoint that models share (its name begins with COMPONENT), `status` is its InferenceComponentStatus, which has
    the same words, and `endpoint_config` its SageMaker model: that is what tells its versions apart. `why` is SageMaker's reason where
    something failed; `images` are those that its instances run.
    """

    endpoint: str
    status: str
    endpoint_config: str
    container: ContainerDefinitionOutputTypeDef
    why: str = ""
    images: tuple[str, ...] = ()

    @property
    def package(self) -> str | None:
        """The model package that serves; None where the model is made of a package's parts."""
        return self.container.get("ModelPackageName")

    @property
    def origin(self) -> str:
        """What the model that serves is made of."""
        return self.package or f"{self.container.get('Image')} with {self.container.get('ModelDataUrl')}"

    @property
    def moving(self) -> bool:
        """Whether something is under way with the endpoint."""
        return self.status in MOVING

    @property
    def mixed(self) -> bool:
        """Whether old and new answer side by side: a rolling deployment failed, and so did its way back (DescribeEndpoint's page)."""
        return self.status == MIXED

    @property
    def mixture(self) -> str:
        """What is wrong with an endpoint that is mixed."""
        why = f": {self.why}" if self.why else ""
        images = f" ({', '.join(self.images)})" if self.images else ""
        return f"endpoint {self.endpoint} is mixed ({MIXED}){why}: the old and the new version{images} answer side by side"


def live(sagemaker: SageMakerClient, endpoint: str) -> Live | None:
    """What an endpoint serves now; None when there is no such endpoint.

    Raises:
        Undeterminable: the endpoint is there, but what it was made of is not, or it is no endpoint of one model.
    """
    if endpoint.startswith(COMPONENT):
        return _component(sagemaker, endpoint)
    description = existing(lambda: sagemaker.describe_endpoint(EndpointName=endpoint))
    if description is None:
        return None
    config = description["EndpointConfigName"]
    return Live(
        endpoint=endpoint,
        status=description["EndpointStatus"],
        endpoint_config=config,
        container=container(sagemaker, endpoint, config),
        why=description.get("FailureReason", ""),
        images=tuple(dict.fromkeys(_images(description))),
    )


def _component(sagemaker: SageMakerClient, endpoint: str) -> Live | None:
    described = component(sagemaker, endpoint)
    if described is None:
        return None
    model = described["Specification"].get("ModelName", "")
    return Live(
        endpoint=endpoint,
        status=described.get("InferenceComponentStatus", ""),
        endpoint_config=model,
        container=container(sagemaker, endpoint, model),
        why=described.get("FailureReason", ""),
    )


def component(sagemaker: SageMakerClient, endpoint: str) -> DescribeInferenceComponentOutputTypeDef | None:
    """A component of an endpoint that models share; None when there is none of that name."""
    name = endpoint.removeprefix(COMPONENT)
    return existing(lambda: sagemaker.describe_inference_component(InferenceComponentName=name))


def _status(sagemaker: SageMakerClient, endpoint: str) -> str:
    """How an endpoint or a component is; empty when it is gone."""
    if endpoint.startswith(COMPONENT):
        described = component(sagemaker, endpoint)
        return described.get("InferenceComponentStatus", "") if described else ""
    description = existing(lambda: sagemaker.describe_endpoint(EndpointName=endpoint))
    return description["EndpointStatus"] if description else ""


def settled(sagemaker: SageMakerClient, endpoint: str, pace: Pace) -> str:
    """The status of an endpoint once nothing is under way with it; empty when it is gone. Each state on the way is told."""
    told = ""
    for _ in pace.polls(minutes=LONGEST_WAIT, waiting_for=f"endpoint {endpoint}"):
        status = _status(sagemaker, endpoint)
        if status not in MOVING:
            return status
        if status != told:
            told = status
            log.info("endpoint %s is %s: its end is waited for", endpoint, status)
    raise AssertionError("polls() ends by raising")


def container(sagemaker: SageMakerClient, endpoint: str, config: str) -> ContainerDefinitionOutputTypeDef:
    """What the first variant of an endpoint's configuration runs, or, of a component, the model `config`.

    Raises:
        Undeterminable: a part is missing, and this is the first.
    """
    if endpoint.startswith(COMPONENT):
        return _model(sagemaker, endpoint, config, f"model {config}")
    made = existing(lambda: sagemaker.describe_endpoint_config(EndpointConfigName=config))
    if made is None:
        first = f"SageMaker does not update it any more, so aws sagemaker delete-endpoint --endpoint-name {endpoint}, then "
        raise Undeterminable(endpoint, f"its configuration {config} was deleted", first)
    name = made["ProductionVariants"][0].get("ModelName")
    if name is None:
        raise Undeterminable(endpoint, f"its configuration {config} names no model")
    return _model(sagemaker, endpoint, name, f"model {name} of its configuration {config}")


def _model(sagemaker: SageMakerClient, endpoint: str, name: str, what: str) -> ContainerDefinitionOutputTypeDef:
    model = existing(lambda: sagemaker.describe_model(ModelName=name))
    if model is None:
        raise Undeterminable(endpoint, f"{what} was deleted")
    if "PrimaryContainer" not in model:
        raise Undeterminable(endpoint, f"{what} is a chain of containers")
    return model["PrimaryContainer"]


def _images(description: DescribeEndpointOutputTypeDef) -> Iterator[str]:
    for variant in description.get("ProductionVariants", []):
        for image in variant.get("DeployedImages", []):
            yield image.get("SpecifiedImage", "")


def existing(describe: Callable[[], T]) -> T | None:
    """What a call describes; None when SageMaker has no such thing."""
    try:
        return describe()
    except ClientError as error:
        if code(error) == "ValidationException" and "Could not find" in str(error):
            return None
        raise
