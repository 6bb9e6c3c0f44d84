"""An endpoint that SageMaker took back, in each of the worlds that AWS's documentation leaves open."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError
from moto.core.exceptions import JsonRESTError

from localcloud.cloudformation.resource_type import Resource
from localcloud.cloudformation.resources.sagemaker import TYPES
from localcloud.core.assumptions import Assumption
from localcloud.testing import ACCOUNT, REGION, named
from localcloud.testing.accounts import Accounts, shared
from localcloud.testing.endpoints import configured, described, serving, version
from localcloud.testing.in_process import Aws
from localcloud.testing.names import Name

ENDPOINT = next(kind for kind in TYPES if kind.kind == "AWS::SageMaker::Endpoint")
assumes = pytest.mark.laptop("what localcloud assumes is chosen, which no account's owner can")


@pytest.fixture(scope="module")
def image(aws: Accounts) -> str:
    """The image of `localcloud.testing` in the cloud of this process."""
    repository = named("team/taken-back")
    with shared():
        aws.client("ecr").create_repository(repositoryName=repository)
    return aws.image(repository)


@pytest.fixture
def assumed(aws: Aws) -> Iterator[set[Assumption]]:
    """What the cloud assumes, for the length of a test."""
    yield aws.cloud.assumptions
    aws.cloud.assumptions.clear()


def resource(endpoint: str, config: str) -> Resource:
    return Resource(ACCOUNT, REGION, endpoint, {"EndpointName": endpoint, "EndpointConfigName": config}, endpoint)


@assumes
@pytest.mark.parametrize("fails", [False, True])
def test_cloudformation_calls_it_a_success_or_a_failure(aws: Aws, image: str, name: Name, assumed: set[Assumption], *, fails: bool) -> None:
    old, broken = configured(aws, image, name("old")), configured(aws, image, name("broken"), "two", BEHAVIOUR="crash")
    endpoint = serving(aws, old, name("e"))
    if fails:
        assumed.add(Assumption.ROLLBACK_FAILS_UPDATE)

    try:
        outcome = ENDPOINT.put(resource(endpoint, broken), resource(endpoint, old))
    except JsonRESTError as error:
        outcome = str(error.message)

    assert ("HandlerErrorCode: NotStabilized" in outcome) is fails
    assert ("did not pass the ping health check" in outcome) is fails
    assert (outcome == endpoint) is not fails
    assert (described(aws, endpoint)["EndpointConfigName"], version(aws, endpoint)) == (old, "one")


@pytest.mark.aws("UpdateEndpoint with the configuration that serves")
def test_the_configuration_that_serves_is_deployed_again(aws: Accounts, image: str, name: Name) -> None:
    config = configured(aws, image, name("config"))
    endpoint = serving(aws, config, name("e"))

    aws.client("sagemaker").update_endpoint(EndpointName=endpoint, EndpointConfigName=config)

    after = described(aws, endpoint)
    assert (after["EndpointStatus"], after["EndpointConfigName"]) == ("InService", config)


@assumes
def test_the_configuration_that_serves_is_refused(aws: Aws, image: str, name: Name, assumed: set[Assumption]) -> None:
    config = configured(aws, image, name("config"))
    endpoint = serving(aws, config, name("e"))
    assumed.add(Assumption.SERVED_CONFIG_REFUSED)

    with pytest.raises(ClientError, match="create a new EndpointConfig"):
        aws.client("sagemaker").update_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    assert described(aws, endpoint)["EndpointStatus"] == "InService"
