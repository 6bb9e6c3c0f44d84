"""Batches of a model in one environment: files of rows handed in, runs started, followed and told of, and what they have written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

import naming
from pipelines.deployment import stack as stacks
from pipelines.deployment.accounts import Clients
from pipelines.deployment.errors import DeploymentError
from pipelines.evidence import pack
from pipelines.serving_stack import BATCH_INPUT, BATCH_OUTPUT, BatchOutputs

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

UNENDED, SUCCEEDED = ("Executing", "Stopping"), "Succeeded"
RETRIABLE = ("Failed", "Stopped")
SHOWN = 12  # digits of a digest that names a folder
Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Run:
    """An execution of the batch pipeline. `steps` are names and states, in their order; `why` says what went wrong."""

    arn: str
    status: str
    steps: tuple[tuple[str, str], ...] = ()
    why: str = ""

    @property
    def id(self) -> str:
        """What its folder is called."""
        return self.arn.rpartition("/")[2]

    @property
    def ended(self) -> bool:
        """Whether nothing of it is under way."""
        return self.status not in UNENDED


@dataclass(frozen=True, kw_only=True)
class Batches:
    """Those of one stack."""

    outputs: BatchOutputs
    s3: S3Client
    sagemaker: SageMakerClient

    @classmethod
    def open(cls, cloudformation: CloudFormationClient, clients: Clients, name: str) -> Self:
        """Those of the stack of that name. Raises DeploymentError when it is not deployed."""
        stack = stacks.read(cloudformation, name)
        if stack is None:
            raise DeploymentError(f"{name} is not deployed: no batch can be scored: deploy it")
        return cls(outputs=BatchOutputs.read(stack.outputs), s3=clients("s3"), sagemaker=clients("sagemaker"))

    def put(self, files: Sequence[Path]) -> str:
        """Upload files to a folder of the batches' bucket that is called after what they hold; its URI. The same files lie there once."""
        bucket, folder = self.outputs.batch_bucket, f"{naming.BATCH_ROWS}/{_digest(files)[:SHOWN]}"
        for file in files:
            self.s3.upload_file(str(file), bucket, f"{folder}/{file.name}")
        return f"s3://{bucket}/{folder}/"

    def start(self, rows: str, output: str | None = None) -> str:
        """Start a run over the rows at a URI; its ARN. Results go to the folder `output`, too, or where the pipeline has them go."""
        values = {BATCH_INPUT: rows, **({BATCH_OUTPUT: output} if output is not None else {})}
        started = self.sagemaker.start_pipeline_execution(
            PipelineName=self.outputs.batch_pipeline,
            ClientRequestToken=str(uuid4()),
            PipelineParameters=[{"Name": name, "Value": value} for name, value in values.items()],
        )
        return started["PipelineExecutionArn"]

    def look(self, arn: str) -> Run:
        """How a run stands."""
        described = self.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        pages = self.sagemaker.get_paginator("list_pipeline_execution_steps").paginate(PipelineExecutionArn=arn, SortOrder="Ascending")
        steps = [step for page in pages for step in page["PipelineExecutionSteps"]]
        failures = [f"step {s['StepName']}: {s.get('FailureReason', 'no reason given')}" for s in steps if s["StepStatus"] == "Failed"]
        status = described["PipelineExecutionStatus"]
        why = "; ".join(failures) or described.get("FailureReason", "") if status in RETRIABLE else ""
        return Run(arn=arn, status=status, steps=tuple((s["StepName"], s["StepStatus"]) for s in steps), why=why)

    def retry(self, arn: str) -> None:
        """Have a run that failed go on: what succeeded stays, and so do its version and its folder (RetryPipelineExecution).

        Raises:
            DeploymentError: it is under way, or has succeeded.
        """
        if (run := self.look(arn)).status not in RETRIABLE:
            raise DeploymentError(f"batch {run.id} is {run.status}: only one that failed or was stopped goes on: start a new one")
        self.sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=str(uuid4()))

    def arn(self, execution: str) -> str:
        """The ARN of a run, by its id. Raises DeploymentError where there is none."""
        found = next((arn for arn, _ in self.recent() if arn.rpartition("/")[2] == execution), None)
        if found is None:
            raise DeploymentError(f"batch {execution}: {self.outputs.batch_pipeline} has no such execution: --list shows those that it has")
        return found

    def recent(self) -> Iterator[tuple[str, Json]]:
        """The ARN of every run, and what SageMaker lists of it, newest first."""
        pages = self.sagemaker.get_paginator("list_pipeline_executions").paginate(
            PipelineName=self.outputs.batch_pipeline, SortBy="CreationTime", SortOrder="Descending"
        )
        for summary in (each for page in pages for each in page["PipelineExecutionSummaries"]):
            yield summary["PipelineExecutionArn"], {**summary}

    def results(self, execution: str) -> str:
        """The folder of a run's results, with a slash at its end."""
        return f"s3://{self.outputs.batch_bucket}/{naming.BATCH_RUNS}/{execution}/{naming.BATCH_RESULTS}/"

    def manifest(self, execution: str) -> Json | None:
        """What a run says of its rows, version and results; None where it has written none (yet)."""
        content = pack.read(self.s3, self.results(execution) + naming.BATCH_MANIFEST)
        manifest: Json | None = json.loads(content) if content else None
        return manifest

    def manifests(self) -> Iterator[Json]:
        """Those of every run whose results are kept."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.outputs.batch_bucket, Prefix=f"{naming.BATCH_RUNS}/", Delimiter="/"
        )
        for folder in (each["Prefix"] for page in pages for each in page.get("CommonPrefixes", [])):
            if manifest := self.manifest(folder.rstrip("/").rpartition("/")[2]):
                yield manifest


def _digest(files: Sequence[Path]) -> str:
    """One over names and contents, whatever the order."""
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda each: each.name):
        with file.open("rb") as content:
            digest.update(f"{file.name}\n{hashlib.file_digest(content, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()
