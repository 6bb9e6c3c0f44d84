"""A decision reaches the registry only when it was about this package, in this execution."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.steps.record_approval import approval, description
from pipelines.steps.step import StepError
from tests.pipelines.steps.fakes import Fake

PACKAGE = "arn:aws:sagemaker:eu-west-1:111111111111:model-package/paved-road-lead-scoring/7"
COMMIT = "c" * 40
EXECUTION = "11111111-2222-3333-4444-555555555555"


def decision(**changes: Any) -> dict[str, Any]:
    return {
        "pipelineExecutionId": EXECUTION,
        "actionName": "Approval",
        "status": "Succeeded",
        "lastUpdateTime": 1,
        "updatedBy": "arn:aws:iam::111111111111:user/ada",
        "input": {"resolvedConfiguration": {"CustomData": f"lead_scoring: commit {COMMIT}, model package {PACKAGE}"}},
        "output": {"executionResult": {"externalExecutionSummary": "better on every slice"}},
        **changes,
    }


def found(*decisions: dict[str, Any]) -> dict[str, Any]:
    codepipeline = Fake(list_action_executions=lambda **_: {"actionExecutionDetails": list(decisions)})
    return approval(
        codepipeline, pipeline="paved-road-lead-scoring", execution=EXECUTION, action="Approval", package_arn=PACKAGE, commit=COMMIT
    )


def test_who_and_why() -> None:
    assert description(found(decision()), commit=COMMIT) == (
        f"Approved by arn:aws:iam::111111111111:user/ada for commit {COMMIT} in execution {EXECUTION}. Reason: better on every slice"
    )


def test_no_reason_and_a_very_long_one() -> None:
    silent = decision(output={})
    wordy = decision(output={"executionResult": {"externalExecutionSummary": "x" * 5000}})

    assert description(found(silent), commit=COMMIT).endswith("Reason: none given")
    assert len(description(found(wordy), commit=COMMIT)) == 1024


def test_the_latest_decision_counts() -> None:
    assert found(decision(), decision(lastUpdateTime=2, updatedBy="eve"))["updatedBy"] == "eve"


@pytest.mark.parametrize(
    "changes",
    [{"pipelineExecutionId": "another"}, {"actionName": "Approval-canada"}, {"status": "Failed"}, {"status": "InProgress"}],
)
def test_no_approval_of_this_execution(changes: dict[str, Any]) -> None:
    with pytest.raises(StepError, match=f"execution {EXECUTION} has no approval Approval"):
        found(decision(**changes))


@pytest.mark.parametrize(
    "asked",
    [
        f"lead_scoring: commit {COMMIT}, model package {PACKAGE.replace('/7', '/6')}",
        f"lead_scoring: commit {'d' * 40}, model package {PACKAGE}",
        f"lead_scoring: commit {COMMIT}, model package {PACKAGE}1",
        "",
    ],
)
def test_an_approval_of_something_else(asked: str) -> None:
    with pytest.raises(StepError, match="refused"):
        found(decision(input={"resolvedConfiguration": {"CustomData": asked}}))
