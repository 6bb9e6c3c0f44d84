"""A fork's clone with a localcloud of its own, on which the stacks stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.fork import Fork


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fork]:
    """The clone, with `./road up` done and a synthetic data set stored. Each module tells its story from the first push on."""
    with Fork.up(tmp_path_factory.mktemp("fork")) as made:
        yield made


@pytest.fixture
def edit(fork: Fork) -> Callable[[str, str, str], None]:
    """Replace text in a file of the clone."""
    return fork.edit
