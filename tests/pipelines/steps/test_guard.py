"""A version that does not hold: the step fails with the alarm's name, the good version serves, registry, evidence and ledger say why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from pipelines.evidence import document, pack, setback
from pipelines.evidence.setback import FACTS, GRAPH
from pipelines.steps import package, readback, record_deployment, rollback
from pipelines.steps import stack as stacks
from pipelines.steps.check_evidence import Clients
from pipelines.steps.guard import Guard
from pipelines.steps.ledger import entries
from pipelines.steps.live_check import Demand, Ringing, watch
from pipelines.steps.readback import TakenBack
from pipelines.steps.rollback import Place
from pipelines.steps.step import StepError
from tests.pipelines.evidence.world import World, deliver
from tests.pipelines.steps.fake_production import ENDPOINT, STACK, Production

ROLE = "arn:aws:sts::111111111111:assumed-role/deploy-production/build"
ERRORS = {"config-2-ServerErrors": "Threshold Crossed: 2 out of 3 were above", "config-2-ScoreShift": "apart"}


@dataclass
class Scene:
    """A production into which `bad` has just been deployed, after `good`, which is in the ledger."""

    good: World
    bad: World
    production: Production

    def place(self, **clients: Any) -> Place:
        """Where it happens; a client may be replaced: s3, registry, cloudformation."""
        home = Clients(
            s3=clients.get("s3", self.good.s3),
            sagemaker=clients.get("registry", self.good.sagemaker),
            ecr=self.good.ecr,
            signer=self.good.signer,
        )
        return Place(
            environment="production",
            stack=STACK,
            artifacts=self.good.artifacts,
            cloudformation=clients.get("cloudformation", self.production),
            sagemaker=self.production,
            home=home,
        )

    def guard(self, *, place: bool = True, **clients: Any) -> Guard:
        return Guard(
            version=package.read(self.good.sagemaker, self.bad.arn),
            place=self.place(**clients) if place else None,
            cloudwatch=self.production,
            by=ROLE,
            poll_seconds=0,
            minute_seconds=60,
        )

    def step(self, guard: Guard) -> None:
        """What verify does until the golden requests: raises what the step fails with."""
        stack = stacks.read(self.production, STACK)
        assert stack
        if failure := guard.resumed(stack):
            raise failure
        try:
            served = readback.served(self.production, stack.outputs, guard.version, poll_seconds=0)
            watch(self.production, served, stack.outputs, Demand(rows=100, minutes=0), poll_seconds=0, minute_seconds=60)
        except TakenBack as found:
            raise guard.taken_back(found, stack.outputs) from found
        except Ringing as found:
            raise guard.take_back(served, found) from found

    @property
    def told(self) -> dict[str, Any]:
        """What the registry says of the bad version."""
        found: dict[str, Any] = self.good.sagemaker.describe_model_package(ModelPackageName=self.bad.arn)
        return found

    @property
    def facts(self) -> setback.Setback | None:
        return setback.read(self.good.s3, self.good.signer, self.good.artifacts, self.bad.arn)

    @property
    def ledger(self) -> list[tuple[str, str]]:
        """Action and version of each entry."""
        found = entries(self.good.s3, self.good.signer, self.good.artifacts, "production")
        return [(entry.action, "good" if entry.model_package_arn == self.good.arn else "bad") for entry in found]

    @property
    def outcome(self) -> tuple[Any, ...]:
        """Everything that must be the same, however often it was begun."""
        facts = self.facts
        told = self.told
        mark = told["CustomerMetadataProperties"].get(rollback.MARK, "").partition(": ")[2]
        why = (facts.taken_back_by, facts.alarms, facts.endpoint_config) if facts else None
        return self.production.answers, why, told["ModelApprovalStatus"], mark, self.ledger

    def clean(self) -> None:
        """As if nothing had happened yet."""
        for prefix in ("ledger/", pack.folder("", self.bad.arn).lstrip("/")):
            bucket = self.good.artifacts.removeprefix("s3://")
            for item in self.good.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", []):
                self.good.s3.delete_object(Bucket=bucket, Key=item["Key"])
        self.good.sagemaker.update_model_package(
            ModelPackageArn=self.bad.arn,
            ModelApprovalStatus="Approved",
            ApprovalDescription="fine",
            CustomerMetadataPropertiesToRemove=[rollback.MARK],
        )
        self.production = Production.serving(self.good.arn)
        served = {"endpoint": ENDPOINT, "endpoint_config": "config-1", "model_package_arn": self.good.arn}
        first = record_deployment.entry(
            self.good.evidence, served, environment="production", execution="first", time="2026-11-20T10:00:00Z"
        )
        record_deployment.record(self.good.s3, self.good.signer, self.good.artifacts, first)

    def deploy(self, *, goes_back: bool = False) -> None:
        """Deploy the bad version."""
        self.production.goes_back = goes_back
        stack = stacks.read(self.production, STACK)
        assert stack
        stacks.update(self.production, stack, {"ModelPackageArn": self.bad.arn, "ModelVersion": "b" * 12}, poll_seconds=0)
        self.production.goes_back = False


@pytest.fixture(scope="module")
def worlds(evidence_server: str) -> tuple[World, World]:
    """A version that was proven and approved, and one that was registered."""
    good, bad = deliver(evidence_server), deliver(evidence_server)
    good.prove()
    good.approve()
    return good, bad


@pytest.fixture
def scene(worlds: tuple[World, World]) -> Scene:
    made = Scene(*worlds, production=Production.serving(worlds[0].arn))
    made.clean()
    return made


def test_sagemaker_went_back_and_cloudformation_said_nothing(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    scene.deploy(goes_back=True)
    scene.production.rings = dict(ERRORS)

    with pytest.raises(StepError) as caught:
        scene.step(scene.guard())
    line, shown = str(caught.value), capsys.readouterr().err

    assert line.startswith(
        f"endpoint {ENDPOINT} serves config-1, not config-2: the deployment was rolled back: alarm config-2-ScoreShift rang at"
        " 2026-11-21T10:04:00Z: apart; so did config-2-ServerErrors: the version before serves on: see s3://"
    )
    assert line.endswith(f"/{FACTS}, correct the model and push")
    assert "x, alarm above 0.01\n0 ▁▁█ 0.5\n10:00:00 to 10:02:00 UTC" in shown
    assert scene.told["ModelApprovalStatus"] == "Rejected"
    assert scene.told["CustomerMetadataProperties"][rollback.MARK].endswith("Z: config-2-ScoreShift")
    assert scene.facts
    assert (scene.facts.taken_back_by, [alarm.name for alarm in scene.facts.alarms]) == (
        "SageMaker",
        ["config-2-ScoreShift", "config-2-ServerErrors"],
    )
    assert b"<svg" in scene.good.read(f"{pack.folder(scene.good.artifacts, scene.bad.arn)}/{GRAPH}")
    assert scene.ledger == [("deployed", "good")]
    with pytest.raises(StepError) as again:
        scene.step(scene.guard())
    assert str(again.value) == line


def test_without_an_alarm_sagemaker_says_why(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.deploy(goes_back=True)
    answer = scene.production.describe_endpoint
    monkeypatch.setattr(scene.production, "describe_endpoint", lambda **_: {**answer(), "FailureReason": "The container did not\nstart"})

    with pytest.raises(StepError, match="rolled back: The container did not\nstart: the version before serves on"):
        scene.step(scene.guard())
    assert scene.told["CustomerMetadataProperties"][rollback.MARK].endswith("Z: The container did not start")


def test_an_alarm_that_rings_too_late_brings_the_good_version_back(scene: Scene) -> None:
    scene.deploy()
    scene.production.rings = {"config-2-ServerErrors": ERRORS["config-2-ServerErrors"]}

    with pytest.raises(StepError) as caught:
        scene.step(scene.guard())

    good = rollback.number(scene.good.arn)
    assert (
        f"config-2-ServerErrors rang at 2026-11-21T10:30:00Z: {ERRORS['config-2-ServerErrors']}: it was rolled back and version {good}"
        in str(caught.value)
    )
    assert scene.production.answers == scene.good.arn
    assert (scene.production.parameters["Urgent"], scene.production.parameters["ModelVersion"] != "b" * 12) == ("yes", True)
    assert scene.told["ModelApprovalStatus"] == "Rejected"
    assert scene.ledger == [("deployed", "good"), ("rolled back", "good")]
    last = entries(scene.good.s3, scene.good.signer, scene.good.artifacts, "production")[-1]
    assert (last.rolled_back_from, last.approved_by, last.reason) == (scene.bad.arn, ROLE, scene.facts.why if scene.facts else "")


def test_too_little_traffic_changes_nothing(scene: Scene) -> None:
    scene.deploy()
    scene.production.scored = [99]
    stack = stacks.read(scene.production, STACK)
    assert stack
    served = readback.served(scene.production, stack.outputs, scene.guard().version, poll_seconds=0)

    verdict = watch(scene.production, served, stack.outputs, Demand(rows=100, minutes=0.001), poll_seconds=0.01, minute_seconds=60)

    assert verdict.passed is False
    assert scene.outcome == (scene.bad.arn, None, "Approved", "", [("deployed", "good")])


def test_with_nothing_to_go_back_to_the_line_says_both(scene: Scene) -> None:
    scene.deploy()
    scene.production.rings = dict(ERRORS)
    scene.good.sagemaker.update_model_package(ModelPackageArn=scene.good.arn, CustomerMetadataProperties={rollback.MARK: "before"})
    try:
        with pytest.raises(StepError, match=r"config-2-ScoreShift rang .*: it was not taken back: .* nothing to roll back to"):
            scene.step(scene.guard())
    finally:
        scene.good.sagemaker.update_model_package(ModelPackageArn=scene.good.arn, CustomerMetadataPropertiesToRemove=[rollback.MARK])
    assert scene.production.answers == scene.bad.arn
    assert scene.facts is None


def test_a_good_version_whose_evidence_was_changed_does_not_come_back(scene: Scene) -> None:
    scene.deploy()
    scene.production.rings = dict(ERRORS)

    with scene.good.holding(scene.good.evidence.report.uri, b"another"), pytest.raises(StepError, match="report does not match: found"):
        scene.step(scene.guard())
    assert scene.production.answers == scene.bad.arn


def test_the_infrastructure_s_own_changes_are_not_the_versions_fault(scene: Scene) -> None:
    """The platform's road deploys the version that is there: a rollback of it rejects nothing, and its alarms bring nothing back."""
    scene.production.configs["config-2"] = scene.good.arn
    scene.production.rings = dict(ERRORS)
    guard = Guard(
        version=package.read(scene.good.sagemaker, scene.good.arn),
        place=None,
        cloudwatch=scene.production,
        by=ROLE,
        poll_seconds=0,
        minute_seconds=60,
    )
    with pytest.raises(StepError, match=r"was rolled back: alarm config-2-ScoreShift .* it is something else of this change"):
        scene.step(guard)
    scene.production.serves = "config-2"
    with pytest.raises(StepError, match="it rings after the deployment has ended: look at it, and revert this change"):
        scene.step(guard)

    assert document.load_evidence(scene.good.read(scene.good.uri)).approval
    assert scene.good.sagemaker.describe_model_package(ModelPackageName=scene.good.arn)["ModelApprovalStatus"] == "Approved"
