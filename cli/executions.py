"""What CodePipeline knows of an execution, in the shape that status, approve, logs and demo need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from cli.problem import Problem, one_line
from pipelines.commands import Reference
from pipelines.waiting import UNFINISHED

if TYPE_CHECKING:
    from mypy_boto3_codepipeline import CodePipelineClient
    from mypy_boto3_codepipeline.type_defs import (
        ActionExecutionDetailTypeDef,
        ActionExecutionResultTypeDef,
        PipelineExecutionSummaryTypeDef,
        StageStateTypeDef,
    )

    Details = list[ActionExecutionDetailTypeDef]

RUNNING, SKIPPED, NOT_STARTED = "InProgress", "Skipped", "NotStarted"
UNENDED = (RUNNING, "Stopping")
FAILURES = ("Failed", "Abandoned", "Stopped")
RECENT = 20
COMMITS = 3  # of which ended executions are shown


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage of one execution. `token` is set while a person's answer is waited for. `external` has the ids of builds by their
    actions' names; the rest is of all its actions together, or, where one says more than the others, of that one.
    """

    name: str
    action: str
    status: str = NOT_STARTED
    started: datetime | None = None
    ended: datetime | None = None
    said: str = ""
    external: Mapping[str, str] = field(default_factory=dict)
    by: str = ""
    request: str = ""
    token: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def waiting(self) -> bool:
        """Whether a person's answer is waited for."""
        return bool(self.token)

    @property
    def seconds(self) -> float | None:
        """How long the stage took, or has been running."""
        return None if self.started is None else ((self.ended or datetime.now(UTC)) - self.started).total_seconds()


@dataclass(frozen=True, kw_only=True)
class Execution:
    """One execution and its stages, in the pipeline's order. `rollback` says why its version was rolled back, if it was; `reuse` what it
    went on with, where nothing was trained.
    """

    id: str
    pipeline: str
    status: str
    started: datetime
    commit: str
    said: str
    stages: tuple[Stage, ...]
    rollback: str = ""
    reuse: str = ""

    @property
    def running(self) -> bool:
        return self.status in UNENDED

    @property
    def approval(self) -> Stage | None:
        """The stage that waits for a person."""
        return next((stage for stage in self.stages if stage.waiting), None)

    @property
    def moving(self) -> bool:
        """Whether it goes on by itself."""
        return self.running and self.approval is None

    @property
    def failed(self) -> Stage | None:
        """The stage that ended the execution."""
        return next((stage for stage in self.stages if stage.status in FAILURES), None)

    def stage(self, name: str) -> Stage:
        """The stage of that name, in any case. Raises Problem."""
        for stage in self.stages:
            if stage.name.lower() == name.lower():
                return stage
        names = ", ".join(stage.name for stage in self.stages)
        raise Problem(f"stage {name}", f"pipeline {self.pipeline} has {names}", "name one of them", code=2)

    def variable(self, reference: Reference) -> str:
        """What a stage has exported; empty when it has not, or not yet."""
        exported = next((stage.variables.get(reference.variable, "") for stage in self.stages if stage.name == reference.namespace), "")
        return "" if exported == UNFINISHED else exported

    def as_dict(self) -> dict[str, Any]:
        """For `--json`. Tokens stay out: whoever has one can answer."""
        stages = [{k: v for k, v in asdict(s).items() if k != "token"} | {"seconds": s.seconds, "waiting": s.waiting} for s in self.stages]
        own = {name: value for name, value in vars(self).items() if name not in ("stages", "started")}
        return {**own, "stages": stages}


def summaries(codepipeline: CodePipelineClient, pipeline: str) -> list[PipelineExecutionSummaryTypeDef]:
    """The newest executions as ListPipelineExecutions tells them, newest first."""
    return codepipeline.list_pipeline_executions(pipelineName=pipeline, maxResults=RECENT)["pipelineExecutionSummaries"]


def current(codepipeline: CodePipelineClient, pipeline: str) -> list[Execution]:
    """The executions that run, newest first, and then the newest one that has ended of each of the last commits: a failure is not hidden by
    the success of another commit. Empty before the first push.
    """
    listed = summaries(codepipeline, pipeline)
    running = [summary for summary in listed if summary["status"] in UNENDED]
    ended: dict[str, PipelineExecutionSummaryTypeDef] = {}
    for summary in listed:
        if summary["status"] not in UNENDED:
            ended.setdefault(_commit(summary), summary)
    return [_read(codepipeline, pipeline, summary) for summary in [*running, *islice(ended.values(), COMMITS)]]


def find(codepipeline: CodePipelineClient, pipeline: str, execution_id: str | None = None) -> Execution:
    """The newest execution, or the one whose id begins so. Raises Problem when there is none."""
    for summary in summaries(codepipeline, pipeline):
        if summary["pipelineExecutionId"].startswith(execution_id or ""):
            return _read(codepipeline, pipeline, summary)
    if execution_id:
        raise Problem(f"execution {execution_id}", f"pipeline {pipeline} has had no such one lately", "./road status shows what runs")
    raise Problem(f"pipeline {pipeline}", "nothing was pushed yet", "git push, or ./road push")


def waiting(codepipeline: CodePipelineClient, pipeline: str) -> list[Execution]:
    """The executions that wait for a person, newest first."""
    running = [summary for summary in summaries(codepipeline, pipeline) if summary["status"] in UNENDED]
    return [execution for execution in (_read(codepipeline, pipeline, summary) for summary in running) if execution.approval]


def stop(codepipeline: CodePipelineClient, pipeline: str, *, reason: str) -> None:
    """Stop at once whatever runs in a pipeline."""
    for summary in summaries(codepipeline, pipeline):
        if summary["status"] in UNENDED:
            codepipeline.stop_pipeline_execution(
                pipelineName=pipeline, pipelineExecutionId=summary["pipelineExecutionId"], abandon=True, reason=reason
            )


def _read(codepipeline: CodePipelineClient, pipeline: str, summary: PipelineExecutionSummaryTypeDef) -> Execution:
    execution_id = summary["pipelineExecutionId"]
    state = codepipeline.get_pipeline_state(name=pipeline)
    revision: Mapping[str, Any] = next(iter(summary.get("sourceRevisions", [])), {})
    return Execution(
        id=execution_id,
        pipeline=pipeline,
        status=summary["status"],
        started=summary["startTime"],
        commit=_commit(summary),
        said=one_line(revision.get("revisionSummary", "")),
        stages=_stages(state["stageStates"], _actions(codepipeline, pipeline, execution_id), execution_id),
    )


def _commit(summary: PipelineExecutionSummaryTypeDef) -> str:
    return next((revision.get("revisionId", "") for revision in summary.get("sourceRevisions", [])), "")


def _actions(codepipeline: CodePipelineClient, pipeline: str, execution_id: str) -> dict[str, Details]:
    """The newest run of each action, by the stage's name."""
    pages = codepipeline.get_paginator("list_action_executions").paginate(
        pipelineName=pipeline, filter={"pipelineExecutionId": execution_id}
    )
    newest: dict[str, dict[str, ActionExecutionDetailTypeDef]] = {}
    for detail in (detail for page in pages for detail in page["actionExecutionDetails"]):
        newest.setdefault(detail["stageName"], {}).setdefault(detail["actionName"], detail)
    return {stage: list(actions.values()) for stage, actions in newest.items()}


def _stages(states: Sequence[StageStateTypeDef], actions: Mapping[str, Details], execution_id: str) -> tuple[Stage, ...]:
    """A stage without an action was skipped when the pipeline says so, or when a later one has begun."""
    last = max((number for number, state in enumerate(states) if state["stageName"] in actions), default=-1)
    return tuple(
        _begun(state, actions[state["stageName"]], execution_id)
        if state["stageName"] in actions
        else _not_begun(state, execution_id, passed=number < last)
        for number, state in enumerate(states)
    )


def _not_begun(state: StageStateTypeDef, execution_id: str, *, passed: bool) -> Stage:
    here = state.get("latestExecution", {})
    skipped = passed or (here.get("pipelineExecutionId"), here.get("status")) == (execution_id, SKIPPED)
    return Stage(name=state["stageName"], action=state["actionStates"][0]["actionName"], status=SKIPPED if skipped else NOT_STARTED)


def _begun(state: StageStateTypeDef, details: Details, execution_id: str) -> Stage:
    """`state` is the stage as it stands now, which may be another execution's.

    It runs as long as an action of it does, or is still to come. What has failed says why, and which it was where there are others.
    """
    detail = min(details, key=lambda each: (RUNNING, *FAILURES, each["status"]).index(each["status"]))
    here = state.get("latestExecution", {}).get("pipelineExecutionId") == execution_id
    standing = state["actionStates"][0].get("latestExecution", {}) if here else {}
    to_come = here and state.get("latestExecution", {}).get("status") == RUNNING and detail["status"] not in FAILURES
    running = detail["status"] == RUNNING or to_come
    telling = [each for each in details if each["status"] in FAILURES] if len(details) > 1 else details
    return Stage(
        name=state["stageName"],
        action=detail["actionName"],
        status=RUNNING if running else detail["status"],
        started=min(each["startTime"] for each in details),
        ended=None if running else max(each["lastUpdateTime"] for each in details),
        said="; ".join(f"{each['actionName']}: {_said(each)}" if len(details) > 1 else _said(each) for each in telling),
        external={each["actionName"]: _result(each).get("externalExecutionId", "") for each in details},
        by=detail.get("updatedBy", ""),
        request=detail.get("input", {}).get("resolvedConfiguration", {}).get("CustomData", ""),
        token=standing.get("token", "") if running else "",
        variables=detail.get("output", {}).get("outputVariables", {}),
    )


def _said(detail: ActionExecutionDetailTypeDef) -> str:
    result = _result(detail)
    return one_line(result.get("errorDetails", {}).get("message") or result.get("externalExecutionSummary") or "")


def _result(detail: ActionExecutionDetailTypeDef) -> ActionExecutionResultTypeDef:
    return detail.get("output", {}).get("executionResult", {})
