"""A stage that failed because its version was rolled back: the reason is told, wherever it is known."""

from __future__ import annotations

import pytest

import naming
from cli import executions, roads
from cli.executions import Execution
from cli.roads import Road
from tests.reference import CONFIG, MODEL
from tests.support.code_pipeline import PIPELINE, PRODUCTION, CodePipeline, Run, package
from tests.support.fake_production import ENVIRONMENT, Production
from tests.support.fakes import Altered, Fake, Paginator
from tests.support.target import S3, FakeTarget

STAGING = CONFIG.environments[0].name
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


def test_an_execution_that_trained_nothing_says_what_went_on() -> None:
    known = {"trained_as": package(6), "trained_commit": "9f2c41d07b" * 4}
    described = {
        "InferenceSpecification": {"Containers": [{"Image": "i", "ModelDataUrl": "s3://b/k"}]},
        "ModelApprovalStatus": "Approved",
        "CustomerMetadataProperties": known,
    }
    execution = executions.find(CodePipeline([Run("a")]), PIPELINE)
    aws = FakeTarget(sagemaker=Fake(describe_model_package=lambda **_: described))

    assert roads.with_reuse(aws, execution).reuse == "nothing was trained: version 6, of commit 9f2c41d0, goes on"
    known.clear()
    assert roads.with_reuse(aws, execution) == execution


def test_the_newest_are_told_from_the_older() -> None:
    runs = [Run("d", naming.BUILD), Run("c", naming.TRAIN, "Failed"), Run("b"), Run("a")]
    road = Road(model=MODEL, executions=executions.current(CodePipeline(runs), PIPELINE))

    assert [execution.id for execution in road.newest] == ["d", "c"]
    assert [execution.id for execution in road.older] == ["b", "a"]


def test_a_models_road_tells_what_serves_and_what_was_approved_beside_it() -> None:
    production = Production.serving(package(7))
    listed = {"ModelPackageSummaryList": [{"ModelPackageArn": package(7)}]}
    sagemaker = Altered(production, get_paginator=lambda _: Paginator(lambda _: listed))
    road = roads.with_endpoints(FakeTarget(cloudformation=production, sagemaker=sagemaker, s3=S3()), Road(model=MODEL, executions=[]))

    states = {name: (each["state"], each["serves"]) for name, each in road.as_dict()["endpoints"].items()}
    assert states == {STAGING: ("not deployed", None), ENVIRONMENT.name: ("in line", package(7))}
    assert road.as_dict()["unproven"] == [{"model_package_arn": package(7), "why": "it has no evidence"}]


def test_the_platform_serves_nothing() -> None:
    road = Road(model=naming.PLATFORM, executions=[])
    assert roads.with_endpoints(FakeTarget(), road) == road
