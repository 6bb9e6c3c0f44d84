"""A decision reaches the pack and the registry only when it was about this package, commit and evidence, in this execution."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

import naming
from pipelines.deployment import package
from pipelines.deployment.approval import Request, checked, evidence_of
from pipelines.deployment.approval import decision as decided
from pipelines.deployment.errors import DeploymentError
from pipelines.evidence import document, pack
from pipelines.evidence.document import ApprovalRecord
from tests.reference import CONFIG, MODEL
from tests.support import sample
from tests.support.fakes import Fake, Killed
from tests.support.world import ADA, EXECUTION, PIPELINE, World, decision, mortal

PACKAGE = f"{sample.ARN}/7"
COMMIT, SHOWN = "c" * 40, "ab" * 32
ACTION = naming.approval(CONFIG, CONFIG.environments[-1])
ASKED = f"{MODEL}: commit {COMMIT}, model package {PACKAGE}, evidence s3://b/evidence/g/7/evidence.json sha256 {SHOWN}"


def approval_of(*decisions: dict[str, Any]) -> ApprovalRecord:
    codepipeline = Fake(list_action_executions=lambda **_: {"actionExecutionDetails": list(decisions)})
    request = Request(
        pipeline=PIPELINE, execution=EXECUTION, action=ACTION, model_package_arn=PACKAGE, commit=COMMIT, evidence_sha256=SHOWN
    )
    return decided(codepipeline, request)


def test_who_when_and_why() -> None:
    assert approval_of(decision(ASKED)) == ApprovalRecord(
        version=1,
        model_package_arn=PACKAGE,
        commit=COMMIT,
        status="Approved",
        by=ADA,
        time="2026-11-21T09:12:40Z",
        reason="better on every slice",
        execution=EXECUTION,
        evidence_sha256=SHOWN,
    )


@pytest.mark.parametrize(("said", "reason"), [(None, "none given"), (" \n", "none given"), ("good:\n numbers\thold", "good: numbers hold")])
def test_a_reason_is_one_line(said: str | None, reason: str) -> None:
    assert approval_of(decision(ASKED, output={"executionResult": {"externalExecutionSummary": said}})).reason == reason
    assert approval_of(decision(ASKED, output={})).reason == "none given"


def test_the_latest_decision_counts() -> None:
    later = decision(ASKED, lastUpdateTime=datetime(2026, 11, 22, tzinfo=UTC), updatedBy="eve")

    assert approval_of(later, decision(ASKED)).by == "eve"


@pytest.mark.parametrize(
    "changes",
    [{"pipelineExecutionId": "another"}, {"actionName": "Approval-canada"}, {"status": "Failed"}, {"status": "InProgress"}],
)
def test_no_approval_of_this_execution(changes: dict[str, Any]) -> None:
    with pytest.raises(DeploymentError, match=f"execution {EXECUTION} has no approval {ACTION}"):
        approval_of(decision(ASKED, **changes))


@pytest.mark.parametrize(
    "asked",
    [
        ASKED.replace("/7,", "/6,"),
        ASKED.replace(COMMIT, "d" * 40),
        ASKED.replace("/7,", "/71,"),
        ASKED.replace(SHOWN, "cd" * 32),
        ASKED.replace(SHOWN, SHOWN + "ab"),
        ASKED.partition(", evidence")[0],
        "",
    ],
)
def test_an_approval_of_something_else(asked: str) -> None:
    with pytest.raises(DeploymentError, match="refused"):
        approval_of(decision(asked))


def test_the_decision_is_written_beside_the_evidence_and_into_card_and_registry(approved: World) -> None:
    evidence, approval, version = approved.evidence, approved.approval, package.read(approved.sagemaker, approved.arn)

    assert approval == ApprovalRecord(
        version=1,
        model_package_arn=approved.arn,
        commit=sample.COMMIT,
        status="Approved",
        by=ADA,
        time="2026-11-21T09:12:40Z",
        reason="better on every slice",
        execution=EXECUTION,
        evidence_sha256=document.sha256(approved.read(approved.uri)),
    )
    assert pack.signed(approved.s3, approved.releaser, approved.approval_uri, document.canonical(approval))
    assert not pack.signed(approved.s3, approved.signer, approved.approval_uri, document.canonical(approval))
    assert ADA in approved.read(pack.beside(approved.uri, pack.PAGE)).decode()
    assert approved.card["ModelCardStatus"] == "Approved"
    assert ADA in approved.card["Content"]
    assert (version.status, version.approval) == ("Approved", document.approval_sentence(document.with_approval(evidence, approval)))
    assert version.metadata["commit"] == sample.COMMIT


def test_the_evidence_stays_what_the_approver_was_shown(staged: World) -> None:
    staged.prove()
    names = (pack.EVIDENCE, pack.SIGNATURE, pack.ATTESTATIONS)
    before = {name: staged.read(pack.beside(staged.uri, name)) for name in names}
    staged.approve()

    assert {name: staged.read(pack.beside(staged.uri, name)) for name in names} == before
    assert staged.approval.evidence_sha256 == document.sha256(before[pack.EVIDENCE])


def test_evidence_and_decision_are_read_as_one_only_under_the_keys_that_are_due(approved: World, staged: World) -> None:
    staged.prove()
    registry = approved.registry()

    assert evidence_of(staged.registry(), staged.arn).approval is None
    assert evidence_of(registry, approved.arn) == document.with_approval(approved.evidence, approved.approval)
    with approved.decided(approved.signer):
        assert evidence_of(registry, approved.arn).approval is None
    with approved.decided(approved.releaser, evidence_sha256="ab" * 32):
        assert evidence_of(registry, approved.arn).approval is None
    planted = document.with_approval(approved.evidence, approved.approval).approval
    with approved.signed(approved.signer, approval=planted), approved.holding(f"{approved.approval_uri}.sig", b"bm9uZQ=="):
        assert evidence_of(registry, approved.arn).approval is None
    with approved.signed(approved.releaser), pytest.raises(DeploymentError, match="no evidence with a signature that holds"):
        evidence_of(registry, approved.arn)


def test_recording_twice_changes_nothing(approved: World) -> None:
    before, card = approved.versions, approved.card["ModelCardVersion"]
    approved.approve()

    assert approved.versions == before
    assert approved.card["ModelCardVersion"] == card


def test_killed_after_any_write_it_goes_on(staged: World) -> None:
    staged.prove()
    before = staged.versions
    killed = 0
    while True:
        try:
            sentence = staged.approve(s3=mortal(staged.s3, writes=1))
            break
        except Killed:
            killed += 1
            assert package.read(staged.sagemaker, staged.arn).status == "PendingManualApproval"

    assert killed == len({"model-card.json", "evidence.html", *pack.DECISION})
    assert sum(staged.versions.values()) == sum(before.values()) + killed
    assert package.read(staged.sagemaker, staged.arn).approval == sentence
    assert staged.wrong() == set()


def test_a_later_approval_in_the_same_execution_takes_its_place(staged: World) -> None:
    staged.prove()
    staged.approve()
    staged.actions.append({**staged.actions[1], "updatedBy": "eve", "lastUpdateTime": datetime(2026, 11, 22, tzinfo=UTC)})
    staged.approve()
    approval = staged.approval

    assert (approval.by, approval.time) == ("eve", "2026-11-22T00:00:00Z")
    assert staged.wrong() == set()


def test_what_is_refused_leaves_everything_as_it_was(staged: World) -> None:
    staged.prove()
    before = staged.versions
    edited = document.canonical(staged.evidence.model_copy(update={"owner": "eve@example.com"}))
    shown = document.shown_sha256(staged.evidence)

    with staged.holding(f"{staged.uri}.sig", b"bm90aGluZw=="), pytest.raises(DeploymentError, match="signature does not match: refused"):
        staged.approve(evidence_sha256=shown)
    with staged.holding(staged.uri, edited), pytest.raises(DeploymentError, match=f"the approval was given for {shown}: refused"):
        staged.approve(evidence_sha256=shown)
    with staged.holding(staged.uri, None), pytest.raises(DeploymentError, match="there is no evidence to approve"):
        staged.approve(evidence_sha256=shown)
    with staged.holding(staged.evidence.report.uri, b"other"), pytest.raises(DeploymentError, match=r"output.tar.gz: found sha256"):
        staged.approve(evidence_sha256=shown)
    with staged.registered("Rejected", "too few"), pytest.raises(DeploymentError, match=r"was rejected in the registry \(too few\)"):
        staged.approve(evidence_sha256=shown)

    assert set(staged.versions) == set(before)
    assert pack.read(staged.s3, staged.approval_uri) is None
    assert package.read(staged.sagemaker, staged.arn).status == "PendingManualApproval"


def test_evidence_of_another_execution_or_package_is_refused() -> None:
    evidence = sample.evidence()
    approval = approval_of(decision(ASKED)).model_copy(update={"evidence_sha256": document.shown_sha256(evidence)})
    elsewhere = approval.model_copy(update={"model_package_arn": f"{sample.ARN}/8"})

    with pytest.raises(
        DeploymentError, match=f"the evidence is of execution {evidence.delivery.execution}, the approval of {EXECUTION}: refused"
    ):
        checked(document.canonical(evidence), approval, signed=True)
    with pytest.raises(DeploymentError, match=r"the evidence is of arn:.*/7, the approval of arn:.*/8: refused"):
        checked(document.canonical(evidence), elsewhere, signed=True)


def test_the_package_itself_shows_the_card_that_was_decided_upon(approved: World) -> None:
    shown = approved.sagemaker.describe_model_package(ModelPackageName=approved.arn)["ModelCard"]
    alone, own = json.loads(approved.card["Content"]), json.loads(shown["ModelCardContent"])

    assert shown["ModelCardStatus"] == "Approved"
    assert set(own["model_overview"]) == {"model_creator", "model_artifact"}
    assert {**own, "model_overview": {}} == {**alone, "model_overview": {}}
    assert alone["additional_information"]["custom_details"]["model_package_arn"] == approved.arn
