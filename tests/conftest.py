"""No test may reach an account: credentials are made up and the metadata service is off. CDK's own validator runs in the policy gate.

A localcloud within the tests' own process there can be but one of, so it is made here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from zlib import crc32

import pytest

if TYPE_CHECKING:
    from tests.localcloud.support import Aws

os.environ.update(
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
    AWS_SESSION_TOKEN="test",
    AWS_DEFAULT_REGION="eu-west-1",
    AWS_REGION="eu-west-1",
    AWS_EC2_METADATA_DISABLED="true",
    AWS_CONFIG_FILE=os.devnull,
    AWS_SHARED_CREDENTIALS_FILE=os.devnull,
    CDK_VALIDATION="false",
)
for variable in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
    os.environ.pop(variable, None)


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """One moto server with SageMaker that runs, a bucket and a repository; its time runs a hundred times faster."""
    from moto.server import ThreadedMotoServer  # here, because most tests need none of this, and it takes its time

    from localcloud import alarms, alarms_api, clock, metric_filters, metrics, sagemaker, scaling
    from localcloud.cloud import Cloud, install
    from tests.localcloud.support import REGION, Aws

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    cloud = Cloud(root=tmp_path_factory.mktemp("cloud"), url=f"http://localhost:{server.get_host_and_port()[1]}", region=REGION, speed=100)
    install(cloud)
    for part in (metrics, metric_filters, alarms, alarms_api, scaling, sagemaker):
        part.install()
    made = Aws(cloud)
    made.prepare()
    yield made
    clock.clear()
    sagemaker.shutdown()
    server.stop()


@pytest.fixture(scope="session")
def image(aws: Aws) -> str:
    """The URI, by digest, of the image of tests/localcloud/image."""
    return aws.image()


@pytest.fixture
def name(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Names that no other test uses."""
    stem = "".join(c if c.isalnum() else "-" for c in request.node.name)[:30].strip("-")
    return lambda kind: f"{kind}-{stem}-{crc32(request.node.nodeid.encode()):08x}"
