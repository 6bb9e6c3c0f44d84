"""What the evidence and the approval say, as in-toto statements: the form that verifiers read who know nothing of this road.

Nothing new is said here. Each statement follows from the document beside it, so that whoever has one can make the other and compare.
"""

from __future__ import annotations

from typing import Any

from pipelines.evidence.document import ApprovalRecord, Evidence
from pipelines.evidence.envelope import Statement

TYPE = "https://in-toto.io/Statement/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
VERIFICATION_SUMMARY = "https://slsa.dev/verification_summary/v1"
LEVEL = "APPROVED_BY_A_PERSON"  # of no track of SLSA's: the road claims none of its levels
Json = dict[str, Any]


def of_evidence(evidence: Evidence) -> list[Statement]:
    """How the model came to be, and which tests it passed."""
    return [_provenance(evidence), _test_result(evidence)]


def of_approval(evidence: Evidence, approval: ApprovalRecord, evidence_uri: str) -> list[Statement]:
    """That somebody held the model against its evidence, and let it through."""
    return [
        _statement(
            evidence,
            VERIFICATION_SUMMARY,
            {
                "verifier": {"id": approval.by},
                "timeVerified": approval.time,
                "resourceUri": approval.model_package_arn,
                "policy": {"uri": evidence_uri, "digest": {"sha256": approval.evidence_sha256}},
                "verificationResult": "PASSED",
                "verifiedLevels": [LEVEL],
            },
        )
    ]


def _provenance(evidence: Evidence) -> Statement:
    """The training pipeline is the template of the build, the delivery pipeline what ran it."""
    template = evidence.training.execution_arn.partition("/execution/")[0]
    _, partition, _, region, account, _ = template.split(":", 5)
    builder = f"arn:{partition}:codepipeline:{region}:{account}:{evidence.delivery.pipeline}"
    definition = {
        "buildType": template,
        "externalParameters": {"model": evidence.model, "commit": evidence.commit.id, "data": evidence.data.uri},
        "internalParameters": {"cause": evidence.delivery.cause, "trainingExecution": evidence.training.execution_arn},
        "resolvedDependencies": [
            _resource("source", gitCommit=evidence.trained_commit),
            *([_resource("delivered source", gitCommit=evidence.commit.id)] if evidence.reuse else []),
            _resource("data", uri=evidence.data.uri, sha256=evidence.data.sha256),
            _resource("pipeline definition", uri=evidence.training.execution_arn, sha256=evidence.training.definition_sha256),
            _image(evidence),
        ],
    }
    run = {
        "builder": {"id": builder},
        "metadata": {"invocationId": evidence.delivery.execution},
        "byproducts": [
            _resource("report", uri=evidence.report.uri, sha256=evidence.report.sha256),
            _resource("bill of materials", sha256=evidence.image.sbom_sha256),
        ],
    }
    return _statement(evidence, PROVENANCE, {"buildDefinition": definition, "runDetails": run})


def _test_result(evidence: Evidence) -> Statement:
    """Every gate that judged. What was reported only has neither passed nor failed, and is left to the evidence."""
    names: dict[bool, list[str]] = {True: [], False: []}
    for verdict in evidence.verdicts:
        if verdict.passed is not None:
            names[verdict.passed].append(f"{verdict.gate}: {verdict.subject}")
    result = {
        "result": "FAILED" if names[False] else "PASSED",
        "configuration": [_resource("model.toml", gitCommit=evidence.commit.id)],
        "passedTests": names[True],
        "warnedTests": [],
        "failedTests": names[False],
    }
    return _statement(evidence, TEST_RESULT, result)


def _statement(evidence: Evidence, predicate_type: str, predicate: Json) -> Statement:
    model = _resource("model.tar.gz", uri=evidence.artifact.uri, sha256=evidence.artifact.sha256)
    return {"_type": TYPE, "subject": [model, _image(evidence)], "predicateType": predicate_type, "predicate": predicate}


def _image(evidence: Evidence) -> Json:
    return _resource(evidence.image.uri.partition("@")[0], sha256=evidence.image.digest.removeprefix("sha256:"))


def _resource(name: str, *, uri: str = "", **digest: str) -> Json:
    """A resource descriptor."""
    return {"name": name, **({"uri": uri} if uri else {}), "digest": digest}
