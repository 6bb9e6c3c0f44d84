"""Entries of the ledger, as they are written now, and as 0.1.0 wrote them."""

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
    """Add an entry about the world's package to the ledger, in the way of 0.1.0; where it lies."""
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
    return write_old(world.s3, signer or world.releaser, world.artifacts, entry)


def write_old(s3: Any, signer: Signer, artifacts: str, entry: LedgerEntry) -> str:
    """Add an entry to the ledger in the way of 0.1.0: named after its time and execution, and bound to no other; where it lies."""
    stamp = entry.time.replace("-", "").replace(":", "")
    uri = f"{artifacts}/{naming.LEDGER}/{entry.environment}/{stamp}-{entry.execution}.json"
    pack.write_signed(s3, signer, uri, document.canonical(entry))
    return uri


def wipe(s3: Any, artifacts: str, prefix: str) -> None:
    """As if nothing had ever lain there, which nobody without this very permission can do."""
    bucket = artifacts.removeprefix("s3://")
    listed = s3.list_object_versions(Bucket=bucket, Prefix=prefix)
    for item in (*listed.get("Versions", []), *listed.get("DeleteMarkers", [])):
        s3.delete_object(Bucket=bucket, Key=item["Key"], VersionId=item["VersionId"], BypassGovernanceRetention=True)
