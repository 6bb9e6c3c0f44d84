"""Accounts of AWS itself. Everything that tests make there is written down before it is made, and can be taken away again."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Mapping
from typing import Any

import boto3

from localcloud.testing import ACCOUNT, PROCESS
from localcloud.testing.accounts import ONCE, Accounts, keyed
from localcloud.testing.docker import IMAGE
from localcloud.testing.guard import Guard
from localcloud.testing.verification import Verification


class RealAccounts(Accounts):
    """The accounts of a verification, each with the credentials of its profile."""

    def __init__(self, verification: Verification) -> None:
        self.region = verification.region
        self._verification = verification
        self._guard = Guard(verification)
        self._sessions = {
            account: boto3.Session(profile_name=profile, region_name=self.region) for account, profile in verification.profiles.items()
        }

    def client(self, service: str, account: str = ACCOUNT, **keys: str) -> Any:
        session = self._sessions[account]
        own: Any = session.client  # its overloads want to know the service beforehand
        client = own(service, config=ONCE)
        if keys:
            client = keyed(service, self.region, keys, client.meta.endpoint_url)
        self._guard.watch(client, account)
        return client

    def image(self, repository: str, account: str = ACCOUNT) -> str:
        """Raises AssertionError where Docker says no."""
        name = f"{account}.dkr.ecr.{self.region}.amazonaws.com/{repository}:test{PROCESS}"
        authorization = self.client("ecr", account).get_authorization_token()["authorizationData"][0]
        token = base64.b64decode(authorization["authorizationToken"]).decode().partition(":")[2]
        self._docker(account, "login", "--username", "AWS", "--password-stdin", name.partition("/")[0], stdin=token)
        self._docker(account, "build", "--platform", "linux/amd64", "-t", name, str(IMAGE))
        pushed = self._docker(account, "push", name)
        return f"{name.rpartition(':')[0]}@{pushed.split('digest: ')[1].split()[0]}"

    def settle(self) -> None:
        """IAM's guide says that changes take time to be seen everywhere ("Troubleshoot IAM"), and no call tells when they are."""
        threading.Event().wait(self._verification.propagation)

    def _docker(self, account: str, *arguments: str, stdin: str = "") -> str:
        env: Mapping[str, str] = {**os.environ, "AWS_PROFILE": self._verification.profiles[account]}
        done = subprocess.run(["docker", *arguments], env=env, input=stdin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout
