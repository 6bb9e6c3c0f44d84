"""Which AWS a command speaks to: the localcloud of this clone when it runs, else the account of the person's credentials."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

import boto3
import typer

from cli import local
from cli.output import say
from cli.problem import CREDENTIALS, Problem
from config import CONFIG, Account, Environment
from model_code import spec
from pipelines.steps import environment as roles


class Where(StrEnum):
    """The two targets a command can have."""

    LOCAL = "local"
    AWS = "aws"


Wanted = Annotated[
    Where | None, typer.Option("--target", metavar="local|aws", help="Speak to localcloud or to AWS. Without it: localcloud when it runs.")
]
Model = Annotated[str, typer.Argument(metavar="MODEL", help="A model's name: a folder of model_code with a model.toml.")]


@dataclass(frozen=True, kw_only=True)
class Target:
    """One AWS. `cloud` is None for the real one."""

    cloud: local.LocalCloud | None
    _sessions: dict[str, boto3.Session] = field(default_factory=dict)

    def client(self, service: str, account: Account = CONFIG.toolchain) -> Any:
        """A boto3 client in an account. Raises Problem when the credentials are another account's."""
        endpoint = self.cloud.url if self.cloud else None
        return self._session(account).client(service, endpoint_url=endpoint)  # type: ignore[call-overload]

    def inside(self, service: str, account: Account) -> Any:
        """A client in an environment's account, also for who has credentials of the toolchain's account only.

        They take the roles that CDK's bootstrap made there, as CDK itself does: one that updates stacks, one that looks.
        """
        if self.cloud or account.id == CONFIG.toolchain.id or boto3.client("sts").get_caller_identity()["Account"] == account.id:
            return self.client(service, account)
        role = roles.bootstrap_role("deploy" if service == "cloudformation" else "lookup", account.id, account.region)
        if role not in self._sessions:
            self._sessions[role] = roles.session(account.id, account.region, role)
        return self._sessions[role].client(service)  # type: ignore[call-overload]

    def caller(self, account: Account = CONFIG.toolchain) -> str:
        """The ARN of whoever runs this command."""
        return str(self.client("sts", account).get_caller_identity()["Arn"])

    @property
    def pace(self) -> float:
        """Seconds between two looks at something that changes by itself."""
        return 0.5 if self.cloud else 5.0

    def _session(self, account: Account) -> boto3.Session:
        key = f"{account.id}/{account.region}"
        if key not in self._sessions:
            self._sessions[key] = self._local(account) if self.cloud else _checked(account)
        return self._sessions[key]

    def _local(self, account: Account) -> boto3.Session:
        assert self.cloud is not None
        keys = self.cloud.variables(account)
        return boto3.Session(
            aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
            region_name=account.region,
        )


def choose(wanted: Where | None) -> Target:
    """The target of this command, told to the person in the first line.

    Raises:
        Problem: there is no localcloud and there are no credentials, or localcloud was asked for and does not run.
    """
    cloud = None if wanted is Where.AWS else local.find()
    if wanted is Where.LOCAL and cloud is None:
        raise Problem("localcloud", "it does not run", "./road up")
    if cloud:
        say(f"target: localcloud {cloud.url}")
        return Target(cloud=cloud)
    session = boto3.Session()
    if session.get_credentials() is None:
        why = "no AWS credentials are set" if wanted else "no localcloud runs and no AWS credentials are set"
        raise Problem("no AWS to talk to", why, CREDENTIALS)
    profile = f" (profile {session.profile_name})" if session.profile_name != "default" else ""
    say(f"target: AWS{profile}")
    return Target(cloud=None)


def environment(name: str) -> Environment:
    """The environment of that name in config.py. Raises Problem."""
    for known in CONFIG.environments:
        if known.name == name:
            return known
    names = ", ".join(e.name for e in CONFIG.environments)
    raise Problem(f"environment {name}", f"config.py has {names}", "name one of them", code=2)


def model(name: str) -> spec.ModelSpec:
    """The model of that name. Raises Problem when there is none, SpecError when its model.toml is wrong."""
    if name not in spec.names():
        raise Problem(f"model {name}", f"there are {', '.join(spec.names()) or 'none'}", "name one of them", code=2)
    return spec.load(name)


def _checked(account: Account) -> boto3.Session:
    session = boto3.Session(region_name=account.region)
    caller = session.client("sts").get_caller_identity()
    if caller["Account"] != account.id:
        why = f"the credentials are of account {caller['Account']} ({caller['Arn']})"
        raise Problem(f"account {account.id} is needed", why, f"set AWS_PROFILE to a profile of {account.id}, or correct config.py")
    return session
