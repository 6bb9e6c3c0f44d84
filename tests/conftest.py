"""No test may reach an account: credentials are made up and the metadata service is off. CDK's own validator runs in the policy gate.

Tests run on the reference, whatever a fork has made of `config.py` and `model_code/`.

There can be but one localcloud within the tests' own process, so it is made here.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

import config
from localcloud.testing import MODELS, marks
from localcloud.testing.isolation import isolate
from localcloud.testing.names import Name, unique
from paved_runtime import feature_groups, spec
from tests import reference
from tests.support.tree import reference_tree

if TYPE_CHECKING:
    from localcloud.testing.in_process import Aws

HERE = Path(__file__).parent
isolate()
os.environ["CDK_VALIDATION"] = "false"
settings.register_profile("unhurried", deadline=None)  # a busy machine is no defect
settings.load_profile("unhurried")

feature_groups.GROUPS = Path("tests/feature_groups")  # of the folder where one is: the root has none, packages/runtime the frozen one
config.CONFIG, spec.MODELS = reference.CONFIG, reference.MODELS  # what is imported from here on has no other

OF_AWS = (HERE / "e2e", HERE / "stacks")  # whose tests say whether an account can show what they show
SLOW = 900  # seconds that a slow test may take, where it says nothing else: it shares its cores with a fork's whole suite


def pytest_configure(config: pytest.Config) -> None:
    marks.configure(config)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    marks.write(item, report)
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give slow tests their time."""
    marks.require(items, OF_AWS, marks.read(HERE.parent / "docs/seen-on-aws.json"))
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW))


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this clone with the reference's configuration and models, in which programs are run. Nobody changes it."""
    return reference_tree(tmp_path_factory.mktemp("tree"))


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """A cloud in this process, with a bucket and a repository; its time runs a hundred times faster, and IAM is not enforced."""
    from localcloud.testing.in_process import in_process  # here, because most tests need none of this, and it takes its time

    with in_process(tmp_path_factory.mktemp("in-process")) as cloud:
        yield cloud


@pytest.fixture(scope="session")
def image(aws: Aws) -> str:
    """The URI, by digest, of the image of `localcloud.testing`."""
    return aws.image(MODELS)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> Name:
    """Names that no other test uses."""
    return unique(request.node.nodeid)
