"""Signs and publishes the evidence of one candidate.

Run again, it gives the same document with the same digest, so that what a person was asked to approve stays what it was.
"""

from __future__ import annotations

from datetime import UTC, datetime

from pipelines.deployment import approval as approvals
from pipelines.deployment import signatures
from pipelines.deployment.candidate import Candidate, gather
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.registry import Registry
from pipelines.evidence import document, pack
from pipelines.evidence.document import Approval, DocumentError, Evidence


def prove(registry: Registry, candidate: Candidate) -> Evidence:
    """Gather, settle and publish the evidence of one candidate.

    Raises:
        DeploymentError: something is missing, malformed or contradictory; nothing was signed then.
    """
    uri = pack.evidence_uri(registry.artifacts, candidate.model_package_arn)
    try:
        new = gather(registry, candidate, created=document.utc(datetime.now(UTC)))
        content = pack.read(registry.s3, uri)
        existing = document.load_evidence(content) if content else None
        signed = content is not None and signatures.measured(registry, uri, content)
        approval = approvals.standing(registry, candidate.model_package_arn)
        evidence = settled(existing, new, signed=signed, approval=approval)
        registry.press.publish(evidence, approval)
    except DocumentError as error:
        raise DeploymentError(f"{error}: nothing was signed: correct what wrote that, and push again") from error
    return evidence


def settled(existing: Evidence | None, new: Evidence, *, signed: bool, approval: Approval | None) -> Evidence:
    """The evidence to publish: what is there when it says the same, with its time. `approval` is the one whose signature holds.

    Evidence of 0.1.0 holds its approval, which is kept where the signature holds.

    Raises:
        DeploymentError: what is there was approved and says something else.
    """
    if existing is None:
        return new
    if document.without_approval(existing) == new.model_copy(update={"created": existing.created}):
        return existing if signed else document.without_approval(existing)
    if approval := approval or (existing.approval if signed else None):
        raise DeploymentError(
            f"{existing.model_package_arn}: other evidence of it was approved by {approval.by} at {approval.time}:"
            " an approval is for what was shown: push again for a new candidate"
        )
    return new
