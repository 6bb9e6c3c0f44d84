"""What tests of pipelines share: the role of their pipelines, and a clone that they push from."""

from __future__ import annotations

from pathlib import Path

import pytest

from localcloud.testing import pipelines
from localcloud.testing.accounts import Accounts
from localcloud.testing.pipelines import Push
from localcloud.testing.running import Running


@pytest.fixture(scope="session")
def role(cloud: Accounts) -> str:
    """The role of pipelines, with the bucket and the projects that `definition` names."""
    return pipelines.prepare(cloud)


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `push` pushes from."""
    return tmp_path_factory.mktemp("clone")


@pytest.fixture(scope="session")
def push(cloud: Running, clone: Path) -> Push:
    """Writes one file, commits all there is and pushes it; returns what git said."""
    return pipelines.clone(cloud, clone)
