"""`road logs`: what the builds and training jobs of an execution printed, from CloudWatch Logs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from cli import executions, target
from cli.executions import Execution, Stage
from cli.problem import Problem
from config import CONFIG
from model_code import spec

JOBS = {"TrainingJob": "/aws/sagemaker/TrainingJobs", "ProcessingJob": "/aws/sagemaker/ProcessingJobs"}
LONG_AGO = datetime.fromtimestamp(0, UTC)


@dataclass
class Stream:
    """One log stream, read from where the last look ended. `stream` may be a prefix: jobs add the machine's name to theirs."""

    label: str
    group: str
    stream: str
    token: str | None = None
    resolved: str = ""

    def lines(self, logs: Any) -> Iterator[str]:
        """What was written since the last look."""
        if not self._exists(logs):
            return
        while True:
            since = {"nextToken": self.token} if self.token else {}
            page = logs.get_log_events(logGroupName=self.group, logStreamName=self.resolved, startFromHead=True, **since)
            yield from (event["message"].rstrip("\n") for event in page["events"])
            if page["nextForwardToken"] == self.token or not page["events"]:
                self.token = page["nextForwardToken"]
                return
            self.token = page["nextForwardToken"]

    def _exists(self, logs: Any) -> bool:
        if not self.resolved:
            try:
                found = logs.describe_log_streams(logGroupName=self.group, logStreamNamePrefix=self.stream)["logStreams"]
            except logs.exceptions.ResourceNotFoundException:
                return False
            self.resolved = found[0]["logStreamName"] if found else ""
        return bool(self.resolved)


@dataclass
class Reader:
    """The logs of one execution's stages; new streams are found as stages start. `only` is a stage's name."""

    aws: target.Target
    pipeline: str
    execution_id: str
    only: str | None
    streams: dict[tuple[str, str], Stream] = field(default_factory=dict)

    def new(self, execution: Execution) -> Iterator[tuple[str, str]]:
        """`(label, line)` of everything written since the last look."""
        logs = self.aws.client("logs")
        for stage in execution.stages:
            if self.only is None or stage.name == execution.stage(self.only).name:
                for stream in _streams(self.aws, execution, stage):
                    self.streams.setdefault((stream.group, stream.stream), stream)
        for stream in self.streams.values():
            for line in stream.lines(logs):
                yield stream.label, line

    def read(self) -> Execution:
        return executions.one(self.aws.client("codepipeline"), self.pipeline, self.execution_id)


def logs(
    model: Annotated[str | None, typer.Argument(help="A model's name, or `platform`; the only model without it.")] = None,
    *,
    stage: Annotated[str | None, typer.Option(metavar="STAGE", help="Only this stage: Build, Train, Staging, …")] = None,
    execution: Annotated[str | None, typer.Option(metavar="ID", help="Which execution; the newest without it.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the stage or the execution ends, or waits.")] = False,
    where: target.Wanted = None,
) -> None:
    """Print the logs of an execution's builds and training jobs, each line behind its stage's name."""
    pipeline = CONFIG.name(model or _only())
    aws = target.choose(where)
    shown = executions.one(aws.client("codepipeline"), pipeline, execution)
    reader = Reader(aws, pipeline, shown.id, stage)
    if stage:
        shown.stage(stage)
    _print(reader, shown)
    while follow and shown.moving and not (stage and shown.stage(stage).ended):
        time.sleep(aws.pace)
        shown = reader.read()
        _print(reader, shown)


def whole(aws: target.Target, execution: Execution, stage: str) -> list[str]:
    """Every line that one stage has written."""
    reader = Reader(aws, execution.pipeline, execution.id, stage)
    return [f"{label}  {line}" for label, line in reader.new(execution)]


def _print(reader: Reader, execution: Execution) -> None:
    for label, line in reader.new(execution):
        print(f"{label}  {line}", flush=True)


def _only() -> str:
    known = spec.names()
    if len(known) != 1:
        raise Problem("logs", f"there are several models: {', '.join(known)}", "name one of them", code=2)
    return known[0]


def _streams(aws: target.Target, execution: Execution, stage: Stage) -> Iterator[Stream]:
    if ":" in stage.external:
        for build in aws.client("codebuild").batch_get_builds(ids=[stage.external])["builds"]:
            where = build.get("logs", {})
            if where.get("groupName") and where.get("streamName"):
                yield Stream(stage.name, where["groupName"], where["streamName"])
    if stage.name == "Train" and stage.started:
        yield from _jobs(aws, execution, stage)


def _jobs(aws: target.Target, execution: Execution, stage: Stage) -> Iterator[Stream]:
    sagemaker = aws.client("sagemaker")
    arn = stage.variables.get("PIPELINE_EXECUTION_ARN") or _training(sagemaker, f"{execution.pipeline}-training", stage.started or LONG_AGO)
    if arn is None:
        return
    for step in sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn, SortOrder="Ascending")["PipelineExecutionSteps"]:
        for kind, group in JOBS.items():
            if job := step.get("Metadata", {}).get(kind):
                yield Stream(f"{stage.name}/{step['StepName']}", group, job["Arn"].rpartition("/")[2])


def _training(sagemaker: Any, pipeline: str, since: datetime) -> str | None:
    """The training pipeline's execution that a stage which still runs, or failed, has started."""
    try:
        found = sagemaker.list_pipeline_executions(PipelineName=pipeline, CreatedAfter=since, SortBy="CreationTime", SortOrder="Ascending")
    except sagemaker.exceptions.ResourceNotFound:
        return None
    summaries = found["PipelineExecutionSummaries"]
    return str(summaries[0]["PipelineExecutionArn"]) if summaries else None
