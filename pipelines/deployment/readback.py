"""What an endpoint really serves: SageMaker takes a bad deployment back and CloudFormation then reports success, so it is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipelines.deployment import live as endpoints
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.live import Live
from pipelines.deployment.pace import Pace
from pipelines.deployment.package import Package
from pipelines.serving_stack import COMPONENT, ServingOutputs

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker.type_defs import ContainerDefinitionOutputTypeDef


COMPONENT_LOGS = "/aws/sagemaker/InferenceComponents"


class TakenBack(DeploymentError):
    """An endpoint that serves another configuration than its stack's. `why` is what SageMaker says; `began` when the deployment did.

    `same_version`: what serves is made of the version that was to serve, so another change than the model's was taken back.
    """

    def __init__(self, *, endpoint: str, expected: str, serves: str, began: datetime, why: str, same_version: bool) -> None:
        super().__init__(f"endpoint {endpoint} serves {serves}, not {expected}: the deployment was rolled back: {why}")
        self.endpoint, self.expected, self.serves = endpoint, expected, serves
        self.began, self.why, self.same_version = began, why, same_version


class Mixed(DeploymentError):
    """An endpoint of which old and new answer side by side, `live`. Nothing ends that by itself."""

    def __init__(self, live: Live) -> None:
        super().__init__(f"{live.mixture}: ./road rollback MODEL --to VERSION has one of them answer alone")
        self.live = live


@dataclass(frozen=True, kw_only=True)
class Served:
    """An endpoint in service. `began` is when its configuration was made, so when its deployment began; `first` if the endpoint was new.

    A serverless endpoint has no `instances`; of a component of an endpoint that models share, they are its copies, and `endpoint_config`
    is its model.
    """

    endpoint: str
    endpoint_config: str
    model: str
    instances: int
    began: datetime
    first: bool

    def as_json(self) -> dict[str, Any]:
        """The part that reports have."""
        return {"endpoint": self.endpoint, "endpoint_config": self.endpoint_config, "model": self.model, "instances": self.instances}


def served(sagemaker: SageMakerClient, outputs: ServingOutputs, version: Package, pace: Pace) -> Served:
    """Wait for the endpoint and check that it serves the stack's configuration and the version.

    Raises:
        Mixed: a rolling deployment failed, and so did its way back.
        TakenBack: it serves another configuration.
        DeploymentError: it is not in service, or serves another version.
    """
    name, expected = outputs.endpoint_name, outputs.endpoint_config_name
    _in_service(sagemaker, name, pace)
    if name.startswith(COMPONENT):
        return _component(sagemaker, name, expected, version)
    live = sagemaker.describe_endpoint(EndpointName=name)
    serves, wanted = live["EndpointConfigName"], sagemaker.describe_endpoint_config(EndpointConfigName=expected)
    made = container(sagemaker, serves)
    if serves != expected:
        raise TakenBack(
            endpoint=name,
            expected=expected,
            serves=serves,
            began=wanted["CreationTime"],
            why=live.get("FailureReason") or "SageMaker gives no reason",
            same_version=made_of(made, version),
        )
    if not made_of(made, version):
        raise DeploymentError(f"endpoint {name} serves {_origin(made)}, not {version.arn}: deploy that version again")
    variant = wanted["ProductionVariants"][0]
    return Served(
        endpoint=name,
        endpoint_config=expected,
        model=variant["ModelName"],
        instances=variant.get("InitialInstanceCount", 0),
        began=wanted["CreationTime"],
        first=live["CreationTime"] >= wanted["CreationTime"],
    )


def _component(sagemaker: SageMakerClient, name: str, expected: str, version: Package) -> Served:
    """A component in service, which is to run the model `expected`. Raises as `served` does."""
    live = sagemaker.describe_inference_component(InferenceComponentName=name.removeprefix(COMPONENT))
    model, wanted = live["Specification"]["ModelName"], sagemaker.describe_model(ModelName=expected)
    made = sagemaker.describe_model(ModelName=model)["PrimaryContainer"]
    if model != expected:
        raise TakenBack(
            endpoint=name,
            expected=expected,
            serves=model,
            began=wanted["CreationTime"],
            why=live.get("FailureReason") or "SageMaker gives no reason",
            same_version=made_of(made, version),
        )
    if not made_of(made, version):
        raise DeploymentError(f"{name} serves {_origin(made)}, not {version.arn}: deploy that version again")
    return Served(
        endpoint=name,
        endpoint_config=model,
        model=model,
        instances=live.get("RuntimeConfig", {}).get("DesiredCopyCount", 0),
        began=wanted["CreationTime"],
        first=live["CreationTime"] >= wanted["CreationTime"],
    )


def serves(sagemaker: SageMakerClient, endpoint: str) -> ContainerDefinitionOutputTypeDef:
    """What an endpoint's first variant runs now, or a component, whatever its stack says."""
    if endpoint.startswith(COMPONENT):
        described = sagemaker.describe_inference_component(InferenceComponentName=endpoint.removeprefix(COMPONENT))
        return sagemaker.describe_model(ModelName=described["Specification"]["ModelName"])["PrimaryContainer"]
    return container(sagemaker, sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"])


def container(sagemaker: SageMakerClient, config: str) -> ContainerDefinitionOutputTypeDef:
    """What the first variant of an endpoint configuration runs."""
    variant = sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"][0]
    return sagemaker.describe_model(ModelName=variant["ModelName"])["PrimaryContainer"]


def made_of(container: ContainerDefinitionOutputTypeDef, version: Package) -> bool:
    """Whether a container is made of this version: of its package, or of the package's parts."""
    if "ModelPackageName" in container:
        return container["ModelPackageName"] == version.arn
    return (container.get("Image"), container.get("ModelDataUrl")) == (version.image, version.data)


def _in_service(sagemaker: SageMakerClient, name: str, pace: Pace) -> None:
    """Wait as long as anything is under way, and no longer: botocore's own waiter waits on where an endpoint is mixed."""
    status = endpoints.settled(sagemaker, name, pace)
    if status == "InService":
        return
    live = endpoints.live(sagemaker, name)
    if live and live.mixed:
        raise Mixed(live)
    why = (live.why if live else "") or (f"it is {status}" if status else "it is gone")
    if name.startswith(COMPONENT):
        raise DeploymentError(f"{name} is not in service: {why}: see its log group {COMPONENT_LOGS}/{name.removeprefix(COMPONENT)}")
    raise DeploymentError(f"endpoint {name} is not in service: {why}: see its log group /aws/sagemaker/Endpoints/{name}")


def _origin(container: ContainerDefinitionOutputTypeDef) -> str:
    return container.get("ModelPackageName") or f"{container.get('Image')} with {container.get('ModelDataUrl')}"
