"""What CodePipeline knows of an execution, in the shape that status, approve, logs and demo need."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from cli.problem import Problem, one_line

RUNNING = "InProgress"
RECENT = 20


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage of one execution. `token` is set while a person's answer is waited for; `external` is the build's id."""

    name: str
    action: str
    status: str = "NotStarted"
    started: datetime | None = None
    ended: datetime | None = None
    said: str = ""
    external: str = ""
    by: str = ""
    request: str = ""
    token: str = ""
    variables: dict[str, str] = field(default_factory=dict)

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
    """One execution and its stages, in the pipeline's order. `setback` says why its version was rolled back, if it was."""

    id: str
    pipeline: str
    status: str
    started: datetime
    commit: str
    said: str
    stages: tuple[Stage, ...]
    setback: str = ""

    @property
    def running(self) -> bool:
        return self.status in (RUNNING, "Stopping")

    @property
    def variables(self) -> dict[str, str]:
        """Everything the stages exported: `{"Source.CommitId": …, "Train.MODEL_PACKAGE_ARN": …}`."""
        return {f"{stage.name}.{name}": value for stage in self.stages for name, value in stage.variables.items()}

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
        return next((stage for stage in self.stages if stage.status in ("Failed", "Abandoned", "Stopped")), None)

    def stage(self, name: str) -> Stage:
        """The stage of that name, in any case. Raises Problem."""
        for stage in self.stages:
            if stage.name.lower() == name.lower():
                return stage
        names = ", ".join(stage.name for stage in self.stages)
        raise Problem(f"stage {name}", f"pipeline {self.pipeline} has {names}", "name one of them", code=2)

    def as_dict(self) -> dict[str, Any]:
        """For `--json`. Tokens stay out: whoever has one can answer."""
        stages = [{k: v for k, v in asdict(s).items() if k != "token"} | {"seconds": s.seconds, "waiting": s.waiting} for s in self.stages]
        own = {name: value for name, value in vars(self).items() if name not in ("stages", "started")}
        return {**own, "stages": stages}


def summaries(codepipeline: Any, pipeline: str) -> list[dict[str, Any]]:
    """The newest executions as ListPipelineExecutions tells them, newest first."""
    listed = codepipeline.list_pipeline_executions(pipelineName=pipeline, maxResults=RECENT)
    return list(listed["pipelineExecutionSummaries"])


def current(codepipeline: Any, pipeline: str) -> list[Execution]:
    """The executions that run, newest first; when none does, the last one. Empty before the first push."""
    found = summaries(codepipeline, pipeline)
    chosen = [summary for summary in found if summary["status"] in (RUNNING, "Stopping")] or found[:1]
    return [_read(codepipeline, pipeline, summary) for summary in chosen]


def one(codepipeline: Any, pipeline: str, execution_id: str | None = None) -> Execution:
    """The newest execution, or the one whose id begins so. Raises Problem when there is none."""
    found = summaries(codepipeline, pipeline)
    for summary in found:
        if summary["pipelineExecutionId"].startswith(execution_id or ""):
            return _read(codepipeline, pipeline, summary)
    if execution_id:
        raise Problem(f"execution {execution_id}", f"pipeline {pipeline} has had no such one lately", "./road status shows what runs")
    raise Problem(f"pipeline {pipeline}", "nothing was pushed yet", "git push, or ./road push")


def waiting(codepipeline: Any, pipeline: str) -> list[Execution]:
    """The executions that wait for a person, newest first."""
    return [execution for execution in current(codepipeline, pipeline) if execution.approval]


def _read(codepipeline: Any, pipeline: str, summary: dict[str, Any]) -> Execution:
    execution_id = summary["pipelineExecutionId"]
    state = codepipeline.get_pipeline_state(name=pipeline)
    pages = codepipeline.get_paginator("list_action_executions").paginate(
        pipelineName=pipeline, filter={"pipelineExecutionId": execution_id}
    )
    newest: dict[str, dict[str, Any]] = {}
    for detail in (detail for page in pages for detail in page["actionExecutionDetails"]):
        newest.setdefault(detail["stageName"], detail)
    stages = tuple(_stage(shown, newest.get(shown["stageName"]), execution_id) for shown in state["stageStates"])
    revisions = summary.get("sourceRevisions") or [{}]
    return Execution(
        id=execution_id,
        pipeline=pipeline,
        status=summary["status"],
        started=summary["startTime"],
        commit=revisions[0].get("revisionId", ""),
        said=one_line(revisions[0].get("revisionSummary", "")),
        stages=stages,
    )


def _stage(shown: dict[str, Any], detail: dict[str, Any] | None, execution_id: str) -> Stage:
    """A stage has one action on this road. `shown` is the stage as it stands now, which may be another execution's."""
    action = shown["actionStates"][0]
    if detail is None:
        return Stage(name=shown["stageName"], action=action["actionName"])
    result = detail.get("output", {}).get("executionResult", {})
    here = shown.get("latestExecution", {}).get("pipelineExecutionId") == execution_id
    stands = action.get("latestExecution", {}) if here else {}
    running = detail["status"] == RUNNING
    return Stage(
        name=shown["stageName"],
        action=detail["actionName"],
        status=detail["status"],
        started=detail["startTime"],
        ended=None if running else detail["lastUpdateTime"],
        said=one_line(result.get("errorDetails", {}).get("message") or result.get("externalExecutionSummary") or ""),
        external=result.get("externalExecutionId", ""),
        by=detail.get("updatedBy", ""),
        request=detail.get("input", {}).get("resolvedConfiguration", {}).get("CustomData", ""),
        token=stands.get("token", "") if running else "",
        variables=detail.get("output", {}).get("outputVariables", {}),
    )
