"""`road rollback`: the last good version back in place, at once, by a person who says why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from cli import output, standings, target
from cli.output import say
from cli.problem import Problem
from cli.progress import Progress
from pipelines.deployment import ledger, live, package
from pipelines.deployment import restore as restoring
from pipelines.deployment import rollback as way_back
from pipelines.deployment import stack as stacks
from pipelines.deployment import standing as endpoint
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.pace import Pace
from pipelines.deployment.place import Place
from pipelines.deployment.rollback import Plan
from pipelines.deployment.stack import Stack
from pipelines.deployment.standing import Standing
from pipelines.evidence.document import LedgerEntry

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept in the ledger.")]
To = Annotated[int | None, typer.Option("--to", metavar="VERSION", help="To this version; without it, to the last good one.", min=1)]


def rollback(
    model: target.Model,
    reason: Reason,
    *,
    to: To = None,
    environment: target.InEnvironment = None,
    yes: output.Yes = False,
    json: output.Json = False,
    where: target.Wanted = None,
) -> None:
    """Go back to the last good version. Checks its evidence, moves all traffic at once, and writes down who and why.

    Killed on the way, it can be run again. It needs no pipeline, and changes none.
    """
    known, place = target.model(model), target.environment(environment)
    why = " ".join(reason.split())
    if not why:
        raise Problem("--reason", "it is empty", "say why in a few words", code=2)
    aws = target.choose(where)
    by = aws.caller()
    try:
        with output.told("pipelines"), Progress() as progress:
            entry = go_back(
                standings.place(aws, known, place, deployer="deploy"),
                progress,
                why,
                by=by,
                to=to,
                yes=yes,
                pace=Pace(poll_seconds=aws.pace),
            )
    except DeploymentError as error:
        raise Problem(f"rollback of {model} in {place.name}", str(error), f"./road audit {model} shows what served") from error
    output.show(sentence(entry), entry.model_dump(mode="json"), json=json)


def go_back(place: Place, progress: Progress, reason: str, *, by: str, to: int | None, yes: bool, pace: Pace) -> LedgerEntry:
    """Everything that the command does, in its order; what the ledger says of it. Raises Problem, DeploymentError."""
    with progress.step("wait for what is under way"):
        stack = stacks.ready(place.cloudformation, place.serving_stack, pace)
        if stack is None:
            raise Problem(place.serving_stack, "it is not deployed", "there is nothing to roll back")
        live.settled(place.sagemaker, stack.serving.endpoint_name, pace)
    with progress.step("ask the endpoint what serves"):
        standing = endpoint.look(place)
        must_be_named(standing, to)
    with progress.step("read the ledger"):
        entries = _entries(place, to)
        in_line = standing.state == "in line"
        if in_line and (before := done_before(entries, stack, by=by, reason=reason, to=to)):
            say("you rolled back for this very reason before: give another one to go further back")
            return before
        plan = way_back.plan(stack, entries, marked=way_back.marked(place.registry.sagemaker), to=to, serves=in_line)
    with progress.step("check the evidence"):
        way_back.check(place.registry, plan.target)
    with progress.pause():
        _confirm(place, plan, standing, reason, yes=yes)
    if standing.state == "gone" or (plan.target == stack.serving.model_package and not in_line):
        with progress.step(f"put endpoint {stack.serving.endpoint_name} back under {stack.name}"):
            config = restoring.configuration(place, stack, entries, package.read(place.registry.sagemaker, plan.target))
            restoring.restore(place, stack.serving.endpoint_name, config, pace, gone=standing.state == "gone")
    entry, _ = way_back.carry_out(place, stack, plan, by=by, reason=reason, pace=pace, progress=progress.step)
    return entry


def must_be_named(standing: Standing, to: int | None) -> None:
    """Raises DeploymentError where nothing can be brought back before a person has done something, or has said which version it is to be.

    Where no version of the model serves, there is none to go back from: typed twice, the command would go further back than was meant.
    """
    nobody = standing.serves is None
    if standing.state == "failed" or (nobody and to is None):
        raise DeploymentError("; ".join(standing.lines))


def done_before(entries: Sequence[LedgerEntry], stack: Stack, *, by: str, reason: str, to: int | None) -> LedgerEntry | None:
    """The newest entry, where it is this very rollback: same person, same reason, and its version serves."""
    if not entries or entries[-1].action != way_back.ACTION:
        return None
    last = entries[-1]
    same = (last.approved_by, last.reason, last.model_package_arn) == (by, reason, stack.serving.model_package)
    return last if same and to in (None, int(way_back.number(last.model_package_arn))) else None


def sentence(entry: LedgerEntry) -> str:
    """The rollback in a line."""
    left = f"version {way_back.number(entry.rolled_back_from)}" if entry.rolled_back_from else "what a hand had left there"
    back = way_back.number(entry.model_package_arn)
    return f"{entry.endpoint}: version {back} serves again instead of {left}, since {entry.time}, by {entry.approved_by}"


def _entries(place: Place, to: int | None) -> list[LedgerEntry]:
    """The versions that the environment has served as good ones. Who names the version does not depend on it."""
    try:
        return [entry for entry in ledger.entries(place.registry, place.environment.name) if entry.serves]
    except DeploymentError as error:
        if to is None:
            raise
        say(f"{error}; it is not needed, as you named the version")
        return []


def _confirm(place: Place, plan: Plan, standing: Standing, reason: str, *, yes: bool) -> None:
    wrong = {"wrong": "; ".join(standing.lines)} if standing.lines else {}
    left = plan.left or standing.serves or "no version of this model"
    output.draw(output.table({"environment": place.environment.name, **wrong, "from": left, "to": plan.target, "reason": reason}))
    if not yes:
        output.confirm("rollback", "All traffic moves at once. Go on?")
