"""The ledger is told before traffic can move, and what became of it, whatever became of the stage."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.deployment import ledger, package
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.recording import Recording
from tests.reference import CONFIG
from tests.support.scene import Scene


def recording(scene: Scene, execution: str = "second") -> Recording:
    """Of the bad version, in production."""
    return Recording(place=scene.place(), version=package.read(scene.good.sagemaker, scene.bad.arn), execution=execution)


def fail(told: Recording) -> None:
    with pytest.raises(DeploymentError, match=r"^no good$"), told.outcome():
        raise DeploymentError("no good")


def test_before_traffic_moves_it_is_said_that_the_version_may_answer(scene: Scene) -> None:
    for _ in range(2):
        recording(scene).deploying()

    assert scene.ledger == [("deployed", "good"), ("deploying", "bad")]
    last = ledger.entries(scene.good.registry(), CONFIG.environments[-1].name)[-1]
    assert (last.execution, last.endpoint_config, last.approved_by, last.image_uri) == ("second", "", "", recording(scene).version.image)


def test_a_version_that_answers_though_its_stage_has_failed_is_unproven(scene: Scene) -> None:
    recording(scene).deploying()
    scene.deploy()
    fail(recording(scene))

    assert scene.ledger == [("deployed", "good"), ("deploying", "bad"), ("unproven", "bad")]
    last = ledger.entries(scene.good.registry(), CONFIG.environments[-1].name)[-1]
    assert (last.reason, last.endpoint_config) == ("no good", "config-2")


def test_a_version_that_sagemaker_took_back_does_not_answer(scene: Scene) -> None:
    recording(scene).deploying()
    scene.deploy(goes_back=True)
    fail(recording(scene))

    assert scene.ledger[1:] == [("deploying", "bad"), ("taken back", "bad")]


def test_a_version_that_answers_beside_the_one_before_is_mixed(scene: Scene) -> None:
    """Whichever configuration SageMaker names then: here it is the old one."""
    recording(scene).deploying()
    scene.deploy(goes_back=True)
    scene.production.endpoint_status = "UpdateRollbackFailed"
    fail(recording(scene))

    assert scene.ledger[1:] == [("deploying", "bad"), ("mixed", "bad")]


def test_whoever_brought_the_good_version_back_has_said_so(scene: Scene) -> None:
    recording(scene).deploying()
    scene.deploy()
    scene.production.loud = {"config-2-ServerErrors": "Threshold Crossed"}
    with pytest.raises(DeploymentError, match="it was rolled back"), recording(scene).outcome():
        scene.step(scene.guard())

    assert scene.ledger[1:] == [("deploying", "bad"), ("rolled back", "good")]


def test_a_stage_that_is_retried_says_again_that_the_version_may_answer(scene: Scene) -> None:
    for _ in range(2):
        recording(scene).deploying()
        fail(recording(scene))

    assert scene.ledger[1:] == [("deploying", "bad"), ("taken back", "bad")] * 2


def test_where_the_ledger_cannot_be_told_both_failures_are(scene: Scene) -> None:
    scene.deploy()
    told = recording(scene)
    bucket = scene.good.artifacts.removeprefix("s3://")
    entries = scene.good.s3.list_objects_v2(Bucket=bucket, Prefix="ledger/")["Contents"]
    scene.good.s3.put_object(Bucket=bucket, Key=next(each["Key"] for each in entries if each["Key"].endswith(".json")), Body=b"{}")

    with pytest.raises(DeploymentError, match=r"^no good; and the ledger could not be told: .*no version is trusted"), told.outcome():
        raise DeploymentError("no good")


def test_a_place_without_a_ledger_is_told_nothing(scene: Scene) -> None:
    staging = replace(scene.place(), environment=CONFIG.environments[0])
    told = Recording(place=staging, version=recording(scene).version, execution="")
    told.deploying()
    fail(told)

    assert scene.ledger == [("deployed", "good")]


def test_a_ledger_names_executions(scene: Scene) -> None:
    with pytest.raises(DeploymentError, match=r"keeps a ledger, which names executions: name this one: --execution ID"):
        recording(scene, execution="")
