"""Reading executions from what CodePipeline tells of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

import naming
from cli import executions
from cli.problem import Problem
from pipelines.commands import Reference
from pipelines.delivery import MODEL_PACKAGE_ARN
from pipelines.waiting import UNFINISHED
from tests.support.code_pipeline import APPROVAL, PIPELINE, STAGES, STAGING, CodePipeline, Run, package


def test_an_execution_is_read_with_its_stages_times_and_variables() -> None:
    execution = executions.find(CodePipeline([Run("a", naming.TRAIN)]), PIPELINE)

    statuses = ["Succeeded", "Succeeded", "Skipped", "InProgress", "NotStarted", "NotStarted", "NotStarted"]
    assert {stage.name: stage.status for stage in execution.stages} == dict(zip(STAGES, statuses, strict=True))
    assert execution.stage("build").seconds == 30
    assert execution.commit == "aaaaaaaa"
    assert execution.said == "change a; long text"
    assert execution.variable(Reference(naming.SOURCE, "CommitId")) == "aaaaaaaa"
    assert execution.variable(MODEL_PACKAGE_ARN) == ""
    assert executions.find(CodePipeline([Run("a")]), PIPELINE).variable(MODEL_PACKAGE_ARN) == package(1)


def test_a_stage_that_was_skipped_is_no_stage_that_waits() -> None:
    newer, older = executions.current(CodePipeline([Run("b", naming.BUILD), Run("a", naming.TRAIN)]), PIPELINE)
    assert older.stage(naming.UPDATE).status == "Skipped"
    assert newer.stage(naming.UPDATE).status == "NotStarted"

    taken = executions.find(CodePipeline([Run("a", naming.UPDATE)]), PIPELINE)
    assert taken.stage(naming.UPDATE).status == "InProgress"


def test_a_stage_is_known_to_be_skipped_after_a_newer_execution_has_been_in_it() -> None:
    """GetPipelineState then tells of the newer one only."""
    _, older = executions.current(CodePipeline([Run("b", naming.UPDATE), Run("a", naming.TRAIN)]), PIPELINE)
    assert older.stage(naming.UPDATE).status == "Skipped"


def test_those_that_run_are_read_and_the_newest_that_has_ended_of_each_commit() -> None:
    def current(*runs: Run) -> list[str]:
        return [execution.id for execution in executions.current(CodePipeline(list(runs)), PIPELINE)]

    failed = Run("c", naming.TRAIN, "Failed")
    assert current(Run("d", naming.BUILD), failed, Run("b", APPROVAL), Run("a")) == ["d", "b", "c", "a"]
    assert current(Run("b"), failed) == ["b", "c"], "a failure is not hidden by another commit's success"
    assert current(Run("b", again="c"), failed) == ["b"], "it is by the same commit's"
    assert current(*(Run(name) for name in "gfedcba")) == ["g", "f", "e"]
    assert current() == []


def test_only_what_runs_waits() -> None:
    waiting = executions.waiting(CodePipeline([Run("c", naming.BUILD), Run("b", APPROVAL), Run("a")]), PIPELINE)
    assert [execution.id for execution in waiting] == ["b"]


def test_an_execution_that_was_cancelled_has_ended() -> None:
    (execution,) = executions.current(CodePipeline([Run("a", naming.UPDATE, "Succeeded", ended="Cancelled")]), PIPELINE)
    assert (execution.status, execution.running, execution.moving) == ("Cancelled", False, False)


def test_tokens_are_not_printed() -> None:
    execution = executions.find(CodePipeline([Run("a", APPROVAL)]), PIPELINE)
    assert execution.approval is not None
    assert "token of" not in json.dumps(execution.as_dict(), default=str)


def test_executions_are_found_by_the_beginning_of_their_id() -> None:
    pipeline = CodePipeline([Run("ab", naming.BUILD), Run("cd")])
    assert executions.find(pipeline, PIPELINE, "c").id == "cd"
    with pytest.raises(Problem, match="has had no such one lately"):
        executions.find(pipeline, PIPELINE, "x")
    with pytest.raises(Problem, match=f"stage Nowhere: pipeline {PIPELINE} has Source, Build"):
        executions.find(pipeline, PIPELINE).stage("Nowhere")


def test_only_what_runs_is_stopped() -> None:
    pipeline = CodePipeline([Run("c", naming.BUILD), Run("b", naming.TRAIN, "Failed"), Run("a", APPROVAL)])
    executions.stop(pipeline, PIPELINE, reason="why")
    assert pipeline.stopped == ["c", "a"]


class SideBySide(CodePipeline):
    """Its stage Staging has an action for each model."""

    def actions(self, **statuses: str) -> SideBySide:
        self.statuses = statuses
        return self

    def paginate(self, **asked: Any) -> list[dict[str, Any]]:
        return [{"actionExecutionDetails": [*self._several(detail)]} for page in super().paginate(**asked) for detail in page.values()]

    def _several(self, details: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for detail in details:
            for number, (name, status) in enumerate(self.statuses.items() if detail["stageName"] == STAGING else [("", "")]):
                message = {"errorDetails": {"message": f"{name} broke"}} if status == "Failed" else {}
                result = {"externalExecutionId": f"build:{name}", **message}
                ended = detail["lastUpdateTime"] + timedelta(minutes=number)
                several = {"actionName": name, "status": status, "lastUpdateTime": ended, "output": {"executionResult": result}}
                yield detail | (several if name else {})


def test_a_stage_runs_as_long_as_an_action_of_it_does_and_says_which_have_failed() -> None:
    def staging(stage: str = STAGING, **statuses: str) -> executions.Stage:
        return executions.find(SideBySide([Run("a", stage)]).actions(**statuses), PIPELINE).stage(STAGING)

    running = staging(good="Succeeded", bad="Failed", slow="InProgress")
    assert (running.status, running.said, running.ended) == ("InProgress", "bad: bad broke", None)
    failed = staging(bad="Failed", good="Succeeded", worse="Failed")
    assert (failed.status, failed.said, failed.seconds) == ("Failed", "bad: bad broke; worse: worse broke", 150)
    assert failed.external == {"bad": "build:bad", "good": "build:good", "worse": "build:worse"}
    assert staging(APPROVAL, good="Succeeded", fine="Succeeded").status == "Succeeded"
    assert staging(one="Succeeded", two="Abandoned").status == "Abandoned"


def test_a_stage_runs_as_long_as_an_action_of_it_is_to_come() -> None:
    staging = executions.find(SideBySide([Run("a", STAGING)]).actions(first="Succeeded", second="Succeeded"), PIPELINE).stage(STAGING)

    assert (staging.status, staging.ended) == ("InProgress", None), "CodePipeline says that the stage goes on"


def test_what_an_action_hands_over_unfinished_is_not_there_yet() -> None:
    assert executions.find(CodePipeline([Run("a", arn=UNFINISHED)]), PIPELINE).variable(MODEL_PACKAGE_ARN) == ""
