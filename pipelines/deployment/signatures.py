"""Which key a document must be signed with: the evidence key is for what was measured, the release key for what was decided and served.

Before there was a release key, the evidence key signed both. Such a document stays good, but only as long as nobody writes it again:
since when S3 has held it, and KMS the key, is what those two say, not what the document says of itself.
"""

from __future__ import annotations

from pipelines.deployment.registry import Registry
from pipelines.evidence import pack


def measured(registry: Registry, uri: str, content: bytes) -> bool:
    """Whether the evidence key signed what lies at `uri`."""
    return pack.signed(registry.s3, registry.signer, uri, content)


def decided(registry: Registry, uri: str, content: bytes) -> bool:
    """Whether the release key signed what lies at `uri`, or the evidence key did when there was no other."""
    if pack.signed(registry.s3, registry.release_signer, uri, content):
        return True
    return measured(registry, uri, content) and predates(registry, uri)


def predates(registry: Registry, uri: str) -> bool:
    """Whether S3 has held a document and its signature since before there was a release key."""
    created = registry.release_signer.created().replace(microsecond=0)  # S3 tells whole seconds
    times = [pack.stored_since(registry.s3, held) for held in (uri, f"{uri}.sig")]
    return all(time is not None and time < created for time in times)
