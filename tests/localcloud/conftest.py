"""A cloud of its own for the tests that speak to it from outside."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.localcloud.running import Running


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A whole localcloud in a process of its own, with IAM enforced."""
    with Running(tmp_path_factory.mktemp("localcloud")) as running:
        yield running
