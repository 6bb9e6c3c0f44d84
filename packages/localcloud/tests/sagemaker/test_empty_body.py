"""An empty body at InvokeEndpoint, of which AWS's documentation does not say who refuses it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from localcloud.core.assumptions import Assumption
from localcloud.testing.endpoints import configured, serving
from localcloud.testing.in_process import Aws
from localcloud.testing.names import Name

pytestmark = pytest.mark.laptop("what is assumed")


@pytest.fixture
def assumed(aws: Aws) -> Iterator[set[Assumption]]:
    """What the cloud assumes, for the length of a test."""
    yield aws.cloud.assumptions
    aws.cloud.assumptions.clear()


def test_the_container_gets_it_or_the_api_refuses_it(aws: Aws, image: str, name: Name, assumed: set[Assumption]) -> None:
    endpoint = serving(aws, configured(aws, image, name("config")), name("e"))
    invoke = aws.client("sagemaker-runtime").invoke_endpoint

    said = json.loads(invoke(EndpointName=endpoint, Body=b"")["Body"].read())["said"]
    assumed.add(Assumption.EMPTY_BODY_REFUSED)
    with pytest.raises(ClientError, match="'body'") as refused:
        invoke(EndpointName=endpoint, Body=b"")

    assert said == ""
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert json.loads(invoke(EndpointName=endpoint, Body=b"row")["Body"].read())["said"] == "row"
