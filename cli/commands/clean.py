"""`road clean`: what deployments have left behind and nothing needs any more, shown, and deleted where a person says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cli import cleaning, output, target
from cli.abandoned import Abandoned
from cli.cleaning import DELETED, GOES, Row
from cli.output import say
from cli.problem import Problem
from config import CONFIG
from paved_runtime import spec

COLOURS = {GOES: "yellow", DELETED: "green"}
Model = Annotated[str | None, typer.Argument(metavar="MODEL", help="Only of this model; all, and what remains of gone ones, without it.")]
Only = Annotated[str | None, typer.Option("--environment", metavar="NAME", help="Only in this environment of config.py.")]
Older = Annotated[int, typer.Option("--older-than", metavar="DAYS", help="Only what was made longer ago than that.", min=0)]
Keep = Annotated[int, typer.Option("--keep", metavar="N", help="So many good versions of each ledger keep what serves them again.", min=1)]
Role = Annotated[str | None, typer.Option("--role", metavar="NAME", help="A role of the environments' accounts that may delete there.")]
Sure = Annotated[bool, typer.Option("--yes/--dry-run", help="Delete it; without it, only show what would go.")]


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

    What serves, what a stack has and what a rollback needs stays; evidence, ledger and registered versions with all they need always do.
    Without --environment it also shows images that no version was made with, and without MODEL what remains of models and environments
    that are gone: each with the command that deletes it.
    """
    chosen = target.model(model) if model else None
    environments = [target.environment(environment)] if environment else list(CONFIG.environments)
    now = datetime.now(UTC)
    before = _before(now, older_than)
    aws = target.choose(where)
    if role and aws.cloud:
        raise Problem("--role", "localcloud is entered as its administrator", "leave it out", code=2)
    models = [chosen] if chosen else list(spec.load_all())
    things = cleaning.everything(aws, environments)
    looked = [chosen] if chosen else list(cleaning.registered(aws, models))
    rows = [row for one in looked for place in environments for row in cleaning.look(aws, one, place, things, keep=keep, before=before)]
    if yes:
        rows = [cleaning.delete(aws, row, role) for row in rows]
    remains = [] if environment else list(cleaning.images(aws, looked, before))
    remains += [] if environment or chosen else cleaning.remains(aws, models, things)
    machine = {"retained": [row.as_dict(now) for row in rows], "remains": [each.as_dict() for each in remains]}
    output.show(view(rows, remains, now), machine, json=json)
    if any(row.state == GOES for row in rows):
        say("nothing was deleted: --yes deletes what goes")


def view(rows: Sequence[Row], remains: Sequence[Abandoned], now: datetime) -> Group:
    """Both as a person reads them."""
    return Group(_table(rows, now) if rows else Text("no deployment has left anything behind"), *_commands(remains))


def _before(now: datetime, days: int) -> datetime:
    """So many days ago. Raises Problem where there is no such day."""
    try:
        return now - timedelta(days=days)
    except OverflowError as error:
        raise Problem("--older-than", f"there is no day {days} days ago", "name fewer", code=2) from error


def _table(rows: Sequence[Row], now: datetime) -> Table:
    table = Table("", "days", "environment", "model", "what", "why", box=None, padding=(0, 1), header_style="dim")
    for row in rows:
        state, days = Text(row.state, COLOURS.get(row.state, "dim")), str((now - row.thing.made).days)
        what = Text(f"{row.thing.kind} {row.thing.name}", overflow="fold")
        table.add_row(state, days, row.environment.name, row.model, what, Text(row.thing.needed or "nothing needs it", "dim"))
    return table


def _commands(remains: Sequence[Abandoned]) -> Iterator[Text]:
    if remains:
        yield Text("\nWhat else remains, and the command that deletes it", "bold")
    for each in remains:
        yield Text(f"  {each.account}  {each.kind} {each.name}: {each.why}: {each.command}")
