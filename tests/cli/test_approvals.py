"""Answering exactly the execution that waits."""

from __future__ import annotations

import pytest

import naming
from cli import approvals, candidate
from cli.problem import Problem
from tests.reference import MODEL
from tests.support.code_pipeline import APPROVAL, PIPELINE, PRODUCTION, CodePipeline, Run, package
from tests.support.fakes import Fake
from tests.support.target import JO, FakeTarget


def registry() -> Fake:
    """SageMaker's registry."""
    return Fake(describe_model_package=lambda **_: {"ModelApprovalStatus": "PendingManualApproval"}, update_model_package=lambda **_: {})


def test_a_newer_push_does_not_change_what_is_approved() -> None:
    pipeline, sagemaker = CodePipeline([Run("new", naming.TRAIN, version=2), Run("old", APPROVAL, version=1)]), registry()
    aws = FakeTarget(codepipeline=pipeline, sagemaker=sagemaker)
    execution = approvals.find(pipeline, MODEL)
    proof = candidate.gather(aws.registry(), execution)

    approvals.answer(aws, execution, status="Approved", reason="good", model_package_arn=proof.model_package_arn)

    assert proof.model_package_arn == package(1)
    answer = {"token": "token of old", "result": {"summary": "good", "status": "Approved"}}
    assert pipeline.answers == [{"pipelineName": PIPELINE, "stageName": APPROVAL, "actionName": APPROVAL, **answer}]
    assert sagemaker.asked("update_model_package") == []


def test_a_rejection_is_kept_in_the_registry_too() -> None:
    pipeline, sagemaker = CodePipeline([Run("a", APPROVAL)]), registry()
    aws = FakeTarget(codepipeline=pipeline, sagemaker=sagemaker)

    approvals.answer(aws, approvals.find(pipeline, MODEL), status="Rejected", reason="too few", model_package_arn=package(1))

    (update,) = sagemaker.asked("update_model_package")
    assert update["ModelApprovalStatus"] == "Rejected"
    assert update["ApprovalDescription"] == f"too few ({JO})"
    assert pipeline.answers[0]["result"]["status"] == "Rejected"


@pytest.mark.parametrize(
    ("runs", "chosen", "why"),
    [
        ([], None, "nothing waits for approval"),
        ([Run("a")], None, "nothing waits for approval"),
        ([Run("a", APPROVAL)], "b", "execution b: nothing waits for approval"),
        ([Run("b", naming.BUILD), Run("a", APPROVAL)], "b", "execution b: nothing waits for approval"),
    ],
)
def test_it_refuses_when_nothing_waits(runs: list[Run], chosen: str | None, why: str) -> None:
    with pytest.raises(Problem, match=why):
        approvals.find(CodePipeline(runs), MODEL, chosen)


@pytest.mark.parametrize(("chosen", "said"), [(None, "b"), ("a", "a")])
def test_an_approval_that_was_given_stands_and_the_way_to_leave_its_version_is_named(chosen: str | None, said: str) -> None:
    runs = [Run("c", naming.BUILD), Run("b", PRODUCTION), Run("a")]
    with pytest.raises(Problem) as error:
        approvals.find(CodePipeline(runs), MODEL, chosen)

    why = "nothing waits for approval: it was approved by ruth, and that stands"
    assert str(error.value) == f"execution {said}: {why}: ./road rollback {MODEL} --reason … leaves that version"


def test_what_the_platforms_road_let_in_is_left_by_a_push() -> None:
    with pytest.raises(Problem, match="it was approved by ruth, and that stands: revert the commit and push"):
        approvals.find(CodePipeline([Run("a")]), naming.PLATFORM)
