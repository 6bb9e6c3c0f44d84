"""The AWS on which a fork's road stands: a localcloud that the clone starts, or accounts, where somebody verifies them.

On accounts nothing is taken down here: whoever runs the tests there removes what has the run's prefix, whatever became of them.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import boto3
import pytest

from cli import sessions
from config import Account, Config
from localcloud.testing.verification import Verification

if TYPE_CHECKING:
    from tests.support.fork import Fork


SETTINGS = ("AWS_CONFIG_FILE", "AWS_ENDPOINT_URL", "AWS_SHARED_CREDENTIALS_FILE")  # by which accounts are reached


class WhoseAws(Protocol):
    """What tests of a whole road ask of an AWS."""

    def begin(self, fork: Fork, config: Config) -> None:
        """Deploy what a push needs."""

    def end(self, fork: Fork) -> None:
        """Leave the machine as it was."""

    def session(self, account: Account) -> boto3.Session:
        """As the account's administrator."""

    def variables(self, account: Account) -> dict[str, str]:
        """By which a program speaks to the account as its administrator."""

    @property
    def remote(self) -> str:
        """Where to push to."""


class Laptop:
    """The localcloud of a clone at `home`, started with `./road up OPTIONS`."""

    def __init__(self, home: Path, options: tuple[str, ...]) -> None:
        self._home, self._options = home, options

    def begin(self, fork: Fork, config: Config) -> None:  # noqa: ARG002 - as the protocol has it
        fork.road("up", *self._options)

    def end(self, fork: Fork) -> None:
        fork.road("down")

    def session(self, account: Account) -> boto3.Session:
        keys = self._state["accounts"][account.id]
        return _session(self._state["url"], keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"], account.region)

    def variables(self, account: Account) -> dict[str, str]:
        where = {"AWS_ENDPOINT_URL": self._state["url"], "AWS_REGION": account.region, "AWS_DEFAULT_REGION": account.region}
        return {**where, **self._state["accounts"][account.id]}

    @property
    def remote(self) -> str:
        return str(self._state["remote"])

    @property
    def _state(self) -> dict[str, Any]:
        return dict(json.loads((self._home / ".road/cloud/cloud.json").read_text()))


class Accounts:
    """Accounts that are bootstrapped and deployed to as docs/platform-engineer.md says, under a qualifier of the run's own."""

    def __init__(self, verification: Verification) -> None:
        if not verification.repository:
            pytest.skip("no repository was named for the whole road: --repository, --connection and --remote of ./road verify-aws")
        self._verification = verification

    def begin(self, fork: Fork, config: Config) -> None:
        _name_toolkit(fork.home / "cdk.json", f"{self._verification.prefix}-toolkit")
        fork.commit("on accounts")
        places = [config.toolchain.id, *(environment.account.id for environment in config.environments)]
        for place in dict.fromkeys(places):
            account = next(each for each in config.accounts if each.id == place)
            fork.road("bootstrap", place, variables=self.variables(account))
        fork.road("deploy")

    def end(self, fork: Fork) -> None:
        fork.git("push", "-q", self.remote, "--delete", fork.branch)

    def session(self, account: Account) -> boto3.Session:
        return boto3.Session(profile_name=self._verification.profiles[account.id], region_name=account.region)

    def variables(self, account: Account) -> dict[str, str]:
        kept = {name: os.environ[name] for name in SETTINGS if name in os.environ}
        own = {"AWS_PROFILE": self._verification.profiles[account.id], "AWS_REGION": account.region, "AWS_DEFAULT_REGION": account.region}
        return {**kept, **own}

    @property
    def remote(self) -> str:
        return self._verification.repository["remote"]


@cache
def _session(url: str, key: str, secret: str, region: str) -> boto3.Session:
    """One for all clients: each reads botocore's descriptions of services anew, which takes longer than a call."""
    return sessions.local(url, key=key, secret=secret, region=region)


def _name_toolkit(file: Path, name: str) -> None:
    """Keep CDK's bootstrap of this run apart from one that the account may have."""
    file.write_text(json.dumps({**json.loads(file.read_text()), "toolkitStackName": name}, indent=2) + "\n")
