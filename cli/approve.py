"""`road approve` and `road reject`: a person's answer to exactly one execution, with the evidence shown first."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from cli import candidate, executions, output, target
from cli.candidate import Candidate
from cli.executions import Execution
from cli.output import say
from cli.problem import Problem
from config import CONFIG
from pipelines.delivery import PLATFORM

Named = Annotated[str, typer.Argument(metavar="MODEL", help="A model's name, or `platform`.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept in the registry and in the pipeline's history.")]
Chosen = Annotated[str | None, typer.Option("--execution", metavar="ID", help="Which execution, when several wait.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask again.")]


def approve(
    model: Named,
    reason: Reason,
    *,
    execution: Chosen = None,
    yes: Yes = False,
    json: output.Json = False,
    where: target.Wanted = None,
) -> None:
    """Approve what waits for you: shows the evidence, asks, and lets exactly that execution go on."""
    _answer("Approved", model, reason, execution, yes=yes, json=json, where=where)


def reject(
    model: Named,
    reason: Reason,
    *,
    execution: Chosen = None,
    yes: Yes = False,
    json: output.Json = False,
    where: target.Wanted = None,
) -> None:
    """Reject what waits for you: shows the evidence, asks, ends exactly that execution and marks its model package."""
    _answer("Rejected", model, reason, execution, yes=yes, json=json, where=where)


def answer(aws: target.Target, execution: Execution, *, status: str, reason: str, model_package_arn: str | None) -> None:
    """Answer the approval that `execution` waits at. `status` is Approved or Rejected; the platform's road has no model package."""
    stage = execution.approval
    if stage is None:
        raise Problem(f"execution {execution.id}", "it does not wait for approval any more", "./road status")
    if status == "Rejected" and model_package_arn:
        aws.client("sagemaker").update_model_package(
            ModelPackageArn=model_package_arn, ModelApprovalStatus=status, ApprovalDescription=f"{reason} ({aws.caller()})"
        )
    aws.client("codepipeline").put_approval_result(
        pipelineName=execution.pipeline,
        stageName=stage.name,
        actionName=stage.action,
        token=stage.token,
        result={"summary": reason, "status": status},
    )


def find(codepipeline: Any, road: str, execution_id: str | None = None) -> Execution:
    """The execution of a model's road, or of the platform's, that waits for an answer.

    Raises:
        Problem: none does, or several do and none was chosen.
    """
    pipeline = CONFIG.name(road)
    waiting = [e for e in executions.waiting(codepipeline, pipeline) if e.id.startswith(execution_id or "")]
    if not waiting:
        which = f"execution {execution_id}" if execution_id else f"pipeline {pipeline}"
        raise Problem(which, "nothing waits for approval", f"./road status {road}")
    if len(waiting) > 1:
        raise Problem(
            f"pipeline {pipeline}", f"{len(waiting)} executions wait: {', '.join(e.id for e in waiting)}", "choose: --execution ID"
        )
    return waiting[0]


def _answer(status: str, name: str, reason: str, execution_id: str | None, *, yes: bool, json: bool, where: target.Where | None) -> None:
    model = None if name == PLATFORM else target.model(name)
    if not reason.strip():
        raise Problem("--reason", "it is empty", "say why in a few words", code=2)
    aws = target.choose(where)
    execution = find(aws.client("codepipeline"), name, execution_id)
    proof = candidate.gather(aws, model, execution) if model else candidate.change(execution)
    output.draw(proof.view())
    if status == "Approved" and isinstance(proof, Candidate):
        proof.must_be_sound()
    if not yes:
        _confirm(f"{status}: {reason}. Go on?")
    package = proof.model_package_arn if isinstance(proof, Candidate) else None
    answer(aws, execution, status=status, reason=reason, model_package_arn=package)
    machine = {**proof.as_dict(), "answer": status, "reason": reason, "by": aws.caller()}
    output.show(f"{status} {package or proof.commit} as {machine['by']}", machine, json=json)


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise Problem("approval", "there is no terminal to ask on", "add --yes", code=2)
    if not typer.confirm(question, err=True):
        say("nothing was changed")
        raise typer.Exit(1)
