"""`road rollback`: what a person must say, what is checked first, and that it can be killed and typed again."""

from __future__ import annotations

from typing import Any

import pytest

import naming
from cli.commands import rollback
from cli.problem import Problem
from cli.progress import Progress
from pipelines.deployment import ledger
from pipelines.deployment.errors import DeploymentError
from pipelines.evidence.document import LedgerEntry
from pipelines.serving_stack import YES
from tests.reference import MODEL
from tests.support.fake_production import ENDPOINT, ENVIRONMENT
from tests.support.fakes import AT_ONCE, Altered, Killed, mortal, refusal
from tests.support.road import Road
from tests.support.scene import Scene

RUTH = f"arn:aws:sts::{ENVIRONMENT.account.id}:assumed-role/risk-officer/ruth"


def back(scene: Scene, reason: str = "calls the wrong people", *, by: str = RUTH, to: int | None = None, **clients: Any) -> LedgerEntry:
    with Progress() as progress:
        return rollback.go_back(scene.place(**clients), progress, reason, by=by, to=to, yes=True, pace=AT_ONCE)


@pytest.fixture
def wrong(scene: Scene) -> Scene:
    """The bad version was delivered to the end: no alarm went into ALARM."""
    scene.deploy()
    served = {"endpoint": ENDPOINT, "endpoint_config": "config-2", "model_package_arn": scene.good.arn}
    known = ledger.entry(scene.good.evidence, served, environment=ENVIRONMENT.name, execution="e-2", time="2026-11-21T09:00:00Z")
    ledger.record(scene.good.registry(), known.model_copy(update={"model_package_arn": scene.bad.arn}))
    return scene


def test_the_version_before_serves_again_and_everybody_can_read_why(wrong: Scene) -> None:
    entry = back(wrong)

    assert (entry.action, entry.model_package_arn, entry.rolled_back_from) == ("rolled back", wrong.good.arn, wrong.bad.arn)
    assert (entry.approved_by, entry.reason, entry.environment) == (RUTH, "calls the wrong people", ENVIRONMENT.name)
    assert (wrong.production.answers, wrong.production.version.urgent) == (wrong.good.arn, YES)
    assert wrong.registered["ModelApprovalStatus"] == "Approved"
    assert RUTH in wrong.registered["CustomerMetadataProperties"]["rolled_back"]
    assert wrong.ledger == [("deployed", "good"), ("deployed", "bad"), ("rolled back", "good")]
    assert "serves again instead of version" in rollback.sentence(entry)


def test_typed_again_it_has_been_done(wrong: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    first, again = back(wrong), back(wrong)

    assert first == again
    assert "you rolled back for this very reason before" in capsys.readouterr().err
    with pytest.raises(DeploymentError, match="nothing to roll back to"):
        back(wrong, "another reason")
    with pytest.raises(DeploymentError, match="nothing to roll back to"):
        back(wrong, by="somebody else")


@pytest.mark.parametrize("changes", range(5))
def test_killed_after_any_change_it_can_be_typed_again(wrong: Scene, changes: int) -> None:
    left = iter([True] * changes)
    doomed: dict[str, Any] = {
        "s3": mortal(wrong.good.s3, left, "put_object"),
        "registry": mortal(wrong.good.sagemaker, left, "update_model_package"),
        "cloudformation": mortal(wrong.production, left, "update_stack"),
    }
    killed = False
    try:
        back(wrong, **doomed)
    except Killed:
        killed = True
    entry = back(wrong)

    assert killed is (changes < 4), "stack, registry, signature, ledger"
    assert (entry.model_package_arn, entry.rolled_back_from) == (wrong.good.arn, wrong.bad.arn)
    assert wrong.production.answers == wrong.good.arn
    assert wrong.ledger == [("deployed", "good"), ("deployed", "bad"), ("rolled back", "good")]
    assert "rolled_back" in wrong.registered["CustomerMetadataProperties"]


def test_evidence_that_does_not_hold_brings_nothing_back(wrong: Scene) -> None:
    refused = r"signature does not match: .* nothing was changed"
    with wrong.good.holding(f"{wrong.good.uri}.sig", b"bm90aGluZw=="), pytest.raises(DeploymentError, match=refused):
        back(wrong)
    assert wrong.production.answers == wrong.bad.arn


def test_who_names_the_version_needs_no_ledger_and_everybody_else_does(wrong: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    bucket = wrong.good.artifacts.removeprefix("s3://")
    wrong.good.s3.put_object(Bucket=bucket, Key=f"{naming.LEDGER}/{ENVIRONMENT.name}/20261121T080000Z-forged.json", Body=b"{}")

    with pytest.raises(DeploymentError, match="no version is trusted: find out who wrote the entry"):
        back(wrong)
    with pytest.raises(DeploymentError, match="has no evidence: deliver it again with a push"):
        back(wrong, to=999)
    assert "it is not needed, as you named the version" in capsys.readouterr().err


def put_by_hand(scene: Scene, package: str) -> None:
    scene.production.foreign, scene.production.serves = {"by-hand": package}, "by-hand"


def number(arn: str) -> int:
    return int(arn.rpartition("/")[2])


def test_an_endpoint_that_is_gone_is_said_and_the_version_must_be_named(wrong: Scene) -> None:
    wrong.production.gone = True
    with pytest.raises(DeploymentError, match=rf"endpoint {ENDPOINT} is gone, .* nothing answers: \./road rollback .* --to"):
        back(wrong)
    assert wrong.production.gone


def test_an_endpoint_that_was_deleted_comes_back_with_the_stacks_own_version(scene: Scene) -> None:
    for _ in range(2):
        scene.production.gone = True
        entry = back(scene, to=number(scene.good.arn))

    assert scene.production.moved_by_hand == ["config-1", "config-1"]
    assert scene.production.answers == scene.good.arn
    assert (entry.model_package_arn, entry.rolled_back_from) == (scene.good.arn, None)
    assert "serves again instead of what a hand had left there" in rollback.sentence(entry)
    with pytest.raises(DeploymentError, match="is what serves: there is nothing to roll back"):
        back(scene, "another reason", to=number(scene.good.arn))


def test_a_foreign_model_makes_way_though_the_stack_believes_that_the_version_serves(scene: Scene) -> None:
    put_by_hand(scene, scene.good.arn.replace("model-package/", "model-package/other-"))
    with pytest.raises(DeploymentError, match=r"serves a model that no registered version made .* --to"):
        back(scene)

    entry = back(scene, to=number(scene.good.arn))

    assert scene.production.serves == "config-1"
    assert (entry.endpoint_config, entry.rolled_back_from) == ("config-1", None)
    assert "rolled_back" not in scene.good.sagemaker.describe_model_package(ModelPackageName=scene.good.arn)["CustomerMetadataProperties"]


def test_who_may_not_touch_the_endpoint_is_told_what_somebody_else_types(scene: Scene) -> None:
    scene.production.gone = True
    with pytest.raises(DeploymentError) as error:
        back(scene, to=number(scene.good.arn), endpoint=mayhem(scene, "create_endpoint"))

    command = f"aws sagemaker create-endpoint --endpoint-name {ENDPOINT} --endpoint-config-name config-1"
    line = f"you may not do that: not you: have somebody who may in account {ENVIRONMENT.account.id} type {command}, then run this again"
    assert str(error.value) == line


def mayhem(scene: Scene, call: str) -> Altered:
    """Production, which refuses one call."""

    def refuse(**_: Any) -> None:
        raise refusal("AccessDeniedException", "not you")

    return Altered(scene.production, **{call: refuse})


def test_a_version_without_a_configuration_does_not_come_back(scene: Scene) -> None:
    scene.production.gone = True
    scene.production.configs = {"config-2": scene.bad.arn}
    with pytest.raises(DeploymentError, match=r"configuration config-2 is not made of .* any more: name a version that has one with --to"):
        back(scene, to=number(scene.good.arn))
    assert scene.production.gone


def test_a_stack_that_takes_no_update_is_named_before_anything_is_done(wrong: Scene) -> None:
    wrong.production.status = "UPDATE_ROLLBACK_FAILED"
    with pytest.raises(DeploymentError, match=r"is UPDATE_ROLLBACK_FAILED: .* aws cloudformation continue-update-rollback"):
        back(wrong)
    assert wrong.production.answers == wrong.bad.arn


def test_an_endpoint_that_failed_must_be_deleted_first(wrong: Scene) -> None:
    wrong.production.endpoint_status = "Failed"
    with pytest.raises(DeploymentError, match="is Failed: delete what is left of it: aws sagemaker delete-endpoint"):
        back(wrong, to=number(wrong.good.arn))


def test_nobody_is_asked_where_nobody_can_answer(wrong: Scene) -> None:
    with Progress() as progress, pytest.raises(Problem, match="rollback: there is no terminal to ask on: add --yes"):
        rollback.go_back(wrong.place(), progress, "x", by=RUTH, to=None, yes=False, pace=AT_ONCE)
    assert wrong.production.answers == wrong.bad.arn


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("nobody", "--reason", "x"), f"model nobody: there are {MODEL}: name one of them"),
        ((MODEL, "--reason", "  "), "--reason: it is empty: say why in a few words"),
        ((MODEL, "--reason", "x", "--environment", "moon"), "environment moon: config.py has staging, production"),
        ((MODEL,), "Missing option '--reason'"),
        ((MODEL, "--reason", "x", "--to", "0"), "--to"),
    ],
)
def test_typed_wrongly(road: Road, arguments: tuple[str, ...], line: str) -> None:
    done = road("rollback", *arguments)

    assert done.returncode == 2
    assert line in done.stderr
