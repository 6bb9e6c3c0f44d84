"""What an endpoint really serves, whatever its stack says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.readback import Mixed, Served, TakenBack, serves
from pipelines.deployment.readback import served as read_back
from pipelines.serving_stack import ServingOutputs
from tests.support.fakes import AT_ONCE, Fake
from tests.support.packages import PACKAGE

OUTPUTS = ServingOutputs(
    endpoint_name="lead-staging",
    endpoint_config_name="config-2",
    model_package=PACKAGE.arn,
    rollback_alarms="",
    log_group="l",
    capture_bucket="b",
)
BEGAN = datetime(2026, 11, 21, 10, tzinfo=UTC)


class SageMaker(Fake):
    def __init__(
        self, *, container: dict[str, str], config: str = "config-2", states: Sequence[str] = ("InService",), age: int = 9
    ) -> None:
        images = [{"DeployedImages": [{"SpecifiedImage": image}]} for image in ("registry/old", "registry/new")]
        about = {"EndpointConfigName": config, "FailureReason": "the container exited", "CreationTime": BEGAN - timedelta(days=age)}
        left = list(states)

        def endpoint() -> dict[str, Any]:
            """In each state once, and in the last one for good."""
            return {**about, "EndpointStatus": left.pop(0) if left[1:] else left[0], "ProductionVariants": images}

        variant = {"ModelName": "model-2", "InitialInstanceCount": 2}
        super().__init__(
            describe_endpoint=lambda **_: endpoint(),
            describe_endpoint_config=lambda **_: {"CreationTime": BEGAN, "ProductionVariants": [variant]},
            describe_model=lambda **_: {"PrimaryContainer": container},
        )


def served(sagemaker: SageMaker) -> Served:
    return read_back(sagemaker, OUTPUTS, PACKAGE, AT_ONCE)


@pytest.mark.parametrize("container", [{"ModelPackageName": PACKAGE.arn}, {"Image": PACKAGE.image, "ModelDataUrl": PACKAGE.data}])
def test_what_was_deployed_is_served(container: dict[str, str]) -> None:
    live = served(SageMaker(container=container))

    assert live == Served(endpoint="lead-staging", endpoint_config="config-2", model="model-2", instances=2, began=BEGAN, first=False)
    assert serves(SageMaker(container=container), "lead-staging") == container
    assert live.as_json() == {"endpoint": "lead-staging", "endpoint_config": "config-2", "model": "model-2", "instances": 2}


def test_an_endpoint_that_came_with_its_configuration_is_the_first() -> None:
    assert served(SageMaker(container={"ModelPackageName": PACKAGE.arn}, age=0)).first


@pytest.mark.parametrize(
    "container",
    [{"ModelPackageName": PACKAGE.arn.replace("/7", "/6")}, {"Image": "other", "ModelDataUrl": PACKAGE.data}, {"Image": PACKAGE.image}],
)
def test_another_version_is_served(container: dict[str, str]) -> None:
    with pytest.raises(DeploymentError, match=r"endpoint lead-staging serves .*, not .*model-package/.*/7"):
        served(SageMaker(container=container))


@pytest.mark.parametrize(("arn", "same"), [(PACKAGE.arn, True), (PACKAGE.arn.replace("/7", "/6"), False)])
def test_a_silent_rollback_is_a_failure(arn: str, same: bool) -> None:
    back = SageMaker(container={"ModelPackageName": arn}, config="config-1")

    with pytest.raises(TakenBack, match="serves config-1, not config-2: the deployment was rolled back: the container exited") as caught:
        served(back)
    assert (caught.value.began, caught.value.same_version) == (BEGAN, same)


def test_an_endpoint_that_does_not_come_up() -> None:
    with pytest.raises(DeploymentError, match="lead-staging is not in service: the container exited: see its log group"):
        served(SageMaker(container={}, states=["Creating", "Failed"]))


def test_an_endpoint_that_is_mixed_is_waited_for_no_longer_and_said_to_be() -> None:
    """Old and new answer, whichever configuration SageMaker names."""
    mixed = SageMaker(container={"ModelPackageName": PACKAGE.arn}, states=["Updating", "UpdateRollbackFailed"])

    with pytest.raises(Mixed) as caught:
        served(mixed)
    assert str(caught.value).startswith(
        "endpoint lead-staging is mixed (UpdateRollbackFailed): the container exited: the old and the new version"
        " (registry/old, registry/new) answer side by side: ./road rollback"
    )
    assert len(mixed.asked("describe_endpoint")) == 3
