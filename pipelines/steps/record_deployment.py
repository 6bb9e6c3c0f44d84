"""Writes a deployment into the ledger, signed: what serves from now on, in which environment, and who let it in.

The ledger is the answer to "what served when". It is only added to; a step that runs again finds the entry it wrote.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3

from pipelines.evidence import document, pack
from pipelines.evidence.document import DocumentError, Evidence, LedgerEntry
from pipelines.evidence.signature import Signer
from pipelines.steps.step import StepError, parser, print_report, progress, run


def entry(evidence: Evidence, verified: Mapping[str, Any], *, environment: str, execution: str, time: str) -> LedgerEntry:
    """What the ledger says of a deployment; `verified` is the report of verify.

    Raises:
        StepError: verify looked at another model package.
        DocumentError: its report is not what it should be.
    """
    if verified.get("model_package_arn") != evidence.model_package_arn:
        raise StepError(
            f"verify looked at {verified.get('model_package_arn')}, the evidence is of {evidence.model_package_arn}: nothing was recorded:"
            " deploy and verify this one"
        )
    given = evidence.approval
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
        "approved_by": given.by if given else "",
        "reason": given.reason if given else "",
    }
    return document.parse(LedgerEntry, content, "ledger entry")


def record(s3: Any, signer: Signer, artifacts: str, new: LedgerEntry) -> str:
    """Add an entry, unless this execution has added the same one already; where it lies."""
    for uri in pack.ledger_entries(s3, artifacts, new.environment):
        content = pack.read(s3, uri) if uri.endswith(f"-{new.execution}.json") else None
        if content and content == document.canonical(new.model_copy(update={"time": document.load_entry(content).time})):
            pack.write_signed(s3, signer, uri, content)
            return uri
    uri = pack.ledger_entry(artifacts, new)
    pack.add_signed(s3, signer, uri, document.canonical(new))
    return uri


def main() -> None:
    """Record that `--model-package-arn` was deployed to `--environment`."""
    arguments = parser(__doc__)
    for flag in ("--environment", "--execution", "--model-package-arn"):
        arguments.add_argument(flag, required=True)
    arguments.add_argument("--verified", required=True, type=Path, help="the report that verify wrote")
    arguments.add_argument("--artifacts", required=True, help="s3://bucket")
    arguments.add_argument("--evidence-key", required=True, help="the KMS key that signs")
    given = arguments.parse_args()
    s3, signer = boto3.client("s3"), Signer(kms=boto3.client("kms"), key=given.evidence_key)
    uri = pack.evidence_uri(given.artifacts, given.model_package_arn)
    content = pack.read(s3, uri)
    if content is None or not pack.signed(s3, signer, uri, content):
        raise StepError(
            f"{uri}: there is no evidence with a signature that holds: nothing was recorded: deliver the model again with a push"
        )
    try:
        evidence, verified = document.load_evidence(content), json.loads(given.verified.read_bytes())
        now = document.utc(datetime.now(UTC))
        new = entry(evidence, verified, environment=given.environment, execution=given.execution, time=now)
        written = record(s3, signer, given.artifacts, new)
    except DocumentError as error:
        raise StepError(f"{error}: nothing was recorded: correct what wrote that, and retry the stage") from error
    progress(f"recorded in {written}")
    print_report({"entry": written})


if __name__ == "__main__":
    run(main, "record_deployment")
