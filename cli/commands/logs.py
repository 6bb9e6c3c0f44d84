"""`road logs`: what the builds and training jobs of an execution printed."""

from __future__ import annotations

import time
from typing import Annotated

import typer

import naming
from cli import executions, target
from cli.executions import Execution
from cli.log_streams import Reader
from cli.problem import Problem
from config import CONFIG
from paved_runtime import spec


def logs(
    model: Annotated[str | None, typer.Argument(help="A model's name, or `platform`; the only model without it.")] = None,
    *,
    stage: Annotated[str | None, typer.Option(metavar="STAGE", help="Only this stage: Build, Train, Staging, …")] = None,
    execution: Annotated[str | None, typer.Option(metavar="ID", help="Which execution; the newest without it.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the stage or the execution ends, or waits.")] = False,
    where: target.Wanted = None,
) -> None:
    """Print what an execution's builds and training jobs have written. Each line comes behind its stage's name."""
    road = target.road(model) if model else _only()
    aws = target.choose(where)
    shown = executions.find(aws.session().client("codepipeline"), naming.delivery_pipeline(CONFIG, road), execution)
    if stage:
        shown.stage(stage)
    reader = Reader(aws, road, shown.id, stage)
    _print(reader, shown)
    while follow and shown.moving and not (stage and shown.stage(stage).ended):
        time.sleep(aws.pace)
        shown = reader.read()
        _print(reader, shown)


def _print(reader: Reader, execution: Execution) -> None:
    for label, line in reader.new(execution):
        print(f"{label}  {line}", flush=True)


def _only() -> str:
    known = spec.names()
    if len(known) != 1:
        why = f"there are several models: {', '.join(known)}" if known else "there is no model"
        raise Problem("logs", why, "name one, or `platform`", code=2)
    return known[0]
