"""Envelopes and statements, as the specifications of DSSE, in-toto and SLSA have them, read by nothing of ours."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pipelines.evidence import document, envelope, pack, statements
from pipelines.evidence.document import DocumentError
from tests.support import sample
from tests.support.world import World

TYPE = "application/vnd.in-toto+json"
Json = dict[str, Any]


def opened(world: World, name: str, key: str) -> list[Json]:
    """The payloads of a file's envelopes, each verified with the public key alone."""
    public = serialization.load_pem_public_key(world.read(pack.beside(world.uri, key)))
    assert isinstance(public, ec.EllipticCurvePublicKey)
    payloads = []
    for line in world.read(pack.beside(world.uri, name)).splitlines():
        sealed = json.loads(line)
        payload, (signature,) = base64.b64decode(sealed["payload"]), sealed["signatures"]
        encoded = b"DSSEv1 %d %b %d %b" % (len(TYPE), TYPE.encode(), len(payload), payload)
        public.verify(base64.b64decode(signature["sig"]), encoded, ec.ECDSA(hashes.SHA256()))
        assert (sealed.keys(), sealed["payloadType"]) == ({"payload", "payloadType", "signatures"}, TYPE)
        payloads.append(json.loads(payload))
    return payloads


def test_what_was_measured_is_attested_with_the_evidence_key(approved: World) -> None:
    provenance, tests = opened(approved, pack.ATTESTATIONS, pack.PUBLIC_KEY)
    evidence = approved.evidence
    subject = [
        {"name": "model.tar.gz", "uri": evidence.artifact.uri, "digest": {"sha256": evidence.artifact.sha256}},
        {"name": evidence.image.uri.partition("@")[0], "digest": {"sha256": evidence.image.digest.partition(":")[2]}},
    ]

    assert provenance["_type"] == tests["_type"] == "https://in-toto.io/Statement/v1"
    assert provenance["subject"] == tests["subject"] == subject
    assert (provenance["predicateType"], tests["predicateType"]) == (
        "https://slsa.dev/provenance/v1",
        "https://in-toto.io/attestation/test-result/v0.1",
    )
    with pytest.raises(InvalidSignature):
        opened(approved, pack.ATTESTATIONS, pack.RELEASE_KEY)


def test_the_provenance_says_what_the_model_was_made_of_and_by_whom(approved: World) -> None:
    predicate, evidence = opened(approved, pack.ATTESTATIONS, pack.PUBLIC_KEY)[0]["predicate"], approved.evidence
    definition, run = predicate["buildDefinition"], predicate["runDetails"]
    digests = {resource["name"]: resource["digest"] for resource in definition["resolvedDependencies"]}

    assert predicate.keys() == {"buildDefinition", "runDetails"}
    assert definition.keys() == {"buildType", "externalParameters", "internalParameters", "resolvedDependencies"}
    assert definition["externalParameters"] == {"model": evidence.model, "commit": evidence.commit.id, "data": evidence.data.uri}
    assert digests == {
        "source": {"gitCommit": evidence.commit.id},
        "data": {"sha256": evidence.data.sha256},
        "pipeline definition": {"sha256": evidence.training.definition_sha256},
        evidence.image.uri.partition("@")[0]: {"sha256": evidence.image.digest.partition(":")[2]},
    }
    assert run["builder"]["id"].split(":")[2] == "codepipeline"
    assert run["builder"]["id"].endswith(f":{evidence.delivery.pipeline}")
    assert run["metadata"] == {"invocationId": evidence.delivery.execution}


def test_every_gate_that_judged_is_a_test(approved: World) -> None:
    predicate = opened(approved, pack.ATTESTATIONS, pack.PUBLIC_KEY)[1]["predicate"]
    judged = [verdict for verdict in approved.evidence.verdicts if verdict.passed is not None]

    assert (predicate["result"], predicate["failedTests"], predicate["warnedTests"]) == ("PASSED", [], [])
    assert predicate["passedTests"] == [f"{verdict.gate}: {verdict.subject}" for verdict in judged]
    assert predicate["configuration"] == [{"name": "model.toml", "digest": {"gitCommit": approved.evidence.commit.id}}]


def test_a_gate_that_failed_is_a_test_that_failed() -> None:
    evaluation = sample.content()["evaluation"]
    evaluation["gates"][1] |= {"passed": False}
    predicate = statements.of_evidence(sample.evidence(evaluation=evaluation))[1]["predicate"]

    assert (predicate["result"], predicate["failedTests"]) == ("FAILED", ["floor: ROC AUC"])


def test_the_approval_is_a_verification_summary_under_the_release_key(approved: World) -> None:
    (summary,) = opened(approved, pack.APPROVAL_ATTESTATION, pack.RELEASE_KEY)
    approval = approved.approval

    assert summary["predicateType"] == "https://slsa.dev/verification_summary/v1"
    assert summary["predicate"] == {
        "verifier": {"id": approval.by},
        "timeVerified": approval.time,
        "resourceUri": approved.arn,
        "policy": {"uri": approved.uri, "digest": {"sha256": document.sha256(approved.read(approved.uri))}},
        "verificationResult": "PASSED",
        "verifiedLevels": ["APPROVED_BY_A_PERSON"],
    }
    with pytest.raises(InvalidSignature):
        opened(approved, pack.APPROVAL_ATTESTATION, pack.PUBLIC_KEY)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"payload": base64.b64encode(b'{"a": 2}').decode()}, "x, line 1: no signature that arn:.* made for it"),
        ({"payload": "%"}, "x, line 1: payload: not base64"),
        ({"payloadType": "application/json"}, "x, line 1: payloadType: found 'application/json'"),
        ({"signatures": []}, "x, line 1: signatures: "),
        ({"signatures": [{"keyid": "", "sig": "bm9uZQ=="}]}, "x, line 1: no signature that arn:.* made for it"),
    ],
)
def test_an_envelope_that_was_changed_is_not_opened(approved: World, change: Json, why: str) -> None:
    sealed = json.loads(envelope.seal(approved.signer, [{"a": 1}]))

    assert envelope.unseal(approved.signer, json.dumps(sealed).encode(), "x") == [{"a": 1}]
    with pytest.raises(DocumentError, match=why):
        envelope.unseal(approved.signer, json.dumps({**sealed, **change}).encode(), "x")


def test_statements_that_lie_there_sealed_are_not_sealed_again(staged: World) -> None:
    uri = pack.beside(staged.uri, pack.ATTESTATIONS)
    envelope.keep(staged.s3, staged.signer, uri, [{"a": 1}])
    first = staged.read(uri)
    envelope.keep(staged.s3, staged.signer, uri, [{"a": 1}])
    assert staged.read(uri) == first
    envelope.keep(staged.s3, staged.releaser, uri, [{"a": 1}])
    assert envelope.unseal(staged.releaser, staged.read(uri), uri) == [{"a": 1}]
    assert staged.read(uri) != first
