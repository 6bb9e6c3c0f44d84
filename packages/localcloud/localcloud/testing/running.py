"""A real localcloud process for tests: started as any program starts it, called as any AWS is called. IAM is enforced."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import boto3
from botocore.config import Config

import localcloud
from localcloud.core.assumptions import Assumption
from localcloud.testing import ACCOUNT, OTHER, REGION
from localcloud.testing.docker import Docker

SOURCE = Path(localcloud.__file__).parents[1]  # so that the process is of this very package, installed or not
ENDS_WITHIN = 120  # seconds
PLENTY = ("*=1000",)  # tests share accounts


class Running:
    """`with Running(folder) as cloud:` — ends with the block, or with the test process, however that ends.

    `options` are more of localcloud's own.
    """

    def __init__(
        self,
        root: Path,
        *options: str,
        speed: float = 600,
        accounts: Sequence[str] = (ACCOUNT, OTHER),
        region: str = REGION,
        assumptions: Sequence[Assumption] = (),
        quotas: Sequence[str] = PLENTY,
    ) -> None:
        self.region = region
        argv = [sys.executable, "-m", "localcloud", "--exit-with-parent", "--root", str(root), "--speed", str(speed)]
        argv += ["--accounts", ",".join(accounts), "--region", region, *options]
        argv += [word for assumption in assumptions for word in ("--assume", assumption)]
        argv += [word for quota in quotas for word in ("--quota", quota)]
        env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        env["PYTHONPATH"] = os.pathsep.join([str(SOURCE), *filter(None, [env.get("PYTHONPATH")])])
        self.process = subprocess.Popen(argv, cwd=root.parent, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("ready "), line
        self.state: dict[str, Any] = json.loads((root / "cloud.json").read_text())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(ENDS_WITHIN)

    def client(self, service: str, account: str = ACCOUNT, **keys: str) -> Any:
        """A client with the account's administrator keys, or with the temporary `keys` of an assumed role."""
        admin = self.state["accounts"][account]
        make: Any = boto3.client
        return make(
            service,
            region_name=self.region,
            endpoint_url=self.state["url"],
            config=Config(retries={"total_max_attempts": 1}),
            aws_access_key_id=keys.get("AccessKeyId", admin["AWS_ACCESS_KEY_ID"]),
            aws_secret_access_key=keys.get("SecretAccessKey", admin["AWS_SECRET_ACCESS_KEY"]),
            aws_session_token=keys.get("SessionToken"),
        )

    def docker(self, account: str = ACCOUNT) -> Docker:
        """docker, as the account's administrator runs it."""
        return Docker(self.state["url"], self.state["accounts"][account], Path(self.state["root"]) / "images", self.state["containers"])

    def image(self, repository: str, account: str = ACCOUNT) -> str:
        """The URI, by digest, of the image of `localcloud.testing`, built and pushed to a repository that is there."""
        return self.docker(account).image(f"{account}.dkr.ecr.{self.region}.amazonaws.com/{repository}:test")

    def lines(self, group: str) -> list[str]:
        """What was written to a log group."""
        logs = self.client("logs")
        return [e["message"] for e in logs.filter_log_events(logGroupName=group)["events"]]

    def role(self, name: str, *, trusts: dict[str, Any], allows: list[dict[str, Any]], account: str = ACCOUNT) -> str:
        """Make a role and return its ARN."""
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": trusts}]}
        iam = self.client("iam", account)
        arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **a} for a in allows]}
        iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=json.dumps(policy))
        return arn

    def assume(self, role_arn: str, account: str = ACCOUNT) -> dict[str, str]:
        """Temporary keys of a role, for `client`."""
        answer = self.client("sts", account).assume_role(RoleArn=role_arn, RoleSessionName="test")
        keys: dict[str, str] = {k: v for k, v in answer["Credentials"].items() if k != "Expiration"}
        return keys
