"""`road rollback`: the last good version back in place, at once, by a person who says why."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from cli import evidence, output, target, workshop
from cli.output import say
from cli.problem import Problem
from cli.progress import Progress
from config import CONFIG, Environment
from model_code.spec import ModelSpec
from pipelines.evidence.document import LedgerEntry
from pipelines.steps import ledger as ledgers
from pipelines.steps import rollback as way_back
from pipelines.steps import stack as stacks
from pipelines.steps.check_evidence import Clients
from pipelines.steps.rollback import Place, Plan
from pipelines.steps.stack import Stack
from pipelines.steps.step import StepError

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept in the ledger.")]
To = Annotated[int | None, typer.Option("--to", metavar="VERSION", help="To this version; without it, to the last good one.", min=1)]


def rollback(
    model: target.Model,
    reason: Reason,
    *,
    to: To = None,
    environment: Annotated[str, typer.Option(metavar="NAME", help="Which environment.")] = CONFIG.environments[-1].name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again.")] = False,
    json: output.Json = False,
    where: target.Wanted = None,
) -> None:
    """Go back to the last good version: checks its evidence, moves all traffic at once, and writes down who and why.

    Killed on the way, it can be run again. It needs no pipeline, and changes none.
    """
    known, place_of = target.model(model), target.environment(environment)
    why = " ".join(reason.split())
    if not why:
        raise Problem("--reason", "it is empty", "say why in a few words", code=2)
    aws = target.choose(where)
    by = aws.caller()
    try:
        with Progress() as progress:
            entry = _rollback(aws, progress, place(aws, known, place_of), why, by=by, to=to, yes=yes)
    except StepError as error:
        raise Problem(f"rollback of {model} in {environment}", str(error), f"./road audit {model} shows what served") from error
    output.show(told(entry), entry.model_dump(mode="json"), json=json)


def place(aws: target.Target, model: ModelSpec, environment: Environment) -> Place:
    """Where the model serves, and the clients that can act there."""
    home = Clients(s3=aws.client("s3"), sagemaker=aws.client("sagemaker"), ecr=aws.client("ecr"), signer=workshop.signer(aws, model.name))
    return Place(
        environment=environment.name,
        stack=CONFIG.stack(model.slug, "Serving", environment.name),
        watch=CONFIG.stack(model.slug, "Watch", environment.name),
        artifacts=workshop.artifacts(aws, model.name),
        cloudformation=aws.inside("cloudformation", environment.account),
        sagemaker=aws.inside("sagemaker", environment.account),
        home=home,
    )


def done_before(ledger: Sequence[LedgerEntry], stack: Stack, *, by: str, reason: str, to: int | None) -> LedgerEntry | None:
    """The newest entry, where it is this very rollback: same person, same reason, and its version serves."""
    if not ledger or ledger[-1].action != way_back.ACTION:
        return None
    last = ledger[-1]
    same = (last.approved_by, last.reason, last.model_package_arn) == (by, reason, stack.outputs["ModelPackage"])
    return last if same and to in (None, int(way_back.number(last.model_package_arn))) else None


def told(entry: LedgerEntry) -> str:
    """The rollback in a line."""
    assert entry.rolled_back_from
    left, back = way_back.number(entry.rolled_back_from), way_back.number(entry.model_package_arn)
    return f"{entry.endpoint}: version {back} serves again instead of version {left}, since {entry.time}, by {entry.approved_by}"


def _rollback(aws: target.Target, progress: Progress, there: Place, reason: str, *, by: str, to: int | None, yes: bool) -> LedgerEntry:
    with progress.step("wait for what is under way"):
        stack = stacks.settled(there.cloudformation, there.stack, poll_seconds=aws.pace)
    if stack is None:
        raise Problem(there.stack, "it is not deployed", "there is nothing to roll back")
    with progress.step("read the ledger"):
        ledger = _ledger(there, to)
        if before := done_before(ledger, stack, by=by, reason=reason, to=to):
            say("you rolled back for this very reason before: give another one to go further back")
            return before
        chosen = way_back.plan(stack, ledger, marked=way_back.marked(there.home.sagemaker), to=to)
    with progress.step("check the evidence"):
        way_back.check(there, chosen.target)
    with progress.pause():
        _confirm(there, chosen, reason, yes=yes)
    entry, _ = way_back.carry_out(there, stack, chosen, by=by, reason=reason, poll_seconds=aws.pace, tell=progress.step)
    return entry


def _ledger(there: Place, to: int | None) -> list[LedgerEntry]:
    """What the environment has served. Who names the version does not depend on it."""
    try:
        return ledgers.entries(there.home.s3, there.home.signer, there.artifacts, there.environment)
    except StepError as error:
        if to is None:
            raise
        say(f"{error}; it is not needed, as you named the version")
        return []


def _confirm(there: Place, chosen: Plan, reason: str, *, yes: bool) -> None:
    rows = {"environment": there.environment, "from": chosen.left, "to": chosen.target, "reason": reason}
    output.draw(evidence.table(rows))
    if yes:
        return
    if not sys.stdin.isatty():
        raise Problem("rollback", "there is no terminal to ask on", "add --yes", code=2)
    if not typer.confirm("All traffic moves at once. Go on?", err=True):
        say("nothing was changed")
        raise typer.Exit(1)
