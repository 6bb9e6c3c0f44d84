"""What an endpoint serves, as SageMaker itself says."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pipelines.deployment.live import Live, Undeterminable, live, settled
from tests.support.fakes import AT_ONCE, Fake, refusal
from tests.support.packages import PACKAGE

CONTAINER: Any = {"ModelPackageName": PACKAGE.arn}
ENDPOINT = "lead-staging"


def sagemaker(**answers: Any) -> Fake:
    """SageMaker with an endpoint; an answer that is an exception is raised."""
    known = {
        "describe_endpoint": {"EndpointConfigName": "config-2", "EndpointStatus": "InService"},
        "describe_endpoint_config": {"ProductionVariants": [{"ModelName": "model-2"}]},
        "describe_model": {"PrimaryContainer": CONTAINER},
        **answers,
    }

    def answer(name: str) -> Any:
        if isinstance(known[name], Exception):
            raise known[name]
        return known[name]

    return Fake(**{name: lambda name=name, **_: answer(name) for name in known})


def absent(kind: str) -> ClientError:
    return refusal("ValidationException", f'Could not find {kind} "arn:aws:sagemaker:eu-central-1:1:{kind}/x".')


def test_an_endpoint_says_what_it_serves() -> None:
    assert live(sagemaker(), ENDPOINT) == Live(endpoint=ENDPOINT, status="InService", endpoint_config="config-2", container=CONTAINER)


@pytest.mark.parametrize(("container", "package"), [(CONTAINER, PACKAGE.arn), ({"Image": PACKAGE.image, "ModelDataUrl": "s3://b/m"}, None)])
def test_the_package_is_known_where_the_model_names_it(container: dict[str, str], package: str | None) -> None:
    now = live(sagemaker(describe_model={"PrimaryContainer": container}), ENDPOINT)

    assert now
    assert now.package == package


def test_a_failed_endpoint_says_why() -> None:
    failed = {"EndpointConfigName": "config-2", "EndpointStatus": "Failed", "FailureReason": "the image is gone"}

    now = live(sagemaker(describe_endpoint=failed), ENDPOINT)

    assert now
    assert (now.status, now.why) == ("Failed", "the image is gone")


def test_no_endpoint_is_none() -> None:
    assert live(sagemaker(describe_endpoint=absent("endpoint")), ENDPOINT) is None


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        (
            {"describe_endpoint_config": absent("endpoint configuration")},
            "its configuration config-2 was deleted: SageMaker does not update it any more,"
            f" so aws sagemaker delete-endpoint --endpoint-name {ENDPOINT}, then ",
        ),
        ({"describe_model": absent("model")}, "model model-2 of its configuration config-2 was deleted: "),
        ({"describe_endpoint_config": {"ProductionVariants": [{"VariantName": "a"}]}}, "its configuration config-2 names no model: "),
        ({"describe_model": {"Containers": [CONTAINER]}}, "model model-2 of its configuration config-2 is a chain of containers: "),
    ],
)
def test_parts_that_are_gone_are_named(answers: dict[str, Any], why: str) -> None:
    with pytest.raises(Undeterminable) as error:
        live(sagemaker(**answers), ENDPOINT)

    way = "./road rollback MODEL --to VERSION brings a version back"
    assert str(error.value) == f"endpoint {ENDPOINT}: what it serves cannot be told: {why}{way}"


def test_an_endpoint_that_moves_is_waited_for_and_each_state_is_told(caplog: pytest.LogCaptureFixture) -> None:
    looks = iter(["Updating", "Updating", "RollingBack", "InService"])
    moving = Fake(describe_endpoint=lambda **_: {"EndpointStatus": next(looks)})
    with caplog.at_level(logging.INFO, "pipelines"):
        settled(moving, ENDPOINT, AT_ONCE)

    assert caplog.messages == [f"endpoint {ENDPOINT} is {status}: its end is waited for" for status in ("Updating", "RollingBack")]
    settled(sagemaker(describe_endpoint=absent("endpoint")), ENDPOINT, AT_ONCE)


@pytest.mark.parametrize("error", [refusal("AccessDeniedException", "not you"), refusal("ValidationException", "a name is too long")])
def test_other_refusals_are_not_taken_for_absence(error: ClientError) -> None:
    with pytest.raises(ClientError):
        live(sagemaker(describe_endpoint=error), ENDPOINT)
