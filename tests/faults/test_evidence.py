"""After an approval one thing is changed behind the road's back: the deployment is refused, and the thing is named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipelines.deployment import package
from pipelines.deployment.errors import DeploymentError
from pipelines.evidence import document, envelope, pack
from tests.reference import MODEL
from tests.support import sample
from tests.support.fakes import Altered, refusal
from tests.support.world import EXECUTION, World, decision

SWAPPED = pytest.mark.fault("corrupt or swapped artifact")
EDITED = pytest.mark.fault("evidence edited")
STALE = pytest.mark.fault("two pushes, stale approval")
NOT_THEIRS = pytest.mark.fault("somebody signs what is not theirs to sign")
OLDER = "99999999-2222-3333-4444-555555555555"


def refused(world: World, **changes: Any) -> list[str]:
    """The sentences with which the check refuses."""
    return [comparison.line() for comparison in world.compare(**changes) if not comparison.matches]


def sentence(world: World) -> str:
    """What the registry keeps of the decision."""
    return document.approval_sentence(document.with_approval(world.evidence, world.approval))


def test_without_a_fault_nothing_is_refused(approved: World) -> None:
    assert refused(approved, evidence_sha256=document.shown_sha256(approved.evidence)) == []


@SWAPPED
@pytest.mark.parametrize("thing", ["model artifact", "report", "data", "bill of materials"])
def test_a_file_was_swapped_or_removed(approved: World, thing: str) -> None:
    evidence = approved.evidence
    uri, sha256 = {
        "model artifact": (evidence.artifact.uri, evidence.artifact.sha256),
        "report": (evidence.report.uri, evidence.report.sha256),
        "data": (evidence.data.uri, evidence.data.sha256),
        "bill of materials": (pack.bill_of_materials(approved.artifacts, evidence.image.uri), evidence.image.sbom_sha256),
    }[thing]
    swapped = approved.read(uri)[:-1] + b"!"

    with approved.holding(uri, swapped):
        assert refused(approved) == [f"{thing} does not match: found {document.sha256(swapped)}, expected {sha256}"]
    with approved.holding(uri, None):
        assert refused(approved) == [f"{thing} does not match: found nothing at {uri}, expected {sha256}"]


@SWAPPED
def test_the_copy_of_the_bill_of_materials_was_changed(approved: World) -> None:
    with approved.holding(pack.beside(approved.uri, pack.SBOM), b'{"components": []}'):
        assert approved.wrong() == {"bill of materials"}


@EDITED
@pytest.mark.parametrize("edit", [(b"0.809346", b"0.909346"), (b'"dana@example.com"', b'"eve@example.com"'), (b"\n}\n", b"\n}\n\n")])
def test_the_evidence_was_edited_after_signing(approved: World, edit: tuple[bytes, bytes]) -> None:
    edited = approved.read(approved.uri).replace(*edit)
    assert edited != approved.read(approved.uri)

    with approved.holding(approved.uri, edited):
        assert (
            refused(approved)[0]
            == f"signature does not match: found none that {approved.signer.key} made for {approved.uri}, expected valid"
        )


@EDITED
def test_the_evidence_was_edited_into_no_evidence(approved: World) -> None:
    with approved.holding(approved.uri, approved.read(approved.uri).replace(b'"sha256"', b'"sha1"')):
        assert approved.wrong() == {"signature", "schema"}


@EDITED
def test_the_signature_is_of_another_key(approved: World) -> None:
    for key in (approved.stranger, approved.releaser):
        with approved.signed(key):
            assert approved.wrong() == {"signature"}
    with approved.holding(f"{approved.uri}.sig", None):
        assert approved.wrong() == {"signature"}


@SWAPPED
def test_the_pack_is_of_another_model_package(approved: World, staged: World) -> None:
    """Evidence that was rightly signed and approved, laid where other evidence should be."""
    content = approved.read(approved.uri)
    for suffix in ("", ".sig"):
        pack.write(staged.s3, f"{staged.uri}{suffix}", approved.read(f"{approved.uri}{suffix}"))
    assert document.load_evidence(content).model_package_arn != staged.arn

    assert {"model package", "model artifact", "image", "approval"} <= staged.wrong(signer=approved.signer, releaser=approved.releaser)


@STALE
def test_the_approval_is_of_an_older_execution(approved: World) -> None:
    with approved.decided(approved.releaser, execution=OLDER):
        assert f"approval does not match: found {OLDER}, expected {EXECUTION}" in refused(approved)


@STALE
def test_the_approval_of_an_older_execution_is_not_recorded(staged: World) -> None:
    shown = document.shown_sha256(staged.prove())
    staged.actions[1]["pipelineExecutionId"] = OLDER
    with pytest.raises(DeploymentError, match=f"execution {EXECUTION} has no approval Approval"):
        staged.approve()

    for older in (f"{sample.ARN}/6", staged.arn):
        asked = f"{MODEL}: commit {sample.COMMIT}, model package {older}, evidence {staged.uri} sha256 {'ab' * 32}"
        staged.actions[1] = decision(asked)
        with pytest.raises(DeploymentError, match=f"not for {staged.arn} of commit {sample.COMMIT} with evidence sha256 {shown}: refused"):
            staged.approve()
    assert package.read(staged.sagemaker, staged.arn).status == "PendingManualApproval"
    assert {"approval"} == staged.wrong()


@STALE
def test_the_approval_is_for_another_digest(approved: World) -> None:
    shown = document.sha256(approved.read(approved.uri))

    with approved.decided(approved.releaser, evidence_sha256="ab" * 32):
        assert f"approval does not match: found {'ab' * 32}, expected {shown}" in refused(approved)
    assert refused(approved, evidence_sha256="cd" * 32) == [f"approval does not match: found {shown}, expected {'cd' * 32}"]


@EDITED
def test_the_approval_was_removed(approved: World) -> None:
    with approved.holding(approved.approval_uri, None):
        assert f"approval does not match: found nothing at {approved.approval_uri}, expected Approved" in refused(approved)


@STALE
@pytest.mark.parametrize("status", ["PendingManualApproval", "Rejected"])
def test_the_registry_does_not_say_approved(approved: World, status: str) -> None:
    with approved.registered(status, sentence(approved)):
        assert refused(approved) == [f"approval does not match: found {status}, expected Approved"]


@EDITED
@pytest.mark.parametrize("edit", [("user/ada", "user/eve"), ("T09:12:40Z", "T08:00:00Z"), (sample.COMMIT, "d" * 40), ("better", "worse")])
def test_the_approval_text_was_edited(approved: World, edit: tuple[str, str]) -> None:
    """Approver, time, commit or reason, in the registry."""
    right = sentence(approved)

    with approved.registered("Approved", right.replace(*edit)):
        assert refused(approved) == [f"approval does not match: found {right.replace(*edit)}, expected {right}"]


@SWAPPED
def test_the_image_has_another_digest(approved: World) -> None:
    evidence, other = approved.evidence, f"sha256:{'0' * 64}"
    found = approved.sagemaker.describe_model_package(ModelPackageName=approved.arn)
    found["InferenceSpecification"]["Containers"][0]["Image"] = f"{evidence.image.uri.partition('@')[0]}@{other}"
    registry = Altered(approved.sagemaker, describe_model_package=lambda **_: found)

    assert approved.wrong(sagemaker=registry) == {"image"}
    assert refused(approved, sagemaker=registry)[0].startswith(
        f"image does not match: found {evidence.image.uri.partition('@')[0]}@{other}"
    )


@SWAPPED
def test_the_image_is_gone_or_is_another(approved: World) -> None:
    def gone(**_: Any) -> None:
        raise refusal("ImageNotFoundException", "no such image")

    other = {"imageDetails": [{"imageDigest": f"sha256:{'0' * 64}"}]}

    assert approved.wrong(ecr=Altered(approved.ecr, describe_images=gone)) == {"image"}
    assert approved.wrong(ecr=Altered(approved.ecr, describe_images=lambda **_: other)) == {"image"}


@SWAPPED
def test_the_pipeline_definition_is_another(approved: World) -> None:
    asked = {"PipelineExecutionArn": approved.training}
    definition = approved.sagemaker.describe_pipeline_definition_for_execution(**asked)["PipelineDefinition"]
    changed = json.dumps({**json.loads(definition), "Metadata": {}})
    other = Altered(approved.sagemaker, describe_pipeline_definition_for_execution=lambda **_: {"PipelineDefinition": changed})

    assert refused(approved, sagemaker=other) == [
        f"pipeline definition does not match: found {document.sha256(changed.encode())},"
        f" expected {approved.evidence.training.definition_sha256}"
    ]


@SWAPPED
@pytest.mark.parametrize(("fact", "thing"), [("commit", "commit"), ("data_sha256", "data")])
def test_the_registry_tells_another_origin(approved: World, fact: str, thing: str) -> None:
    found = approved.sagemaker.describe_model_package(ModelPackageName=approved.arn)
    found["CustomerMetadataProperties"][fact] = "0" * 40
    registry = Altered(approved.sagemaker, describe_model_package=lambda **_: found)

    assert approved.wrong(sagemaker=registry) == {thing}


@SWAPPED
def test_the_model_package_points_elsewhere(approved: World) -> None:
    found = approved.sagemaker.describe_model_package(ModelPackageName=approved.arn)
    found["InferenceSpecification"]["Containers"][0]["ModelDataUrl"] = f"{approved.artifacts}/elsewhere/model.tar.gz"
    registry = Altered(approved.sagemaker, describe_model_package=lambda **_: found)

    assert approved.wrong(sagemaker=registry) == {"model artifact", "report"}


@NOT_THEIRS
def test_who_signs_evidence_writes_an_approval_of_their_own(approved: World, staged: World) -> None:
    """The first environment's stage may write the pack, and sign with the evidence key: beside the evidence, or into it."""
    staged.prove()
    about = {"model_package_arn": staged.arn, "evidence_sha256": document.sha256(staged.read(staged.uri))}
    decision = approved.approval.model_copy(update=about)
    pack.write_signed(staged.s3, staged.signer, staged.approval_uri, document.canonical(decision))
    unsigned = f"approval does not match: found none that {staged.releaser.key} made for {staged.approval_uri}, expected valid"
    assert unsigned in refused(staged)

    planted = document.with_approval(staged.evidence, decision)
    with staged.signed(staged.signer, approval=planted.approval), staged.holding(staged.approval_uri, None):
        assert (
            f"approval does not match: found in {staged.uri}, signed with {staged.signer.key}, expected signed with {staged.releaser.key}"
        ) in refused(staged)
        with staged.registered("Approved", document.approval_sentence(planted)):  # which that stage may not write
            assert "approval" in staged.wrong()


@NOT_THEIRS
def test_who_signs_evidence_writes_the_approval_that_was_given_into_it(approved: World) -> None:
    """What it says is true, but it is not the file that the approver was shown."""
    planted, shown = document.with_approval(approved.evidence, approved.approval), approved.approval.evidence_sha256

    with approved.signed(approved.signer, approval=planted.approval):
        found = document.sha256(document.canonical(planted))
        assert refused(approved) == [f"approval does not match: found {shown}, expected {found}"]


@NOT_THEIRS
def test_evidence_is_signed_with_the_key_of_decisions(approved: World) -> None:
    with approved.signed(approved.releaser):
        why = f"signature does not match: found none that {approved.signer.key} made for {approved.uri}, expected valid"
        assert refused(approved) == [why]


@STALE
@pytest.mark.parametrize(
    "changes", [{"execution": OLDER}, {"model_package_arn": f"{sample.ARN}/6"}, {"commit": "d" * 40}, {"evidence_sha256": "ab" * 32}]
)
def test_an_approval_that_was_rightly_signed_for_something_else_is_replayed(approved: World, changes: dict[str, str]) -> None:
    (found,) = changes.values()

    with approved.decided(approved.releaser, **changes):
        assert any(line.startswith(f"approval does not match: found {found}, expected ") for line in refused(approved))


@STALE
def test_the_whole_decision_about_another_version_is_replayed(approved: World, staged: World) -> None:
    """With its signature and its attestation, all of them rightly made."""
    staged.prove()
    for name in pack.DECISION:
        pack.write(staged.s3, pack.beside(staged.uri, name), approved.read(pack.beside(approved.uri, name)))

    told = refused(staged, releaser=approved.releaser)
    assert f"approval does not match: found {approved.arn}, expected {staged.arn}" in told
    assert any(line.startswith("attestation does not match: found other statements at ") for line in told)


@EDITED
@pytest.mark.parametrize("name", [pack.ATTESTATIONS, pack.APPROVAL_ATTESTATION])
def test_an_attestation_is_of_another_key_of_another_document_or_gone(approved: World, name: str) -> None:
    uri = pack.beside(approved.uri, name)
    due = approved.signer if name == pack.ATTESTATIONS else approved.releaser
    said = envelope.unseal(due, approved.read(uri), name)

    with approved.holding(uri, envelope.seal(approved.stranger, said)):
        assert refused(approved)[0].startswith(f"attestation does not match: found {uri}, line 1: no signature that {due.key} made for it")
    with approved.holding(uri, envelope.seal(due, [{**statement, "subject": []} for statement in said])):
        assert refused(approved)[0].startswith(f"attestation does not match: found other statements at {uri}")
    with approved.holding(uri, None):
        assert refused(approved)[0].startswith(f"attestation does not match: found nothing at {uri}")
    assert approved.wrong() == set()
