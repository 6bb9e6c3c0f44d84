"""Two clouds, which the tests share: one in this process, whose parts can be looked at, and one beside it, spoken to from outside."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from localcloud.testing import MODELS, VERIFICATION, marks
from localcloud.testing.isolation import isolate

isolate()

from localcloud.ecr import engine  # noqa: E402
from localcloud.ecr.engine import Engine  # noqa: E402
from localcloud.testing.accounts import Accounts  # noqa: E402
from localcloud.testing.daemon import daemon, python_image  # noqa: E402
from localcloud.testing.in_process import in_process  # noqa: E402  moto reads its environment when it is imported
from localcloud.testing.names import Name, unique  # noqa: E402
from localcloud.testing.real import RealAccounts  # noqa: E402
from localcloud.testing.running import Running  # noqa: E402

settings.register_profile("unhurried", deadline=None)  # a busy machine is no defect
settings.load_profile("unhurried")
HERE = Path(__file__).parent
SEEN = HERE.parents[2] / "docs" / "seen-on-aws.json"  # where this package is part of a repository that has one


def pytest_configure(config: pytest.Config) -> None:
    marks.configure(config)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    marks.require(items, [HERE], marks.read(SEEN))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    marks.write(item, report)
    return report


@pytest.fixture(scope="session")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine | None]:
    """Docker, where the tests are to run their images by it (LOCALCLOUD_TESTS=containers); else none, and the stand-in does."""
    if os.environ.get("LOCALCLOUD_TESTS") != "containers":
        yield None
        return
    root = tmp_path_factory.mktemp("docker")
    with daemon(root):
        python_image(root, "public.ecr.aws/docker/library/python:3.11-slim")  # on which the image of `localcloud.testing` is built
        running = engine.start(root)
        yield running
        running.stop()


@pytest.fixture(scope="session")
def aws(docker: Engine | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accounts]:
    """The cloud in this process, without IAM; or accounts of AWS, where they are verified."""
    if VERIFICATION:
        accounts = RealAccounts(VERIFICATION)
        accounts.prepare()
        yield accounts
        return
    with in_process(tmp_path_factory.mktemp("in-process"), engine=docker) as cloud:
        yield cloud


@pytest.fixture(scope="session")
def image(aws: Accounts) -> str:
    """The URI, by digest, of the image of `localcloud.testing`."""
    return aws.image(MODELS)


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accounts]:
    """A whole localcloud in a process of its own, with IAM enforced; or accounts of AWS, where they are verified."""
    if VERIFICATION:
        yield RealAccounts(VERIFICATION)
        return
    with Running(tmp_path_factory.mktemp("localcloud")) as running:
        yield running


@pytest.fixture
def name(request: pytest.FixtureRequest) -> Name:
    """Names that no other test uses."""
    return unique(request.node.nodeid)
