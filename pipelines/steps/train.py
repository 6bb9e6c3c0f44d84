"""Runs a training pipeline for one delivery and waits for the version it registers.

The run is named after the delivery's execution, so a step that was killed finds its run again instead of starting a second
one. A run that failed is not taken up again: trying again means a new run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from pipelines.steps.step import StepError, add_poll_seconds, code, parser, polls, print_exports, progress, run

LONGEST_MINUTES = 36 * 60
ALIVE = {"Executing", "Stopping", "Succeeded"}


def write(sagemaker: Any, *, pipeline: str, definition: str, role: str) -> None:
    """Create the pipeline, or give it this definition."""
    try:
        sagemaker.create_pipeline(
            PipelineName=pipeline, PipelineDefinition=definition, RoleArn=role, ClientRequestToken=_token(pipeline, 0)
        )
    except ClientError as error:
        if code(error) != "ValidationException" or "already exists" not in str(error):
            raise
        sagemaker.update_pipeline(PipelineName=pipeline, PipelineDefinition=definition, RoleArn=role)


def start(sagemaker: Any, *, pipeline: str, execution: str) -> str:
    """The ARN of the delivery's run: the one that lives or succeeded, or else a new one."""
    pages = sagemaker.get_paginator("list_pipeline_executions").paginate(PipelineName=pipeline)
    runs = [one for page in pages for one in page["PipelineExecutionSummaries"] if one.get("PipelineExecutionDisplayName") == execution]
    for earlier in runs:
        if earlier["PipelineExecutionStatus"] in ALIVE:
            progress(f"taking up {earlier['PipelineExecutionArn']}")
            return str(earlier["PipelineExecutionArn"])
    started = sagemaker.start_pipeline_execution(
        PipelineName=pipeline, PipelineExecutionDisplayName=execution, ClientRequestToken=_token(execution, len(runs))
    )
    return str(started["PipelineExecutionArn"])


def wait(sagemaker: Any, arn: str, *, poll_seconds: float) -> str:
    """Wait for a run, telling of each step, and return the model package ARN that it registered.

    Raises:
        StepError: the run failed; says which step, and why.
    """
    told: dict[str, str] = {}
    for _ in polls(poll_seconds, minutes=LONGEST_MINUTES, waiting_for=arn):
        status = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"]
        steps = _steps(sagemaker, arn)
        for step in steps:
            if told.get(step["StepName"]) != step["StepStatus"]:
                told[step["StepName"]] = step["StepStatus"]
                progress(f"{step['StepName']}: {step['StepStatus']}")
        if status == "Succeeded":
            return _registered(steps, arn)
        if status in ("Failed", "Stopped"):
            raise StepError(_reason(sagemaker, arn, steps, status))
    raise AssertionError("polls() ends by raising")


def _steps(sagemaker: Any, arn: str) -> list[dict[str, Any]]:
    pages = sagemaker.get_paginator("list_pipeline_execution_steps").paginate(PipelineExecutionArn=arn, SortOrder="Ascending")
    return [step for page in pages for step in page["PipelineExecutionSteps"]]


def _registered(steps: list[dict[str, Any]], arn: str) -> str:
    for step in steps:
        if "RegisterModel" in step.get("Metadata", {}):
            return str(step["Metadata"]["RegisterModel"]["Arn"])
    raise StepError(f"{arn} succeeded but registered nothing: its definition has no such step: see pipelines/training.py")


def _reason(sagemaker: Any, arn: str, steps: list[dict[str, Any]], status: str) -> str:
    for step in steps:
        if step["StepStatus"] == "Failed":
            why = step.get("FailureReason") or step.get("Metadata", {}).get("Fail", {}).get("ErrorMessage") or "no reason given"
            return f"step {step['StepName']} failed: {why}: correct the model, the data or the gate, and push"
    why = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn).get("FailureReason") or "a person or SageMaker ended it"
    return f"{arn}: {status}: {why}: retry the stage"


def _token(name: str, attempt: int) -> str:
    """A request token of at least 32 characters, the same for the same attempt."""
    return f"{name}-{attempt}".ljust(32, "-")[:128]


def main() -> None:
    """Print MODEL_PACKAGE_ARN and PIPELINE_EXECUTION_ARN as shell variables."""
    arguments = parser(__doc__)
    for flag in ("--pipeline", "--role", "--execution"):
        arguments.add_argument(flag, required=True)
    arguments.add_argument("--definition", required=True, type=Path)
    add_poll_seconds(arguments)
    given = arguments.parse_args()
    sagemaker = boto3.client("sagemaker")
    write(sagemaker, pipeline=given.pipeline, definition=given.definition.read_text(), role=given.role)
    arn = start(sagemaker, pipeline=given.pipeline, execution=given.execution)
    package = wait(sagemaker, arn, poll_seconds=given.poll_seconds)
    print_exports({"MODEL_PACKAGE_ARN": package, "PIPELINE_EXECUTION_ARN": arn})


if __name__ == "__main__":
    run(main, "train")
