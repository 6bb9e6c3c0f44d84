"""What `road clean` looks at and deletes: of each model in each environment, what its serving stack has made and kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from cli import abandoned, standings, unused_images
from cli.abandoned import Abandoned
from cli.output import say
from cli.preflight.finding import Visit
from cli.problem import Problem
from cli.target import Target
from config import CONFIG, Account, Environment
from paved_runtime.spec import ModelSpec
from pipelines.deployment import accounts, retained
from pipelines.deployment.errors import DeploymentError, code
from pipelines.deployment.retained import Retained

GOES, STAYS, DELETED, WAS_GONE = "goes", "stays", "deleted", "was gone already"  # what becomes of a thing
Things = Mapping[Account, Sequence[Retained]]  # the endpoint configurations and models of accounts


@dataclass(frozen=True, kw_only=True)
class Row:
    """One thing of a model in an environment, and what becomes of it."""

    model: str
    environment: Environment
    thing: Retained
    state: str

    def as_dict(self, now: datetime) -> dict[str, Any]:
        """For `--json`."""
        thing = self.thing
        about = {"kind": thing.kind, "name": thing.name, "made": thing.made.isoformat(), "age_days": (now - thing.made).days}
        whose = {"model": self.model, "environment": self.environment.name, "account": self.environment.account.id}
        return {**whose, **about, "state": self.state, "needed": thing.needed or None}


def registered(aws: Target, models: Iterable[ModelSpec]) -> Iterator[ModelSpec]:
    """Those of some models that have a registry; of the others it is told that they are left out."""
    aws.session()  # credentials of another account are a problem of their own
    for model in models:
        try:
            aws.registry(model)
        except Problem as problem:
            say(f"{model.name} is left out: {problem}")
        else:
            yield model


def everything(aws: Target, environments: Iterable[Environment]) -> Things:
    """What is in the accounts of some environments, each asked once."""
    chosen = dict.fromkeys(environment.account for environment in environments)
    return {account: retained.everything(aws.inside(account).client("sagemaker")) for account in chosen}


def look(aws: Target, model: ModelSpec, environment: Environment, things: Things, *, keep: int, before: datetime) -> list[Row]:
    """What a model's serving stack has made in an environment, and what of it goes; arguments as of `retained.look`. Raises Problem."""
    place = standings.place(aws, model, environment)
    try:
        own = retained.look(place, things[environment.account], keep=keep, before=before)
    except DeploymentError as error:
        raise Problem(f"clean of {model.name} in {environment.name}", str(error), f"./road audit {model.name} shows what served") from error
    return [Row(model=model.name, environment=environment, thing=thing, state=STAYS if thing.needed else GOES) for thing in own]


def delete(aws: Target, row: Row, role: str | None) -> Row:
    """The row once its thing is deleted, if it goes; `role` is one of the environment's account, to be taken for that.

    Raises:
        Problem: whoever asks may not do that.
    """
    if row.state != GOES:
        return row
    account = row.environment.account
    session = accounts.session(CONFIG, account, role) if role else aws.inside(account, "deploy")
    try:
        there = retained.remove(session.client("sagemaker"), row.thing)
    except ClientError as error:
        if code(error) not in standings.REFUSED:
            raise
        why = f"you may not delete it: {error.response['Error']['Message']}"
        advice = f"name a role of account {account.id} that may with --role, or use credentials that may, and run it again"
        raise Problem(f"{row.thing.kind} {row.thing.name}", why, advice) from error
    return replace(row, state=DELETED if there else WAS_GONE)


def images(aws: Target, models: Iterable[ModelSpec], before: datetime) -> Iterator[Abandoned]:
    """The images of some models that no version was made with."""
    for model in models:
        yield from unused_images.look(aws.registry(model), before)


def remains(aws: Target, models: Iterable[ModelSpec], things: Things) -> Iterator[Abandoned]:
    """What remains in any account of what is not in this tree any more."""
    known = tuple(models)
    for account in CONFIG.accounts:
        visit = Visit(config=CONFIG, models=known, account=account, clients=accounts.of(aws.inside(account)))
        yield from abandoned.look(visit, things.get(account, ()))
