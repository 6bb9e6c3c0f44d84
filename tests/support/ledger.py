"""Entries of the ledger."""

from __future__ import annotations

from typing import Any

import naming
from pipelines.deployment import ledger, package
from pipelines.evidence import document, pack
from pipelines.evidence.document import LedgerEntry
from pipelines.evidence.signature import Signer
from tests.reference import CONFIG, MODEL
from tests.support import sample
from tests.support.world import World

PRODUCTION = CONFIG.environments[-1]
ENDPOINT = naming.endpoint(CONFIG, MODEL, PRODUCTION)
VERIFIED = {"endpoint": ENDPOINT, "endpoint_config": "LiveConfig-1", "model_package_arn": f"{sample.ARN}/7"}


def ledger_entry(**changes: Any) -> LedgerEntry:
    """The entry of the sample's deployment."""
    known = {"environment": PRODUCTION.name, "execution": "e-1", "time": "2026-11-21T10:00:00Z", **changes}
    return ledger.entry(sample.approved(), VERIFIED, **known)


def write_entry(world: World, time: str, *, signer: Signer | None = None, **changes: Any) -> str:
    """Add an entry about the world's package to the ledger; where it lies."""
    content = {
        "version": 1,
        "action": "deployed",
        "model": MODEL,
        "environment": PRODUCTION.name,
        "time": time,
        "execution": "11111111-2222-3333-4444-555555555555",
        "model_package_arn": world.arn,
        "evidence_sha256": "e" * 64,
        "commit": "c" * 40,
        "data_sha256": "d" * 64,
        "image_uri": package.read(world.sagemaker, world.arn).image,
        "endpoint": ENDPOINT,
        "endpoint_config": "config-1",
        "approved_by": "ada",
        "reason": "better",
    }
    entry = document.parse(LedgerEntry, {**content, **changes}, "ledger entry")
    uri = pack.ledger_entry(world.artifacts, entry)
    pack.write_signed(world.s3, signer or world.releaser, uri, document.canonical(entry))
    return uri
