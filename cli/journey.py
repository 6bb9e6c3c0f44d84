"""One execution of a model's road, followed on a person's screen to where it waits for them, or to its end."""

from __future__ import annotations

import time

import typer

from cli import approve, candidate, executions, logs, output, target
from cli.candidate import Candidate
from cli.executions import Execution, Stage
from cli.output import say
from cli.problem import Problem
from cli.progress import Progress, Step
from cli.tree import relative
from config import CONFIG
from model_code.spec import ModelSpec

TAIL = 15
REASON = "demo"


def follow(aws: target.Target, progress: Progress, model: ModelSpec, execution_id: str) -> Execution:
    """Show the stages until the execution waits for a person or has succeeded. Raises Problem when a stage fails."""
    codepipeline = aws.client("codepipeline")
    shown = {step.key: step for step in progress.steps if step.key}
    while True:
        execution = executions.one(codepipeline, CONFIG.name(model.name), execution_id)
        for stage in execution.stages:
            if stage.started:
                key = f"{execution_id}/{stage.name}"
                _draw(stage, shown.get(key) or shown.setdefault(key, progress.begin(stage.name, key=key)))
        if execution.approval or execution.status == "Succeeded":
            return execution
        if execution.failed and not execution.running:
            raise _failure(aws, execution, execution.failed)
        time.sleep(aws.pace)


def decide(aws: target.Target, progress: Progress, model: ModelSpec, waiting: Execution, *, yes: bool) -> Candidate:
    """Show what waits, and answer for the person, or as they say. Raises Problem when it cannot be relied on, or they say no."""
    proof = candidate.gather(aws, model, waiting)
    with progress.pause():
        output.draw(proof.view())
        proof.must_be_sound()
        reason = REASON if yes else _asked()
    approve.answer(aws, waiting, status="Approved", reason=reason, model_package_arn=proof.model_package_arn)
    return proof


def _draw(stage: Stage, step: Step) -> None:
    if stage.waiting:
        step.state = "waiting"
    elif stage.status == "Succeeded" and step.seconds is None:
        step.end(seconds=stage.seconds)
    elif stage.ended and step.seconds is None:
        step.end("failed", seconds=stage.seconds)


def _failure(aws: target.Target, execution: Execution, stage: Stage) -> Problem:
    """Show the end of the stage's log, keep all of it, and say what failed."""
    lines = logs.whole(aws, execution, stage.name)
    assert aws.cloud is not None
    kept = aws.cloud.logs / f"{stage.name}.log"
    kept.write_text("\n".join(lines) + "\n")
    say("\n".join(lines[-TAIL:]))
    return Problem(
        f"stage {stage.name} failed", stage.said or stage.status, f"correct it and run ./road demo again; its log: {relative(kept)}"
    )


def _asked() -> str:
    if not typer.confirm("Approve this version for production?", err=True):
        raise Problem("stage Approval", "you did not approve", "run ./road demo again")
    return str(typer.prompt("Why", default=REASON, err=True))
