"""What the approver is shown, and what nobody can approve."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest
from rich.console import Console

import naming
from cli import approvals, candidate, executions
from cli.candidate import Candidate
from cli.problem import Problem
from pipelines.evidence import document, pack
from pipelines.evidence.signature import Signer
from tests import reference
from tests.reference import MODEL
from tests.support import sample
from tests.support.code_pipeline import APPROVAL, PIPELINE, CodePipeline, Run, package
from tests.support.facts import FACTS
from tests.support.fakes import Fake
from tests.support.target import S3, FakeTarget, Kms
from tests.support.world import World

SAMPLE = sample.evidence()
URI = pack.evidence_uri(sample.ARTIFACTS, SAMPLE.model_package_arn)
EXPORTED = {"EVIDENCE_URI": URI, "EVIDENCE_SHA256": document.shown_sha256(SAMPLE)}
SIGNER = Signer(kms=Kms(), key=FACTS.evidence_key)
REGISTRY = Fake(describe_model_package=lambda **_: {"ModelApprovalStatus": "PendingManualApproval"})


def asked(content: bytes = document.canonical(SAMPLE), *, signature: str = "", version: int = 7, **exported: str) -> Candidate:
    """What the approver is shown when `content` lies where the request says."""
    s3 = S3({URI: content, f"{URI}.sig": (signature or SIGNER.sign(content)).encode()})
    pipeline = CodePipeline([Run("a", APPROVAL, version=version, evidence={**EXPORTED, **exported})])
    aws = FakeTarget(codepipeline=pipeline, sagemaker=REGISTRY, s3=s3, kms=Kms())
    return candidate.gather(aws.registry(), approvals.find(pipeline, MODEL))


def waiting(world: World) -> Candidate:
    """What the approver is shown of a candidate whose evidence lies in an AWS, with everything that it binds."""
    exported = {"EVIDENCE_URI": world.uri, "EVIDENCE_SHA256": document.sha256(world.read(world.uri))}
    pipeline = CodePipeline([Run("a", APPROVAL, arn=world.arn, evidence=exported)])
    return candidate.gather(world.registry(), approvals.find(pipeline, MODEL))


def test_the_approver_sees_the_commit_the_package_the_verdicts_and_the_evidence(staged: World) -> None:
    staged.prove()
    proof, gates = waiting(staged), reference.model().gates
    out = Console(file=io.StringIO(), width=200)
    out.print(proof.view())
    text = out.file.getvalue()  # type: ignore[attr-defined]

    proof.must_be_sound()
    assert proof.metrics == {
        "roc_auc": {"value": 0.809346, "gate": gates.roc_auc},
        "calibration_error": {"value": 0.00912, "gate": gates.calibration_error},
    }
    before = f"{naming.BUILD} Succeeded in 30 s, {naming.TRAIN} Succeeded in 30 s, Staging Succeeded in 30 s"
    assert proof.history == before
    for fact in (
        sample.COMMIT,
        staged.arn,
        "40 passed, 0 failed, 5 reported",
        staged.uri,
        document.sha256(staged.read(staged.uri)),
        "valid",
        "PendingManualApproval",
    ):
        assert fact in text
    assert f"./road evidence {MODEL} --version 1" in text
    assert json.loads(json.dumps(proof.as_dict()))["evidence"]["commit"]["id"] == sample.COMMIT


def test_nobody_can_approve_what_is_not_what_the_evidence_binds_any_more(staged: World) -> None:
    """The evidence is sound, but a thing that it binds was changed while it waited."""
    bound = staged.prove()
    for uri, what in ((bound.data.uri, "data"), (bound.artifact.uri, "model artifact"), (bound.report.uri, "report")):
        with staged.holding(uri, b"another"), pytest.raises(Problem, match=f"{what} does not match: found {document.sha256(b'another')}"):
            waiting(staged).must_be_sound()
    with staged.holding(pack.beside(staged.uri, pack.ATTESTATIONS), None), pytest.raises(Problem, match="attestation does not match"):
        waiting(staged).must_be_sound()
    waiting(staged).must_be_sound()


@pytest.mark.parametrize(
    ("proof", "why"),
    [
        (lambda: asked(EVIDENCE_URI=""), "the execution has made no evidence"),
        (lambda: asked(EVIDENCE_URI=f"{URI}.old"), f"nothing lies at {URI}.old"),
        (lambda: asked(b'{"version": 2}'), "evidence.json: version: "),
        (lambda: asked(signature="bm8="), "not valid: the evidence was changed after it was signed"),
        (lambda: asked(EVIDENCE_SHA256="ab" * 32), f"the request is about evidence {'ab' * 32}, and this is {EXPORTED['EVIDENCE_SHA256']}"),
        (lambda: asked(document.canonical(sample.approved())), "valid, but the request is about evidence"),
        (lambda: asked(version=8), f"it is about {package(7)}, not about {package(8)}"),
    ],
)
def test_nobody_can_approve_on_evidence_that_is_not_sound(proof: Callable[[], Candidate], why: str) -> None:
    with pytest.raises(Problem) as raised:
        proof().must_be_sound()
    assert why in str(raised.value)


def test_without_a_model_package_there_is_nothing_to_show() -> None:
    pipeline = CodePipeline([Run("a", naming.TRAIN)])
    with pytest.raises(Problem, match="registered no model package"):
        candidate.gather(FakeTarget(sagemaker=REGISTRY).registry(), executions.find(pipeline, PIPELINE))
