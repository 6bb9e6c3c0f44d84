"""Runs a training pipeline for one delivery and waits for the version it registers, or says which gates refused it and by how much.

The run is named after the delivery's execution, so a step that was killed finds its run again instead of starting a second
one. A run that failed is not taken up again: trying again means a new run.
"""

from __future__ import annotations

import re
from pathlib import Path
from tarfile import TarError
from typing import Any

import boto3
from botocore.exceptions import ClientError

from pipelines.evidence import document, pack
from pipelines.evidence.document import DocumentError, Evaluation
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


def wait(sagemaker: Any, s3: Any, arn: str, *, poll_seconds: float) -> str:
    """Wait for a run, telling of each step, and return the model package ARN that it registered.

    Raises:
        StepError: the run failed; says which step, and why; when the gates refused, what each found and what it accepts.
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
            raise StepError(_reason(sagemaker, s3, arn, steps, status))
    raise AssertionError("polls() ends by raising")


def _steps(sagemaker: Any, arn: str) -> list[dict[str, Any]]:
    pages = sagemaker.get_paginator("list_pipeline_execution_steps").paginate(PipelineExecutionArn=arn, SortOrder="Ascending")
    return [step for page in pages for step in page["PipelineExecutionSteps"]]


def _registered(steps: list[dict[str, Any]], arn: str) -> str:
    for step in steps:
        if "RegisterModel" in step.get("Metadata", {}):
            return str(step["Metadata"]["RegisterModel"]["Arn"])
    raise StepError(f"{arn} succeeded but registered nothing: its definition has no such step: see pipelines/training.py")


def _reason(sagemaker: Any, s3: Any, arn: str, steps: list[dict[str, Any]], status: str) -> str:
    for step in steps:
        if step["StepStatus"] == "Failed":
            refused = step.get("Metadata", {}).get("Fail")
            why = step.get("FailureReason") or (refused or {}).get("ErrorMessage") or "no reason given"
            what = _verdicts(s3, why) if refused is not None else f"step {step['StepName']} failed: {why}"
            return f"{what}: correct the model, the data or the gate, and push"
    why = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn).get("FailureReason") or "a person or SageMaker ended it"
    return f"{arn}: {status}: {why}: retry the stage"


def _verdicts(s3: Any, refusal: str) -> str:
    """The failed verdicts of the evaluation in the `model.tar.gz` that a refusal names."""
    named = re.search(r"s3://\S+/model\.tar\.gz", refusal)
    archive = pack.read(s3, named[0]) if named else None
    if archive is None:
        return refusal
    try:
        evaluation = document.parse(Evaluation, pack.members(archive, "evaluation.json").get("evaluation.json", b""), "evaluation.json")
    except (DocumentError, TarError) as error:
        return f"{refusal} ({error})"
    failed = [verdict.line() for verdict in evaluation.gates if verdict.passed is False]
    return f"{len(failed)} gate{'s' if len(failed) > 1 else ''} failed: {'; '.join(failed)}"


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
    package = wait(sagemaker, boto3.client("s3"), arn, poll_seconds=given.poll_seconds)
    print_exports({"MODEL_PACKAGE_ARN": package, "PIPELINE_EXECUTION_ARN": arn})


if __name__ == "__main__":
    run(main, "train")
