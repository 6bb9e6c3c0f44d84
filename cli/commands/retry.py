"""`road retry`: the failed stage of an execution once more, with what the stages before it have made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

import naming
from cli import executions, output, target
from cli.executions import Execution, Stage
from cli.problem import Problem
from config import CONFIG

if TYPE_CHECKING:
    from mypy_boto3_codepipeline import CodePipelineClient


def retry(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model's name, or `platform`.")],
    *,
    execution: Annotated[str | None, typer.Option(metavar="ID", help="Which execution; the newest without it.")] = None,
    json: output.Json = False,
    where: target.Wanted = None,
) -> None:
    """Repeat the stage that failed. With the same commit, image and version: for where what failed was not theirs."""
    road = target.road(model)
    codepipeline = target.choose(where).session().client("codepipeline")
    failed, stage = again(codepipeline, road, execution)
    sentence = f"{failed.pipeline}: {stage.name} of {failed.id} runs again; ./road status {road} --watch"
    output.show(sentence, {"pipeline": failed.pipeline, "execution": failed.id, "stage": stage.name}, json=json)


def again(codepipeline: CodePipelineClient, road: str, execution_id: str | None) -> tuple[Execution, Stage]:
    """Start the failed stage of an execution once more, of the newest one where none is named. Raises Problem where none has failed."""
    execution = executions.find(codepipeline, naming.delivery_pipeline(CONFIG, road), execution_id)
    stage = execution.failed
    if execution.running or stage is None:
        raise Problem(f"execution {execution.id}", f"it is {execution.status}: no stage of it has failed", f"./road status {road}")
    codepipeline.retry_stage_execution(
        pipelineName=execution.pipeline, stageName=stage.name, pipelineExecutionId=execution.id, retryMode="FAILED_ACTIONS"
    )
    return execution, stage
