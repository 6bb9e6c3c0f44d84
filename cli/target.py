"""Which AWS a command speaks to: the localcloud of this clone when it runs, else the account of the person's credentials."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

import boto3
import typer

import naming
from cli import configuration, local
from cli.output import say
from cli.problem import CREDENTIALS, Problem
from config import CONFIG, Account, Environment
from paved_runtime import spec
from paved_runtime.spec import ModelSpec
from pipelines.deployment import accounts
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.registry import Registry


class Where(StrEnum):
    """The two targets a command can have."""

    LOCAL = "local"
    AWS = "aws"


Wanted = Annotated[
    Where | None, typer.Option("--target", metavar="local|aws", help="Speak to localcloud or to AWS. Without it: localcloud when it runs.")
]
Model = Annotated[str, typer.Argument(metavar="MODEL", help="A model's name: a folder of model_code with a model.toml.")]
InEnvironment = Annotated[
    str | None, typer.Option("--environment", metavar="NAME", help="Which environment of config.py; the last one without it.")
]


@dataclass(frozen=True, kw_only=True)
class Target:
    """One AWS. `cloud` is None for the real one."""

    cloud: local.LocalCloud | None
    _sessions: dict[str, boto3.Session] = field(default_factory=dict)

    def session(self, account: Account = CONFIG.toolchain) -> boto3.Session:
        """A session in an account. Raises Problem when the credentials are another account's."""
        key = f"{account.id}/{account.region}"
        if key not in self._sessions:
            self._sessions[key] = self.cloud.session(account) if self.cloud else of_account(account)
        return self._sessions[key]

    def inside(self, account: Account, role: str = "lookup") -> boto3.Session:
        """A session in an environment's account, also for who has credentials of the toolchain's account only.

        They take the roles that CDK's bootstrap made there, as CDK itself does: `deploy` updates stacks, `lookup` looks.
        """
        return self.acting(account, naming.bootstrap_role(CONFIG, role, account))

    def acting(self, account: Account, role: str) -> boto3.Session:
        """A session in an account: who has no credentials of it takes the role of that name there."""
        at_home = self.cloud or account.id == CONFIG.toolchain.id
        if at_home or boto3.client("sts", region_name=account.region).get_caller_identity()["Account"] == account.id:
            return self.session(account)
        name = f"{role}/{account.id}/{account.region}"
        if name not in self._sessions:
            self._sessions[name] = accounts.session(CONFIG, account, role)
        return self._sessions[name]

    def registry(self, model: ModelSpec) -> Registry:
        """Where a model's things are. Raises Problem when its registry is not deployed, or is too old to tell all of it."""
        try:
            return Registry.read(CONFIG, model, accounts.of(self.session()))
        except DeploymentError as error:
            stack = naming.registry_stack(CONFIG, model.name)
            raise Problem(stack, "the model's registry is not deployed", "./road up, or cdk deploy on a real account") from error

    def caller(self, account: Account = CONFIG.toolchain) -> str:
        """The ARN of whoever runs this command."""
        return self.session(account).client("sts").get_caller_identity()["Arn"]

    @property
    def pace(self) -> float:
        """Seconds between two looks at something that changes by itself."""
        return 0.5 if self.cloud else 5.0


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
    configuration.must_be_real(CONFIG)
    profile = f" (profile {session.profile_name})" if session.profile_name != "default" else ""
    say(f"target: AWS{profile}")
    return Target(cloud=None)


def environment(name: str | None) -> Environment:
    """The environment of that name in config.py; the last one without a name. Raises Problem."""
    if name is None:
        return CONFIG.environments[-1]
    for known in CONFIG.environments:
        if known.name == name:
            return known
    names = ", ".join(e.name for e in CONFIG.environments)
    raise Problem(f"environment {name}", f"config.py has {names}", "name one of them", code=2)


def model(name: str) -> ModelSpec:
    """The model of that name. Raises Problem when there is none, SpecError when its model.toml is wrong."""
    if name not in spec.names():
        raise Problem(f"model {name}", f"there are {', '.join(spec.names()) or 'none'}", "name one of them", code=2)
    return spec.load(name)


def any_model(name: str | None) -> ModelSpec:
    """The model of that name; without one the only model, or the first in alphabetical order, which is told. Raises Problem."""
    if name is not None:
        return model(name)
    known = spec.names()
    if not known:
        raise Problem("model_code", "there is no model in it", "./road new-model writes one", code=2)
    say(f"model: {known[0]}" + (f" (the first of {', '.join(known)})" if len(known) > 1 else ""))
    return spec.load(known[0])


def road(name: str) -> str:
    """A model's name, or the platform's, whose road is looked at. Raises Problem, SpecError."""
    return name if name == naming.PLATFORM else model(name).name


def of_account(account: Account) -> boto3.Session:
    """A session with the person's own credentials. Raises Problem when they are another account's."""
    session = boto3.Session(region_name=account.region)
    caller = session.client("sts").get_caller_identity()
    if caller["Account"] != account.id:
        why = f"the credentials are of account {caller['Account']} ({caller['Arn']})"
        raise Problem(f"account {account.id} is needed", why, f"set AWS_PROFILE to a profile of {account.id}, or correct config.py")
    return session
