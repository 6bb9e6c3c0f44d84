"""A stage that failed because its version was rolled back: the reason is told, wherever it is known."""

from __future__ import annotations

import pytest

from cli import executions, roads
from cli.executions import Execution
from tests.support.code_pipeline import PIPELINE, PRODUCTION, CodePipeline, Run
from tests.support.fakes import Fake
from tests.support.target import FakeTarget

WHY = "alarm config-2-ServerErrors went into ALARM at 2026-11-21T10:04:00Z: Threshold Crossed: 2 out of 3 were above"
SENTENCE = f"Rolled back in production by SageMaker at 2026-11-21T10:05:00Z: {WHY}"
MARK = {"rolled_back": "2026-11-21T10:05:00Z: config-2-ServerErrors"}
FAILED = Run("a", PRODUCTION, "Failed", "Build terminated with state: FAILED")


def read(run: Run, *, registry: str = "Rejected", said: str = SENTENCE, metadata: dict[str, str] = MARK) -> Execution:
    """One execution as the command reads it."""
    described = {
        "InferenceSpecification": {"Containers": [{"Image": "i", "ModelDataUrl": "s3://b/k"}]},
        "ModelApprovalStatus": registry,
        "ApprovalDescription": said,
        "CustomerMetadataProperties": metadata,
    }
    aws = FakeTarget(sagemaker=Fake(describe_model_package=lambda **_: described))
    return roads.with_rollback(aws, executions.find(CodePipeline([run]), PIPELINE))


def test_the_registry_says_what_codepipeline_does_not_know() -> None:
    assert read(FAILED).as_dict()["rollback"] == SENTENCE


def test_a_version_that_a_person_left_is_told_by_its_mark() -> None:
    assert read(FAILED, registry="Approved", said="Approved by ruth").rollback == f"Rolled back: {MARK['rolled_back']}"


@pytest.mark.parametrize(("run", "metadata"), [(Run("a"), MARK), (Run("a", "Build", "Failed", "gate"), MARK), (FAILED, {})])
def test_who_was_not_rolled_back_is_not_said_to_be(run: Run, metadata: dict[str, str]) -> None:
    assert read(run, metadata=metadata).rollback == ""
