"""Every layout of accounts, synthesised once a session with two models that differ in how they serve."""

from __future__ import annotations

import pytest

from tests.support.layouts import ACCOUNTS, Layout, configuration, models, synth


@pytest.fixture(scope="session")
def layouts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Layout]:
    """Every layout by name."""
    return {name: synth(configuration(name), models(), tmp_path_factory.mktemp(name)) for name in ACCOUNTS}


@pytest.fixture(params=ACCOUNTS)
def layout(request: pytest.FixtureRequest, layouts: dict[str, Layout]) -> Layout:
    """Each layout in turn."""
    return layouts[request.param]


@pytest.fixture
def three(layouts: dict[str, Layout]) -> Layout:
    """The layout with an account for each."""
    return layouts["three"]
