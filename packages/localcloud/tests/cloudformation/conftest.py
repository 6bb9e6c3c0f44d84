"""What tests of stacks share: the image of what they serve."""

from __future__ import annotations

import pytest

from localcloud.testing import named
from localcloud.testing.accounts import Accounts, shared


@pytest.fixture(scope="session")
def image(cloud: Accounts) -> str:
    """The image of `localcloud.testing`, by digest, in the cloud of its own."""
    repository = named("team/stacks")
    with shared():
        cloud.client("ecr").create_repository(repositoryName=repository)
    return cloud.image(repository)
