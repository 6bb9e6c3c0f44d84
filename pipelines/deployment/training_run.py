"""Runs a training pipeline for one delivery and waits for the version it registers, or says which gates refused it and by how much.

The run is named after the delivery's execution, so a step that was killed finds its run again instead of starting a second one; so does one
that comes after a step which the run has outlasted. A run that failed is not taken up again: trying again means a new run.
"""

from __future__ import annotations

import logging
import re
from tarfile import TarError
from typing import TYPE_CHECKING
from uuid import uuid4

from botocore.exceptions import ClientError

import naming
from paved_runtime.protocol import EVALUATION
from pipelines.deployment import quota
from pipelines.deployment.errors import DeploymentError, Unfinished, code
from pipelines.deployment.pace import Pace
from pipelines.evidence import document, pack
from pipelines.evidence.document import DocumentError, Evaluation
from pipelines.waiting import LONGEST_WAIT

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker.type_defs import PipelineExecutionStepTypeDef, PipelineExecutionSummaryTypeDef
    from mypy_boto3_sagemaker.type_defs import StartPipelineExecutionRequestTypeDef as Start

ALIVE = {"Executing", "Stopping", "Succeeded"}
log = logging.getLogger(__name__)


def write(sagemaker: SageMakerClient, *, pipeline: str, definition: str, role: str) -> int | None:
    """Create the pipeline, or give it this definition; the id of the version that this is, None where it is the only one.

    Each creation has a token of its own: the same one would be a repetition to SageMaker, which keeps the definition that it has.
    """
    try:
        sagemaker.create_pipeline(PipelineName=pipeline, PipelineDefinition=definition, RoleArn=role, ClientRequestToken=str(uuid4()))
    except ClientError as error:
        if code(error) != "ValidationException" or "already exists" not in str(error):
            raise
        updated = sagemaker.update_pipeline(PipelineName=pipeline, PipelineDefinition=definition, RoleArn=role)
        return updated.get("PipelineVersionId")
    return None


def start(sagemaker: SageMakerClient, *, pipeline: str, execution: str, version: int | None = None) -> str:
    """The ARN of the delivery's run: the one that lives or succeeded, or else a new one, of the `version` that `write` made.

    UpdatePipeline need not have reached whoever starts the run next: without a version it could be the definition before
    (SageMaker API Reference, StartPipelineExecution, `PipelineVersionId`).
    """
    runs = _runs(sagemaker, pipeline, execution)
    if living := _living(runs):
        log.info("taking up %s", living)
        return living
    token = _token(execution, len(runs))
    request: Start = {"PipelineName": pipeline, "PipelineExecutionDisplayName": execution, "ClientRequestToken": token}
    if version is not None:
        request["PipelineVersionId"] = version
    return sagemaker.start_pipeline_execution(**request)["PipelineExecutionArn"]


def under_way(sagemaker: SageMakerClient, *, pipeline: str, execution: str) -> bool:
    """Whether the delivery has a run that lives or succeeded."""
    return bool(_living(_runs(sagemaker, pipeline, execution)))


def outcome(sagemaker: SageMakerClient, s3: S3Client, arn: str, pace: Pace, *, waits_after: int) -> str | None:
    """What `wait` returns; None where the run goes on and others, `waits_after` of them, wait on. Raises like `wait`."""
    try:
        return wait(sagemaker, s3, arn, pace)
    except Unfinished as unfinished:
        if not waits_after:
            raise
        log.info("%s: the stage's next action waits on (%d left)", unfinished.what, waits_after)
        return None


def wait(sagemaker: SageMakerClient, s3: S3Client, arn: str, pace: Pace) -> str:
    """Wait for a run, telling of each step, and return the model package ARN that it registered.

    Raises:
        Unfinished: the run goes on, after as long as an action may wait.
        DeploymentError: the run failed; says which step, and why; when the gates refused, what each found and what it accepts.
    """
    statuses: dict[str, str] = {}
    for _ in pace.polls(minutes=LONGEST_WAIT, waiting_for=arn):
        status = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"]
        steps = _steps(sagemaker, arn)
        for step in steps:
            if statuses.get(step["StepName"]) != step["StepStatus"]:
                statuses[step["StepName"]] = step["StepStatus"]
                log.info("%s: %s", step["StepName"], step["StepStatus"])
        if status == "Succeeded":
            return _registered(steps, arn)
        if status in ("Failed", "Stopped"):
            raise DeploymentError(_reason(sagemaker, s3, arn, steps, status))
    raise AssertionError("polls() ends by raising")


def _runs(sagemaker: SageMakerClient, pipeline: str, execution: str) -> list[PipelineExecutionSummaryTypeDef]:
    """The delivery's runs, newest first."""
    pages = sagemaker.get_paginator("list_pipeline_executions").paginate(PipelineName=pipeline)
    return [run for page in pages for run in page["PipelineExecutionSummaries"] if run.get("PipelineExecutionDisplayName") == execution]


def _living(runs: list[PipelineExecutionSummaryTypeDef]) -> str | None:
    return next((run["PipelineExecutionArn"] for run in runs if run["PipelineExecutionStatus"] in ALIVE), None)


def _steps(sagemaker: SageMakerClient, arn: str) -> list[PipelineExecutionStepTypeDef]:
    pages = sagemaker.get_paginator("list_pipeline_execution_steps").paginate(PipelineExecutionArn=arn, SortOrder="Ascending")
    return [step for page in pages for step in page["PipelineExecutionSteps"]]


def _registered(steps: list[PipelineExecutionStepTypeDef], arn: str) -> str:
    for step in steps:
        if "RegisterModel" in step.get("Metadata", {}):
            return step["Metadata"]["RegisterModel"]["Arn"]
    raise DeploymentError(f"{arn} succeeded but registered nothing: its definition has no such step: see pipelines/training.py")


def _reason(sagemaker: SageMakerClient, s3: S3Client, arn: str, steps: list[PipelineExecutionStepTypeDef], status: str) -> str:
    for step in steps:
        if step["StepStatus"] == "Failed":
            refusal = step.get("Metadata", {}).get("Fail")
            why = step.get("FailureReason") or (refusal or {}).get("ErrorMessage") or "no reason given"
            if raise_it := quota.advice(why):
                return f"step {step['StepName']} failed: {raise_it}, then retry the stage"
            what = _verdicts(s3, why) if refusal is not None else f"step {step['StepName']} failed: {why}"
            return f"{what}: correct the model, the data or the gate, and push"
    why = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn).get("FailureReason") or "a person or SageMaker ended it"
    return f"{arn}: {status}: {why}: retry the stage"


def _verdicts(s3: S3Client, refusal: str) -> str:
    """The failed verdicts of the evaluation in the `model.tar.gz` that a refusal names."""
    named = re.search(rf"s3://\S+/{re.escape(naming.MODEL_ARCHIVE)}", refusal)
    archive = pack.read(s3, named[0]) if named else None
    if archive is None:
        return refusal
    try:
        evaluation = document.parse(Evaluation, pack.members(archive, EVALUATION).get(EVALUATION, b""), EVALUATION)
    except (DocumentError, TarError) as error:
        return f"{refusal} ({error})"
    failed = [verdict.line() for verdict in evaluation.gates if verdict.passed is False]
    return f"{len(failed)} gate{'s' if len(failed) > 1 else ''} failed: {'; '.join(failed)}"


def _token(name: str, attempt: int) -> str:
    """A request token of at least 32 characters, the same for the same attempt."""
    return f"{name}-{attempt}".ljust(32, "-")[:128]
