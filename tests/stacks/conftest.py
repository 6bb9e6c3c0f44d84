"""Every layout of accounts, synthesised once a session with two models that differ in how they serve."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localcloud.testing import VERIFICATION
from localcloud.testing.accounts import Accounts
from localcloud.testing.real import RealAccounts
from localcloud.testing.running import Running
from tests.reference import CONFIG
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


@pytest.fixture(scope="session")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accounts]:
    """The reference's accounts on a localcloud; or accounts of AWS, where they are verified."""
    if VERIFICATION:
        yield RealAccounts(VERIFICATION)
        return
    known, region = [account.id for account in CONFIG.accounts], CONFIG.toolchain.region
    with Running(tmp_path_factory.mktemp("localcloud"), accounts=known, region=region) as running:
        yield running
