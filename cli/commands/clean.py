"""`road clean`: what deployments have left behind and nothing needs any more, shown, and deleted where a person says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from botocore.exceptions import ClientError
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cli import abandoned, output, standings, target
from cli.abandoned import Abandoned
from cli.output import say
from cli.preflight.finding import Visit
from cli.problem import Problem
from cli.target import Target
from config import CONFIG, Account, Environment
from paved_runtime import spec
from paved_runtime.spec import ModelSpec
from pipelines.deployment import accounts, retained
from pipelines.deployment.errors import DeploymentError, code
from pipelines.deployment.retained import Retained

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

GOES, STAYS, GONE, WAS_GONE = "goes", "stays", "deleted", "was gone already"
COLOURS = {GOES: "yellow", GONE: "green"}
Model = Annotated[
    str | None, typer.Argument(metavar="MODEL", help="Only of this model; without it also what remains of models that are gone.")
]
Only = Annotated[str | None, typer.Option("--environment", metavar="NAME", help="Only in this environment of config.py.")]
Older = Annotated[int, typer.Option("--older-than", metavar="DAYS", help="Only what was made longer ago than that.", min=0)]
Keep = Annotated[int, typer.Option("--keep", metavar="N", help="So many good versions of each ledger keep what serves them again.", min=1)]
Role = Annotated[str | None, typer.Option("--role", metavar="NAME", help="A role of the environments' accounts that may delete there.")]
Sure = Annotated[bool, typer.Option("--yes/--dry-run", help="Delete it; without it, only show what would go.")]


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


def clean(
    model: Model = None,
    *,
    environment: Only = None,
    older_than: Older = 14,
    keep: Keep = 3,
    role: Role = None,
    yes: Sure = False,
    json: output.Json = False,
    where: target.Wanted = None,
) -> None:
    """Show, or with --yes delete, endpoint configurations and models that updates have replaced and nothing needs any more.

    What serves, what a stack has and what a rollback needs stays; evidence, ledger, registered versions, artifacts and images always do.
    Without MODEL it also shows what remains of models and environments that are gone, with the command that deletes it.
    """
    models = [target.model(model)] if model else list(spec.load_all())
    environments = [target.environment(environment)] if environment else list(CONFIG.environments)
    aws, now = target.choose(where), datetime.now(UTC)
    if role and aws.cloud:
        raise Problem("--role", "localcloud is entered as its administrator", "leave it out", code=2)
    things = {account: retained.everything(_looking(aws, account)) for account in {each.account: None for each in environments}}
    rows, before = list[Row](), now - timedelta(days=older_than)
    for place in environments:
        for known in models:
            rows += _looked(aws, known, place, things[place.account], keep=keep, before=before, alone=model is not None)
    if yes:
        rows = [_deleted(aws, row, role) for row in rows]
    remains = [] if model or environment else list(_remains(aws, models, things))
    machine = {"retained": [row.as_dict(now) for row in rows], "abandoned": [each.as_dict() for each in remains]}
    output.show(_view(rows, remains, now), machine, json=json)
    if any(row.state == GOES for row in rows):
        say("nothing was deleted: --yes deletes what goes")


def _looking(aws: Target, account: Account) -> SageMakerClient:
    return aws.inside(account).client("sagemaker")


def _looked(
    aws: Target, model: ModelSpec, environment: Environment, things: Sequence[Retained], *, keep: int, before: datetime, alone: bool
) -> Iterator[Row]:
    """What a model's stack has made in an environment. A model that has no registry yet is told of, unless it was asked for `alone`."""
    try:
        place = standings.place(aws, model, environment)
    except Problem as problem:
        if alone:
            raise
        say(f"{model.name} is left out: {problem}")
        return
    try:
        own = retained.look(place, things, keep=keep, before=before)
    except DeploymentError as error:
        raise Problem(f"clean of {model.name} in {environment.name}", str(error), f"./road audit {model.name} shows what served") from error
    yield from (Row(model=model.name, environment=environment, thing=thing, state=STAYS if thing.needed else GOES) for thing in own)


def _deleted(aws: Target, row: Row, role: str | None) -> Row:
    """The row once its thing is deleted, if it goes. Raises Problem where whoever asks may not do that."""
    if row.state != GOES:
        return row
    account = row.environment.account
    session = accounts.session(CONFIG, account, role) if role else aws.inside(account, "deploy")
    try:
        there = retained.remove(session.client("sagemaker"), row.thing)
    except ClientError as error:
        if code(error) not in standings.REFUSED:
            raise
        why = error.response["Error"]["Message"]
        may = f"use credentials of account {account.id} that may, or name a role there with --role, and run it again"
        raise Problem(f"{row.thing.kind} {row.thing.name}", f"you may not delete it: {why}", may) from error
    return replace(row, state=GONE if there else WAS_GONE)


def _remains(aws: Target, models: Sequence[ModelSpec], things: Mapping[Account, Sequence[Retained]]) -> Iterator[Abandoned]:
    for account in CONFIG.accounts:
        visit = Visit(config=CONFIG, models=tuple(models), account=account, clients=accounts.of(aws.inside(account)))
        yield from abandoned.look(visit, things.get(account, ()))


def _view(rows: Sequence[Row], remains: Sequence[Abandoned], now: datetime) -> Group:
    """Both as a person reads them."""
    return Group(_table(rows, now), *_commands(remains))


def _table(rows: Sequence[Row], now: datetime) -> Table | Text:
    if not rows:
        return Text("no serving stack has made anything yet")
    table = Table("", "days", "environment", "model", "what", "why", box=None, padding=(0, 1), header_style="dim")
    for row in rows:
        state, days = Text(row.state, COLOURS.get(row.state, "dim")), str((now - row.thing.made).days)
        what = Text(f"{row.thing.kind} {row.thing.name}", overflow="fold")
        table.add_row(state, days, row.environment.name, row.model, what, Text(row.thing.needed or "nothing needs it", "dim"))
    return table


def _commands(remains: Sequence[Abandoned]) -> Iterator[Text]:
    if remains:
        yield Text("\nWhat remains of what is gone, and the command that deletes it", "bold")
    for each in remains:
        yield Text(f"  {each.account}  {each.kind} {each.name}: {each.why}: {each.command}")
