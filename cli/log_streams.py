"""What the builds and training jobs of an execution printed, from CloudWatch Logs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypedDict

import naming
from cli import executions
from cli.executions import Execution, Stage
from cli.target import Target
from config import CONFIG
from pipelines.delivery import PIPELINE_EXECUTION_ARN

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_sagemaker import SageMakerClient

JOBS = {"TrainingJob": "/aws/sagemaker/TrainingJobs", "ProcessingJob": "/aws/sagemaker/ProcessingJobs"}
LONG_AGO = datetime.fromtimestamp(0, UTC)


class _Since(TypedDict, total=False):
    nextToken: str


@dataclass
class Stream:
    """One log stream, read from where the last look ended. `stream` may be a prefix: jobs add the machine's name to theirs."""

    label: str
    group: str
    stream: str
    token: str | None = None
    resolved: str = ""

    def lines(self, logs: CloudWatchLogsClient) -> Iterator[str]:
        """What was written since the last look."""
        if not self._exists(logs):
            return
        while True:
            since: _Since = {"nextToken": self.token} if self.token else {}
            page = logs.get_log_events(logGroupName=self.group, logStreamName=self.resolved, startFromHead=True, **since)
            yield from (event["message"].rstrip("\n") for event in page["events"])
            if page["nextForwardToken"] == self.token or not page["events"]:
                self.token = page["nextForwardToken"]
                return
            self.token = page["nextForwardToken"]

    def _exists(self, logs: CloudWatchLogsClient) -> bool:
        if not self.resolved:
            try:
                streams = logs.describe_log_streams(logGroupName=self.group, logStreamNamePrefix=self.stream)["logStreams"]
            except logs.exceptions.ResourceNotFoundException:
                return False
            self.resolved = streams[0]["logStreamName"] if streams else ""
        return bool(self.resolved)


@dataclass
class Reader:
    """The logs of one execution's stages; new streams are found as stages start. `road` is a model's name, `only` a stage's."""

    aws: Target
    road: str
    execution_id: str
    only: str | None
    streams: dict[tuple[str, str], Stream] = field(default_factory=dict)

    def new(self, execution: Execution) -> Iterator[tuple[str, str]]:
        """`(label, line)` of everything written since the last look."""
        logs = self.aws.session().client("logs")
        for stage in execution.stages:
            if self.only is None or stage.name == execution.stage(self.only).name:
                for stream in _streams(self.aws, self.road, stage):
                    self.streams.setdefault((stream.group, stream.stream), stream)
        for stream in self.streams.values():
            for line in stream.lines(logs):
                yield stream.label, line

    def read(self) -> Execution:
        """The execution as it stands now."""
        return executions.find(self.aws.session().client("codepipeline"), naming.delivery_pipeline(CONFIG, self.road), self.execution_id)


def whole(aws: Target, road: str, execution: Execution, stage: str) -> list[str]:
    """Every line that one stage has written."""
    return [f"{label}  {line}" for label, line in Reader(aws, road, execution.id, stage).new(execution)]


def _streams(aws: Target, road: str, stage: Stage) -> Iterator[Stream]:
    builds = {build: action for action, build in stage.external.items() if ":" in build}
    for build in aws.session().client("codebuild").batch_get_builds(ids=list(builds))["builds"] if builds else ():
        where = build.get("logs", {})
        if where.get("groupName") and where.get("streamName"):
            label = stage.name if len(stage.external) == 1 else f"{stage.name}/{builds[build['id']]}"
            yield Stream(label, where["groupName"], where["streamName"])
    if stage.name == naming.TRAIN and stage.started:
        yield from _jobs(aws, road, stage)


def _jobs(aws: Target, road: str, stage: Stage) -> Iterator[Stream]:
    sagemaker = aws.session().client("sagemaker")
    started = stage.variables.get(PIPELINE_EXECUTION_ARN.variable)
    arn = started or _training(sagemaker, naming.training_pipeline(CONFIG, road), stage.started or LONG_AGO)
    if arn is None:
        return
    for step in sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn, SortOrder="Ascending")["PipelineExecutionSteps"]:
        jobs = step.get("Metadata", {})
        for job, group in ((jobs.get("TrainingJob"), JOBS["TrainingJob"]), (jobs.get("ProcessingJob"), JOBS["ProcessingJob"])):
            if job:
                yield Stream(f"{stage.name}/{step['StepName']}", group, job["Arn"].rpartition("/")[2])
        if tuning := jobs.get("TuningJob"):
            for number, trial in enumerate(_trials(sagemaker, tuning["Arn"].rpartition("/")[2]), start=1):
                yield Stream(f"{stage.name}/{step['StepName']}/{number}", JOBS["TrainingJob"], trial)


def _trials(sagemaker: SageMakerClient, tuning_job: str) -> Iterator[str]:
    """The training jobs of a search, in the order in which they began."""
    paginator = sagemaker.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job")
    for page in paginator.paginate(HyperParameterTuningJobName=tuning_job, SortBy="CreationTime", SortOrder="Ascending"):
        yield from (trial["TrainingJobName"] for trial in page["TrainingJobSummaries"])


def _training(sagemaker: SageMakerClient, pipeline: str, since: datetime) -> str | None:
    """The training pipeline's execution that a stage which still runs, or failed, has started."""
    try:
        listed = sagemaker.list_pipeline_executions(PipelineName=pipeline, CreatedAfter=since, SortBy="CreationTime", SortOrder="Ascending")
    except sagemaker.exceptions.ResourceNotFound:
        return None
    summaries = listed["PipelineExecutionSummaries"]
    return summaries[0]["PipelineExecutionArn"] if summaries else None
