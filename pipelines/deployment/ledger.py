"""What served when, and who let it in: one signed entry a deployment. The ledger is only added to.

An entry is believed where its signature holds and where it lies in the ledger of its own environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines.deployment import signatures
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.registry import Registry
from pipelines.evidence import document, pack
from pipelines.evidence.document import DocumentError, Evidence, LedgerEntry


def entries(registry: Registry, environment: str) -> list[LedgerEntry]:
    """An environment's ledger, oldest first.

    Raises:
        DeploymentError: one of the entries cannot be trusted.
    """
    return [_trusted(registry, uri, environment) for uri in pack.ledger_entries(registry.s3, registry.artifacts, environment)]


def newest(registry: Registry, environment: str) -> LedgerEntry | None:
    """What an environment's ledger names last; None where there is nothing in it.

    Raises:
        DeploymentError: the entry cannot be trusted.
    """
    uris = list(pack.ledger_entries(registry.s3, registry.artifacts, environment))
    return _trusted(registry, uris[-1], environment) if uris else None


def entry(evidence: Evidence, verified: Mapping[str, Any], *, environment: str, execution: str, time: str) -> LedgerEntry:
    """What the ledger says of a deployment; `verified` is the report of verify.

    Raises:
        DeploymentError: verify looked at another model package.
        DocumentError: its report is not what it should be.
    """
    if verified.get("model_package_arn") != evidence.model_package_arn:
        raise DeploymentError(
            f"verify looked at {verified.get('model_package_arn')}, the evidence is of {evidence.model_package_arn}: nothing was recorded:"
            " deploy and verify this one"
        )
    approval = evidence.approval
    content = {
        "version": 1,
        "action": "deployed",
        "model": evidence.model,
        "environment": environment,
        "time": time,
        "execution": execution,
        "model_package_arn": evidence.model_package_arn,
        "evidence_sha256": document.shown_sha256(evidence),
        "commit": evidence.commit.id,
        "data_sha256": evidence.data.sha256,
        "image_uri": evidence.image.uri,
        "endpoint": verified.get("endpoint"),
        "endpoint_config": verified.get("endpoint_config"),
        "approved_by": approval.by if approval else "",
        "reason": approval.reason if approval else "",
    }
    return document.parse(LedgerEntry, content, "ledger entry")


def record(registry: Registry, new: LedgerEntry) -> str:
    """Add an entry, unless this execution has added the same one already; where it lies."""
    s3, signer, artifacts = registry.s3, registry.release_signer, registry.artifacts
    for uri in pack.ledger_entries(s3, artifacts, new.environment):
        content = pack.read(s3, uri) if uri.endswith(f"-{new.execution}.json") else None
        if content and content == document.canonical(new.model_copy(update={"time": document.load_entry(content).time})):
            pack.write_signed(s3, signer, uri, content)
            return uri
    uri = pack.ledger_entry(artifacts, new)
    pack.add_signed(s3, signer, uri, document.canonical(new))
    return uri


def _trusted(registry: Registry, uri: str, environment: str) -> LedgerEntry:
    """One entry.

    Raises:
        DeploymentError: it is not signed by this key, is no entry, or is of another environment.
    """
    content = pack.read(registry.s3, uri)
    if content is None or not signatures.decided(registry, uri, content):
        why = f"found no signature that {registry.release_signer.key} made for it"
        raise DeploymentError(f"{uri}: {why}: no version is trusted: find out who wrote the entry")
    try:
        trusted = document.load_entry(content)
    except DocumentError as error:
        raise DeploymentError(f"{uri}: {error}: no version is trusted: find out who wrote the entry") from error
    if trusted.environment != environment:
        raise DeploymentError(f"{uri}: found an entry of {trusted.environment}: no version is trusted: find out who moved the entry")
    return trusted
