"""The two pipelines that a retraining controller knows: the model's road, which it starts, and its own, in which it runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pipelines.deployment.retraining.policy import Started
from pipelines.run import PUSH

if TYPE_CHECKING:
    from mypy_boto3_codepipeline import CodePipelineClient
    from mypy_boto3_codepipeline.type_defs import PipelineExecutionSummaryTypeDef, PipelineExecutionTypeDef

LOOKED_BACK = timedelta(days=30)  # for executions that have not ended: an approval waits seven days
UNENDED = ("InProgress", "Stopping")
TWO_CLOCKS = timedelta(minutes=5)


class Roads:
    """The model's road, `delivery`, and the controllers' pipeline, `retraining`."""

    def __init__(self, codepipeline: CodePipelineClient, *, delivery: str, retraining: str) -> None:
        self._codepipeline, self._delivery, self._retraining = codepipeline, delivery, retraining

    def start(self, retraining: Started) -> str:
        """The road's execution for a retraining. CodePipeline gives the same one for the same token."""
        started = self._codepipeline.start_pipeline_execution(
            name=self._delivery,
            variables=[{"name": "cause", "value": retraining.cause}],
            clientRequestToken=f"{self._delivery}-retraining-{retraining.number}"[-128:],
        )
        return started["pipelineExecutionId"]

    def known(self, retraining: Started) -> str | None:
        """The execution that a controller started and did not live to write down."""
        executions = (execution["pipelineExecutionId"] for execution in self._since(self._delivery, retraining.began - TWO_CLOCKS))
        return next((execution for execution in executions if self._cause(execution) == retraining.cause), None)

    def in_flight(self, now: datetime, last: Started | None) -> str | None:
        """An execution that nobody pushed and that has not ended: the `last` retraining's, which may be too new to be listed, else the
        newest one.
        """
        if last and last.execution and last.began > now - LOOKED_BACK and self._describe(last.execution).get("status") in UNENDED:
            return last.execution
        unended = (
            execution["pipelineExecutionId"]
            for execution in self._since(self._delivery, now - LOOKED_BACK)
            if execution["status"] in UNENDED
        )
        return next((execution for execution in unended if self._cause(execution) != PUSH), None)

    def tick(self, rule: str, *, since: datetime) -> str | None:
        """The newest execution of a controller that an EventBridge rule started after then."""
        for execution in self._since(self._retraining, since):
            if execution.get("trigger", {}).get("triggerDetail", "").endswith(f"/{rule}"):
                return execution["pipelineExecutionId"]
        return None

    def _since(self, pipeline: str, since: datetime) -> Iterator[PipelineExecutionSummaryTypeDef]:
        for page in self._codepipeline.get_paginator("list_pipeline_executions").paginate(pipelineName=pipeline):
            for execution in page["pipelineExecutionSummaries"]:  # newest first
                if execution["startTime"] < since:
                    return
                yield execution

    def _cause(self, execution: str) -> str:
        variables = self._describe(execution).get("variables", [])
        return next((variable["resolvedValue"] for variable in variables if variable["name"] == "cause"), PUSH)

    def _describe(self, execution: str) -> PipelineExecutionTypeDef:
        return self._codepipeline.get_pipeline_execution(pipelineName=self._delivery, pipelineExecutionId=execution)["pipelineExecution"]
