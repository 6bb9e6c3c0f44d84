"""A model's road, taken on a person's screen: one execution followed to where it waits for them, or to its end."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property

import typer

import naming
from cli import approvals, candidate, executions, log_streams, output
from cli.candidate import Candidate
from cli.executions import Execution, Stage
from cli.output import say
from cli.problem import Problem
from cli.progress import Progress, Step
from cli.target import Target
from cli.tree import relative
from config import CONFIG
from paved_runtime.spec import ModelSpec
from pipelines.deployment.registry import Registry

TAIL = 15
REASON = "demo"


@dataclass(frozen=True, kw_only=True)
class Journey:
    """Which model's road is taken, in which AWS, and where it is shown."""

    aws: Target
    progress: Progress
    model: ModelSpec

    @cached_property
    def registry(self) -> Registry:
        """The model's registry. Raises Problem before it is deployed."""
        return self.aws.registry(self.model)


def follow(taken: Journey, execution_id: str) -> Execution:
    """Show the stages until the execution waits for a person or has succeeded. Raises Problem when it ends otherwise."""
    codepipeline = taken.aws.session().client("codepipeline")
    shown = {step.key: step for step in taken.progress.steps if step.key}
    while True:
        execution = executions.find(codepipeline, naming.delivery_pipeline(CONFIG, taken.model.name), execution_id)
        for stage in execution.stages:
            if stage.started:
                key = f"{execution_id}/{stage.name}"
                _draw(stage, shown.get(key) or shown.setdefault(key, taken.progress.begin(stage.name, key=key)))
        if execution.approval or execution.status == "Succeeded":
            return execution
        if not execution.running:
            raise _failure(taken, execution)
        time.sleep(taken.aws.pace)


def arrive(taken: Journey, execution_id: str, *, yes: bool) -> Execution:
    """Follow the execution to its end, and decide wherever it waits for a person. Raises Problem when it ends otherwise."""
    while (execution := follow(taken, execution_id)).approval:
        decide(taken, execution, yes=yes)
    return execution


def decide(taken: Journey, execution: Execution, *, yes: bool) -> Candidate:
    """Show what the execution brings. Where it waits, answer for the person, or as they say.

    Raises:
        Problem: it cannot be relied on, or the person says no.
    """
    proof = candidate.gather(taken.registry, execution)
    if not execution.approval:  # the environments of `config.py` ask for none
        return proof
    with taken.progress.pause():
        output.draw(proof.view())
        proof.must_be_sound()
        reason = REASON if yes else _asked()
    approvals.answer(taken.aws, execution, status="Approved", reason=reason, model_package_arn=proof.model_package_arn)
    return proof


def _draw(stage: Stage, step: Step) -> None:
    if stage.waiting:
        step.state = "waiting"
    elif stage.status == "Succeeded" and step.seconds is None:
        step.end(seconds=stage.seconds)
    elif stage.ended and step.seconds is None:
        step.end("failed", seconds=stage.seconds)


def _failure(taken: Journey, execution: Execution) -> Problem:
    """Show the end of the failed stage's log, keep all of it, and say what failed."""
    stage = execution.failed
    if stage is None:
        return Problem(f"execution {execution.id}", f"it is {execution.status}", f"./road status {taken.model.name}")
    lines = log_streams.whole(taken.aws, taken.model.name, execution, stage.name)
    assert taken.aws.cloud is not None
    kept = taken.aws.cloud.logs / f"{stage.name}.log"
    kept.write_text("\n".join(lines) + "\n")
    say("\n".join(lines[-TAIL:]))
    return Problem(
        f"stage {stage.name} failed", stage.said or stage.status, f"correct it and run ./road demo again; its log: {relative(kept)}"
    )


def _asked() -> str:
    if not typer.confirm("Approve this version for production?", err=True):
        raise Problem("stage Approval", "you did not approve", "run ./road demo again")
    return str(typer.prompt("Why", default=REASON, err=True))
