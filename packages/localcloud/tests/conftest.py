"""Two clouds, which the tests share: one in this process, whose parts can be looked at, and one beside it, spoken to from outside."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localcloud.testing.isolation import isolate

isolate()

from localcloud.testing.in_process import Aws, in_process  # noqa: E402  moto reads its environment when it is imported
from localcloud.testing.names import Name, unique  # noqa: E402
from localcloud.testing.running import Running  # noqa: E402


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """The cloud in this process, without IAM."""
    with in_process(tmp_path_factory.mktemp("in-process")) as cloud:
        yield cloud


@pytest.fixture(scope="session")
def image(aws: Aws) -> str:
    """The URI, by digest, of the image of `localcloud.testing`."""
    return aws.image()


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A whole localcloud in a process of its own, with IAM enforced."""
    with Running(tmp_path_factory.mktemp("localcloud")) as running:
        yield running


@pytest.fixture
def name(request: pytest.FixtureRequest) -> Name:
    """Names that no other test uses."""
    return unique(request.node.nodeid)
