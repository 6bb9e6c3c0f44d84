"""A version that does not hold: the step fails with the alarm's name, the good version serves, registry, evidence and ledger say why."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from pipelines.deployment import ledger, rollback
from pipelines.deployment.cdk import CdkFailed
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.guard import Guard
from pipelines.deployment.live_check import Demand
from pipelines.evidence import pack
from pipelines.evidence.rollback_record import GRAPH, RECORD
from pipelines.serving_stack import YES
from tests.support.fake_production import BEGAN, ENDPOINT, ENVIRONMENT, STACK
from tests.support.scene import ERRORS, ROLE, Scene


def test_sagemaker_went_back_and_cloudformation_said_nothing(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "pipelines")
    scene.deploy(goes_back=True)
    scene.production.loud = dict(ERRORS)

    with pytest.raises(DeploymentError) as caught:
        scene.step(scene.guard())
    line = str(caught.value)

    assert line.startswith(
        f"endpoint {ENDPOINT} serves config-1, not config-2: the deployment was rolled back: alarm config-2-ScoreShift went into"
        " ALARM at 2026-11-21T10:04:00Z: apart; so did config-2-ServerErrors: the version before serves on: see s3://"
    )
    assert line.endswith(f"/{RECORD}, correct the model and push")
    assert "x, alarm above 0.01\n0 ▁▁█ 0.5\n10:00:00 to 10:02:00 UTC" in caplog.messages
    assert scene.registered["ModelApprovalStatus"] == "Rejected"
    assert scene.registered["CustomerMetadataProperties"][rollback.MARK].endswith("Z: config-2-ScoreShift")
    assert scene.record
    assert (scene.record.taken_back_by, [alarm.name for alarm in scene.record.alarms]) == (
        "SageMaker",
        ["config-2-ScoreShift", "config-2-ServerErrors"],
    )
    assert b"<svg" in scene.good.read(f"{pack.folder(scene.good.artifacts, scene.bad.arn)}/{GRAPH}")
    assert scene.ledger == [("deployed", "good")]
    with pytest.raises(DeploymentError) as again:
        scene.step(scene.guard())
    assert str(again.value) == line


def event(kind: str, status: str, *, id: str = "", reason: str = "", resource: str = "x", number: int = 0) -> dict[str, Any]:  # noqa: A002
    return {
        "EventId": f"event-{number}",
        "Timestamp": BEGAN,
        "LogicalResourceId": resource,
        "PhysicalResourceId": id,
        "ResourceType": kind,
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
    }


def failed_update(reason: str, number: int = 1) -> list[dict[str, Any]]:
    """What CloudFormation tells of an update whose endpoint failed, newest first."""
    stack = "AWS::CloudFormation::Stack"
    return [
        event(stack, "UPDATE_ROLLBACK_COMPLETE", resource=STACK),
        event("AWS::CloudWatch::Alarm", "DELETE_COMPLETE", id="config-2-ServerErrors"),
        event("AWS::SageMaker::EndpointConfig", "UPDATE_COMPLETE", id="config-1"),
        event(stack, "UPDATE_ROLLBACK_IN_PROGRESS", resource=STACK),
        event("AWS::SageMaker::Endpoint", "UPDATE_FAILED", id=ENDPOINT, reason=reason),
        *(event("AWS::CloudWatch::Alarm", "UPDATE_COMPLETE", id=f"config-2-{name}") for name in ("ServerErrors", "ScoreShift")),
        event("AWS::CloudWatch::Alarm", "UPDATE_COMPLETE", id=f"{ENDPOINT}-ServerErrors"),
        event("AWS::SageMaker::EndpointConfig", "CREATE_COMPLETE", id="config-2"),
        event(stack, "UPDATE_IN_PROGRESS", resource=STACK, number=number),
    ]


def deploy(scene: Scene, guard: Guard, reason: str, *, asked: bool = True, status: str = "UPDATE_ROLLBACK_COMPLETE") -> str:
    """The line with which the step fails where CloudFormation calls the update a failure; `asked`: whether CDK came so far."""
    scene.production.events = failed_update(reason, number=0 if asked else 1)
    try:
        with guard.deployment():
            scene.production.events, scene.production.status = failed_update(reason), status
            raise CdkFailed("cdk deploy failed")
    except DeploymentError as error:
        return str(error)


NOT_STABILIZED = 'Resource handler returned message: "it went back" (HandlerErrorCode: NotStabilized)'


def test_sagemaker_went_back_and_cloudformation_calls_it_a_failure(scene: Scene) -> None:
    """Verify never runs, and the alarms of the version are deleted: their history is not."""
    scene.production.loud = dict(ERRORS)
    line = deploy(scene, scene.guard(), "whatever CloudFormation calls it")

    assert line.startswith(
        f"endpoint {ENDPOINT} serves config-1, not config-2: the deployment was rolled back: alarm config-2-ScoreShift went into"
        " ALARM at 2026-11-21T10:04:00Z: apart; so did config-2-ServerErrors: the version before serves on: see s3://"
    )
    assert scene.registered["ModelApprovalStatus"] == "Rejected"
    assert scene.record
    assert (scene.record.taken_back_by, scene.record.endpoint_config, scene.record.metric) == ("SageMaker", "config-2", None)
    assert [alarm.name for alarm in scene.record.alarms] == ["config-2-ScoreShift", "config-2-ServerErrors"]


def test_a_container_that_did_not_start_is_the_versions_fault_too(scene: Scene) -> None:
    assert "was rolled back: Resource handler returned" in deploy(scene, scene.guard(), NOT_STABILIZED)
    assert scene.registered["ModelApprovalStatus"] == "Rejected"


@pytest.mark.parametrize(("reason", "asked"), [("User is not authorized (HandlerErrorCode: AccessDenied)", True), (NOT_STABILIZED, False)])
def test_a_request_that_was_refused_or_never_made_rejects_no_version(scene: Scene, reason: str, asked: bool) -> None:
    assert deploy(scene, scene.guard(), reason, asked=asked) == "cdk deploy failed"
    assert scene.record is None
    assert scene.registered["ModelApprovalStatus"] == "Approved"


def test_a_quota_is_named_and_rejects_no_version(scene: Scene) -> None:
    limit = "The account-level service limit 'ml.m5.large for endpoint usage' is 3 Instances, with current utilization of 2 Instances and a"
    line = deploy(scene, scene.guard(), f"{limit} request delta of 2 Instances. (HandlerErrorCode: ServiceLimitExceeded)")

    assert line.startswith(
        f"{STACK} was not deployed: the account may have 3 instances of 'ml.m5.large for endpoint usage', has 2 and needs 2"
    )
    assert line.endswith("have Service Quotas raise it to at least 4, then retry the stage")
    assert scene.registered["ModelApprovalStatus"] == "Approved"


def test_a_stack_that_stays_behind_is_said_too(scene: Scene) -> None:
    guard = scene.guard(version=scene.good, writes=False)
    line = deploy(scene, guard, NOT_STABILIZED, status="UPDATE_ROLLBACK_FAILED")

    assert "it is something else of this change: correct that and push; " in line
    assert f"{STACK} is UPDATE_ROLLBACK_FAILED: " in line
    assert "aws cloudformation continue-update-rollback" in line


def test_old_and_new_that_answer_side_by_side_are_said_to(scene: Scene) -> None:
    scene.production.endpoint_status = "UpdateRollbackFailed"
    command = f"./road rollback {scene.guard().place.model.name} --environment {ENVIRONMENT.name} --to VERSION --reason …"

    for line in (deploy(scene, scene.guard(), NOT_STABILIZED), _read_back(scene)):
        assert line.startswith(f"endpoint {ENDPOINT} is mixed (UpdateRollbackFailed): the old and the new version answer side by side: ")
        assert command in line
    assert scene.record is None


def _read_back(scene: Scene) -> str:
    with pytest.raises(DeploymentError) as caught:
        scene.step(scene.guard())
    return str(caught.value)


def test_without_an_alarm_sagemaker_says_why(scene: Scene) -> None:
    scene.deploy(goes_back=True)
    scene.production.failure = "The container did not\nstart"

    with pytest.raises(DeploymentError, match="rolled back: The container did not\nstart: the version before serves on"):
        scene.step(scene.guard())
    assert scene.registered["CustomerMetadataProperties"][rollback.MARK].endswith("Z: The container did not start")


def test_an_alarm_that_comes_too_late_brings_the_good_version_back(scene: Scene) -> None:
    scene.deploy()
    scene.production.loud = {"config-2-ServerErrors": ERRORS["config-2-ServerErrors"]}

    with pytest.raises(DeploymentError) as caught:
        scene.step(scene.guard())

    good = rollback.number(scene.good.arn)
    why = f"config-2-ServerErrors went into ALARM at 2026-11-21T10:30:00Z: {ERRORS['config-2-ServerErrors']}"
    assert f"{why}: it was rolled back and version {good}" in str(caught.value)
    assert scene.production.answers == scene.good.arn
    assert (scene.production.version.urgent, scene.production.version.model_version != "b" * 12) == (YES, True)
    assert scene.registered["ModelApprovalStatus"] == "Rejected"
    assert scene.ledger == [("deployed", "good"), ("rolled back", "good")]
    last = ledger.entries(scene.good.registry(), ENVIRONMENT.name)[-1]
    assert (last.rolled_back_from, last.approved_by, last.reason) == (scene.bad.arn, ROLE, scene.record.why if scene.record else "")


def test_too_little_traffic_changes_nothing(scene: Scene) -> None:
    scene.deploy()
    scene.production.scored = [99]
    guard, stack = scene.guard(), scene.production.stack

    verdict = guard.watch(guard.in_service(stack), stack, Demand(rows=100, minutes=0))

    assert verdict.passed is False
    assert scene.outcome == (scene.bad.arn, None, "Approved", "", [("deployed", "good")])


def test_with_nothing_to_go_back_to_the_line_says_both(scene: Scene) -> None:
    scene.deploy()
    scene.production.loud = dict(ERRORS)
    scene.good.sagemaker.update_model_package(ModelPackageArn=scene.good.arn, CustomerMetadataProperties={rollback.MARK: "before"})
    try:
        with pytest.raises(
            DeploymentError, match=r"config-2-ScoreShift went into ALARM .*: it was not taken back: .* nothing to roll back to"
        ):
            scene.step(scene.guard())
    finally:
        scene.good.sagemaker.update_model_package(ModelPackageArn=scene.good.arn, CustomerMetadataPropertiesToRemove=[rollback.MARK])
    assert scene.production.answers == scene.bad.arn
    assert scene.record is None


def test_a_good_version_whose_evidence_was_changed_does_not_come_back(scene: Scene) -> None:
    scene.deploy()
    scene.production.loud = dict(ERRORS)

    with (
        scene.good.holding(scene.good.evidence.report.uri, b"another"),
        pytest.raises(DeploymentError, match="report does not match: found"),
    ):
        scene.step(scene.guard())
    assert scene.production.answers == scene.bad.arn


def test_the_infrastructure_s_own_changes_are_not_the_versions_fault(scene: Scene) -> None:
    """The platform's road deploys the version that is there: a rollback of it rejects nothing, and its alarms bring nothing back."""
    scene.production.configs["config-2"] = scene.good.arn
    scene.production.loud = dict(ERRORS)
    guard = scene.guard(version=scene.good, writes=False)
    with pytest.raises(DeploymentError, match=r"was rolled back: alarm config-2-ScoreShift .* it is something else of this change"):
        scene.step(guard)
    scene.production.serves = "config-2"
    with pytest.raises(DeploymentError, match="the deployment had ended by then: look at it, and revert this change"):
        scene.step(guard)

    assert scene.good.approval.model_package_arn == scene.good.arn
    assert scene.good.sagemaker.describe_model_package(ModelPackageName=scene.good.arn)["ModelApprovalStatus"] == "Approved"
