"""Signs and publishes the evidence of one candidate.

Run again, it gives the same document with the same digest, so that what a person was asked to approve stays what it was.
"""

from __future__ import annotations

from datetime import UTC, datetime

from pipelines.deployment.candidate import Candidate, gather
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.registry import Registry
from pipelines.evidence import document, pack, publish
from pipelines.evidence.document import DocumentError, Evidence


def prove(registry: Registry, candidate: Candidate) -> Evidence:
    """Gather, settle and publish the evidence of one candidate.

    Raises:
        DeploymentError: something is missing, malformed or contradictory; nothing was signed then.
    """
    s3, sagemaker, signer, artifacts = registry.s3, registry.sagemaker, registry.signer, registry.artifacts
    uri = pack.evidence_uri(artifacts, candidate.model_package_arn)
    try:
        new = gather(registry, candidate, created=document.utc(datetime.now(UTC)))
        content = pack.read(s3, uri)
        existing = document.load_evidence(content) if content else None
        signed = content is not None and pack.signed(s3, signer, uri, content)
        evidence = settled(existing, new, signed=signed)
        publish.publish(s3, sagemaker, signer, evidence, artifacts=artifacts, key=registry.facts.key)
    except DocumentError as error:
        raise DeploymentError(f"{error}: nothing was signed: correct what wrote that, and push again") from error
    return evidence


def settled(existing: Evidence | None, new: Evidence, *, signed: bool) -> Evidence:
    """The evidence to publish: what is there when it says the same, with its time and, when the signature holds, its approval.

    Raises:
        DeploymentError: what is there was approved and says something else.
    """
    if existing is None:
        return new
    if document.without_approval(existing) == new.model_copy(update={"created": existing.created}):
        return existing if signed else document.without_approval(existing)
    if existing.approval and signed:
        raise DeploymentError(
            f"{existing.model_package_arn}: other evidence of it was approved by {existing.approval.by} at {existing.approval.time}:"
            " an approval is for what was shown: push again for a new candidate"
        )
    return new
