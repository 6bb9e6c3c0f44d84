"""What an endpoint really serves: SageMaker takes a bad deployment back and CloudFormation then reports success, so it is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import WaiterError

from pipelines.steps.package import Package
from pipelines.steps.step import StepError

LONGEST_MINUTES = 60


class TakenBack(StepError):
    """An endpoint that serves another configuration than its stack's. `why` is what SageMaker says; `began` when the deployment did.

    `same_version`: what serves is made of the version that was to serve, so another change than the model's was taken back.
    """

    def __init__(self, *, endpoint: str, expected: str, found: str, began: datetime, why: str, same_version: bool) -> None:
        super().__init__(f"endpoint {endpoint} serves {found}, not {expected}: the deployment was rolled back: {why}")
        self.endpoint, self.expected, self.found = endpoint, expected, found
        self.began, self.why, self.same_version = began, why, same_version


@dataclass(frozen=True, kw_only=True)
class Served:
    """An endpoint in service. `began` is when its configuration was made, so when its deployment began; `first` if the endpoint was new."""

    endpoint: str
    endpoint_config: str
    model: str
    instances: int
    began: datetime
    first: bool

    def as_json(self) -> dict[str, Any]:
        """The part that reports have."""
        return {"endpoint": self.endpoint, "endpoint_config": self.endpoint_config, "model": self.model, "instances": self.instances}


def served(sagemaker: Any, outputs: Mapping[str, str], version: Package, *, poll_seconds: float) -> Served:
    """Wait for the endpoint and check that it serves the stack's configuration and the version.

    Raises:
        TakenBack: it serves another configuration.
        StepError: it is not in service, or serves another version.
    """
    name, expected = outputs["EndpointName"], outputs["EndpointConfigName"]
    try:
        sagemaker.get_waiter("endpoint_in_service").wait(
            EndpointName=name, WaiterConfig={"Delay": poll_seconds, "MaxAttempts": max(1, int(60 * LONGEST_MINUTES / max(poll_seconds, 1)))}
        )
    except WaiterError as error:
        why = sagemaker.describe_endpoint(EndpointName=name).get("FailureReason") or error
        raise StepError(f"endpoint {name} is not in service: {why}: see its log group /aws/sagemaker/Endpoints/{name}") from error
    live = sagemaker.describe_endpoint(EndpointName=name)
    found, wanted = live["EndpointConfigName"], sagemaker.describe_endpoint_config(EndpointConfigName=expected)
    if found != expected:
        raise TakenBack(
            endpoint=name,
            expected=expected,
            found=found,
            began=wanted["CreationTime"],
            why=live.get("FailureReason") or "SageMaker gives no reason",
            same_version=made_of(container(sagemaker, found), version),
        )
    variant = wanted["ProductionVariants"][0]
    if not made_of(made := container(sagemaker, found), version):
        raise StepError(f"endpoint {name} serves {_origin(made)}, not {version.arn}: deploy that version again")
    return Served(
        endpoint=name,
        endpoint_config=found,
        model=variant["ModelName"],
        instances=variant["InitialInstanceCount"],
        began=wanted["CreationTime"],
        first=live["CreationTime"] >= wanted["CreationTime"],
    )


def container(sagemaker: Any, config: str) -> dict[str, Any]:
    """What the first variant of an endpoint configuration runs."""
    variant = sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"][0]
    found: dict[str, Any] = sagemaker.describe_model(ModelName=variant["ModelName"])["PrimaryContainer"]
    return found


def made_of(container: Mapping[str, Any], version: Package) -> bool:
    """Whether a container is made of this version: of its package, or of the package's parts."""
    if "ModelPackageName" in container:
        return bool(container["ModelPackageName"] == version.arn)
    return (container.get("Image"), container.get("ModelDataUrl")) == (version.image, version.data)


def _origin(container: Mapping[str, Any]) -> str:
    return str(container.get("ModelPackageName") or f"{container.get('Image')} with {container.get('ModelDataUrl')}")
