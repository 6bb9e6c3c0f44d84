"""A cloud for the tests of localcloud: one moto server with SageMaker that runs, a bucket and a repository."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from zlib import crc32

import pytest
from moto.server import ThreadedMotoServer

from localcloud import alarms, alarms_api, clock, metric_filters, metrics, sagemaker, scaling
from localcloud.cloud import Cloud, install
from tests.localcloud.running import Running
from tests.localcloud.support import REGION, Aws


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """The cloud; its time runs a hundred times faster."""
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
    """The test image's URI, by digest."""
    return aws.image()


@pytest.fixture
def name(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Names that no other test uses."""
    stem = "".join(c if c.isalnum() else "-" for c in request.node.name)[:30].strip("-")
    return lambda kind: f"{kind}-{stem}-{crc32(request.node.nodeid.encode()):08x}"


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A whole localcloud in a process of its own, with IAM enforced."""
    with Running(tmp_path_factory.mktemp("localcloud")) as running:
        yield running
