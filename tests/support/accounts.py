"""The reference's configuration on accounts that somebody verifies: the same road, under the run's prefix."""

from __future__ import annotations

from dataclasses import replace

from config import Account, Config
from localcloud.testing.verification import Verification


def on_accounts(config: Config, verification: Verification) -> Config:
    """The toolchain on the first account, every environment on the other; the branch and CDK's qualifier are the run's own."""
    first, other = (Account(id=account, region=verification.region) for account in verification.accounts)
    where = {name: value for name, value in verification.repository.items() if name != "remote"}
    return replace(
        config,
        project=verification.prefix,
        qualifier=verification.prefix,
        toolchain=first,
        environments=tuple(replace(environment, account=other) for environment in config.environments),
        repository=replace(config.repository, branch=verification.prefix, **where) if where else config.repository,
    )
