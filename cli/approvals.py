"""A person's answer to exactly one execution, with the evidence shown first: what `road approve` and `road reject` have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

import naming
from cli import candidate, executions, output, target
from cli.candidate import Candidate
from cli.executions import Execution, Stage
from cli.problem import Problem
from cli.target import Target
from config import CONFIG

if TYPE_CHECKING:
    from mypy_boto3_codepipeline import CodePipelineClient

Road = Annotated[str, typer.Argument(metavar="MODEL", help="A model's name, or `platform`.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept in the registry and in the pipeline's history.")]
Waiting = Annotated[str | None, typer.Option("--execution", metavar="ID", help="Which execution, when several wait.")]
Answer = Literal["Approved", "Rejected"]


def find(codepipeline: CodePipelineClient, road: str, execution_id: str | None = None) -> Execution:
    """The execution of a model's road, or of the platform's, that waits for an answer.

    Raises:
        Problem: none does, or several do and none was chosen.
    """
    pipeline = naming.delivery_pipeline(CONFIG, road)
    waiting = [e for e in executions.waiting(codepipeline, pipeline) if e.id.startswith(execution_id or "")]
    if not waiting:
        raise _nothing_waits(codepipeline, road, pipeline, execution_id)
    if len(waiting) > 1:
        raise Problem(
            f"pipeline {pipeline}", f"{len(waiting)} executions wait: {', '.join(e.id for e in waiting)}", "choose: --execution ID"
        )
    return waiting[0]


def _nothing_waits(codepipeline: CodePipelineClient, road: str, pipeline: str, execution_id: str | None) -> Problem:
    """What to say where nobody is asked: an answer that was given stands, and what was let in by it is left in another way."""
    which = f"execution {execution_id}" if execution_id else f"pipeline {pipeline}"
    for execution in executions.current(codepipeline, pipeline):
        approved = next((stage for stage in execution.stages if _is_approval(stage) and stage.status == "Succeeded"), None)
        if approved and execution.id.startswith(execution_id or ""):
            by = f" by {approved.by}" if approved.by else ""
            undo = "revert the commit and push" if road == naming.PLATFORM else f"./road rollback {road} --reason … leaves that version"
            return Problem(f"execution {execution.id}", f"nothing waits for approval: it was approved{by}, and that stands", undo)
    return Problem(which, "nothing waits for approval", f"./road status {road}")


def _is_approval(stage: Stage) -> bool:
    return stage.name in {naming.approval(CONFIG, each) for each in CONFIG.environments if each.approved_only}


def answer(aws: Target, execution: Execution, *, status: Answer, reason: str, model_package_arn: str | None) -> None:
    """Answer the approval that `execution` waits at. The platform's road has no model package. Raises Problem when it does not wait."""
    stage = execution.approval
    if stage is None:
        raise Problem(f"execution {execution.id}", "it does not wait for approval any more", "./road status")
    if status == "Rejected" and model_package_arn:
        aws.session().client("sagemaker").update_model_package(
            ModelPackageArn=model_package_arn, ModelApprovalStatus=status, ApprovalDescription=f"{reason} ({aws.caller()})"
        )
    aws.session().client("codepipeline").put_approval_result(
        pipelineName=execution.pipeline,
        stageName=stage.name,
        actionName=stage.action,
        token=stage.token,
        result={"summary": reason, "status": status},
    )


def decide(status: Answer, name: str, reason: str, execution_id: str | None, *, yes: bool, json: bool, where: target.Where | None) -> None:
    """Show what waits, ask, answer, and print what was answered."""
    road = target.road(name)
    if not reason.strip():
        raise Problem("--reason", "it is empty", "say why in a few words", code=2)
    aws = target.choose(where)
    execution = find(aws.session().client("codepipeline"), road, execution_id)
    proof = candidate.change(execution) if road == naming.PLATFORM else candidate.gather(aws.registry(target.model(road)), execution)
    output.draw(proof.view())
    if status == "Approved" and isinstance(proof, Candidate):
        proof.must_be_sound()
    if not yes:
        output.confirm("approval", f"{status}: {reason}. Go on?")
    package = proof.model_package_arn if isinstance(proof, Candidate) else None
    answer(aws, execution, status=status, reason=reason, model_package_arn=package)
    machine = {**proof.as_dict(), "answer": status, "reason": reason, "by": aws.caller()}
    output.show(f"{status} {package or proof.commit} as {machine['by']}", machine, json=json)
