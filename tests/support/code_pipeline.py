"""A CodePipeline in memory that takes the reference model's road, for commands that read executions and answer approvals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import naming
from pipelines import delivery
from tests import reference
from tests.reference import CONFIG, MODEL
from tests.support import sample
from tests.support.fakes import Anything

PIPELINE = naming.delivery_pipeline(CONFIG, MODEL)
STAGING, PRODUCTION = map(naming.stage, CONFIG.environments)
APPROVAL = naming.approval(CONFIG, CONFIG.environments[-1])
STAGES = (naming.SOURCE, *(stage.name for stage in delivery.model_road(CONFIG, reference.model()).stages))
START = datetime(2026, 11, 20, 12, tzinfo=UTC)


def package(version: int) -> str:
    """The ARN of a model package."""
    return f"{sample.ARN}/{version}"


@dataclass
class Run:
    """One execution: it is in `stage` with `status`, or has succeeded where that is empty. `skipped` stages are passed.

    `arn` is of its model package, where that is not the sample's of `version`; `evidence` is what the first environment's stage exports.
    `ended` is the execution's own status where that is another one, `again` the execution whose commit it delivers once more.
    """

    id: str
    stage: str = ""
    status: str = "InProgress"
    said: str = ""
    version: int = 1
    arn: str = ""
    evidence: dict[str, str] = field(default_factory=dict)
    skipped: tuple[str, ...] = (naming.UPDATE,)
    ended: str = ""
    again: str = ""

    @property
    def commit(self) -> str:
        return (self.again or self.id) * 8

    @property
    def outcome(self) -> str:
        """The execution's own status."""
        return self.ended or (self.status if self.stage else "Succeeded")

    @property
    def done(self) -> int:
        """How many stages it has left behind."""
        return STAGES.index(self.stage) if self.stage else len(STAGES)

    def details(self) -> Iterator[dict[str, Any]]:
        """Newest first, as CodePipeline lists them."""
        if self.stage:
            yield self._detail(self.stage, self.status)
        for stage in reversed(STAGES[: self.done]):
            if stage not in self.skipped:
                yield self._detail(stage, "Succeeded")

    def _detail(self, stage: str, status: str) -> dict[str, Any]:
        started = START + timedelta(minutes=STAGES.index(stage))
        exported = {
            naming.SOURCE: {"CommitId": self.commit},
            naming.TRAIN: {"MODEL_PACKAGE_ARN": self.arn or package(self.version)},
            STAGING: self.evidence,
        }
        result = {"externalExecutionId": f"{stage.lower()}:1", **({"errorDetails": {"message": self.said}} if status == "Failed" else {})}
        return {
            "stageName": stage,
            "actionName": stage,
            "status": status,
            "startTime": started,
            "lastUpdateTime": started + timedelta(seconds=30),
            **({"updatedBy": "ruth"} if stage == APPROVAL and status == "Succeeded" else {}),
            "input": {"resolvedConfiguration": {"CustomData": f"commit {self.commit}"} if stage == APPROVAL else {}},
            "output": {"executionResult": result, "outputVariables": exported.get(stage, {}) if status == "Succeeded" else {}},
        }


@dataclass
class CodePipeline(Anything):  # type: ignore[misc]
    """`runs` are newest first; `pipelines` are all there are."""

    runs: list[Run]
    answers: list[dict[str, Any]] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)

    def list_pipeline_executions(self, **_: Any) -> dict[str, Any]:
        return {
            "pipelineExecutionSummaries": [
                {
                    "pipelineExecutionId": run.id,
                    "status": run.outcome,
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
        if stage == APPROVAL == last.stage and last.status == "InProgress":
            action["latestExecution"] = {"token": f"token of {last.id}"}
        status = "Skipped" if stage in last.skipped and last.done > number else last.status if last.stage == stage else "Succeeded"
        return {"stageName": stage, "actionStates": [action], "latestExecution": {"pipelineExecutionId": last.id, "status": status}}

    def get_paginator(self, _: str) -> CodePipeline:
        return self

    def paginate(self, *, filter: dict[str, str], **_: Any) -> list[dict[str, Any]]:  # noqa: A002 - botocore's own word
        (run,) = (run for run in self.runs if run.id == filter["pipelineExecutionId"])
        return [{"actionExecutionDetails": [detail]} for detail in run.details()]

    def put_approval_result(self, **answer: Any) -> None:
        self.answers.append(answer)

    def stop_pipeline_execution(self, *, pipelineExecutionId: str, **_: Any) -> None:  # noqa: N803 - botocore's own word
        self.stopped.append(pipelineExecutionId)
