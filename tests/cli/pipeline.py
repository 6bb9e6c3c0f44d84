"""A CodePipeline in memory, for commands that read executions and answer approvals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

STAGES = ("Source", "Build", "Train", "Staging", "Approval", "Production")
START = datetime(2026, 11, 20, 12, tzinfo=UTC)
ARN = "arn:aws:sagemaker:eu-west-1:111111111111:model-package/paved-road-lead-scoring/{}"


@dataclass
class Run:
    """One execution: it has done `STAGES[:done]`, and stands in the next one with `status`."""

    id: str
    done: int
    status: str = "InProgress"
    said: str = ""
    version: int = 1
    evidence: dict[str, str] = field(default_factory=dict)  # what the stage Staging exported

    @property
    def commit(self) -> str:
        return self.id * 8

    def details(self) -> Iterator[dict[str, Any]]:
        """Newest first, as CodePipeline lists them."""
        here = [] if self.done == len(STAGES) else [self.detail(self.done, self.status)]
        return iter([*here, *(self.detail(i, "Succeeded") for i in reversed(range(self.done)))])

    def detail(self, number: int, status: str) -> dict[str, Any]:
        stage = STAGES[number]
        started = START + timedelta(minutes=number)
        variables = (
            {
                "Source": {"CommitId": self.commit},
                "Train": {"MODEL_PACKAGE_ARN": ARN.format(self.version)},
                "Staging": self.evidence,
            }.get(stage, {})
            if status == "Succeeded"
            else {}
        )
        result = {"externalExecutionId": f"{stage.lower()}:1", **({"errorDetails": {"message": self.said}} if status == "Failed" else {})}
        return {
            "stageName": stage,
            "actionName": stage,
            "status": status,
            "startTime": started,
            "lastUpdateTime": started + timedelta(seconds=30),
            "input": {"resolvedConfiguration": {"CustomData": f"commit {self.commit}"} if stage == "Approval" else {}},
            "output": {"executionResult": result, "outputVariables": variables},
        }


@dataclass
class CodePipeline:
    """`runs` are newest first."""

    runs: list[Run]
    answers: list[dict[str, Any]] = field(default_factory=list)

    def list_pipeline_executions(self, **_: Any) -> dict[str, Any]:
        return {
            "pipelineExecutionSummaries": [
                {
                    "pipelineExecutionId": run.id,
                    "status": "Succeeded" if run.done == len(STAGES) else run.status,
                    "startTime": START,
                    "sourceRevisions": [{"revisionId": run.commit, "revisionSummary": f"change {run.id}\n\nlong text"}],
                }
                for run in self.runs
            ]
        }

    def get_pipeline_state(self, **_: Any) -> dict[str, Any]:
        return {"stageStates": [self._stage(number, stage) for number, stage in enumerate(STAGES)]}

    def _stage(self, number: int, stage: str) -> dict[str, Any]:
        last = next((run for run in self.runs if run.done >= number), None)
        action: dict[str, Any] = {"actionName": stage}
        if last is None:
            return {"stageName": stage, "actionStates": [action]}
        if stage == "Approval" and last.done == number and last.status == "InProgress":
            action["latestExecution"] = {"token": f"token of {last.id}"}
        return {"stageName": stage, "actionStates": [action], "latestExecution": {"pipelineExecutionId": last.id}}

    def get_paginator(self, _: str) -> CodePipeline:
        return self

    def paginate(self, *, filter: dict[str, str], **_: Any) -> list[dict[str, Any]]:  # noqa: A002 - botocore's own word
        (run,) = (run for run in self.runs if run.id == filter["pipelineExecutionId"])
        return [{"actionExecutionDetails": [detail]} for detail in run.details()]

    def put_approval_result(self, **answer: Any) -> None:
        self.answers.append(answer)
