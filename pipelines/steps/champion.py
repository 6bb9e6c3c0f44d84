"""Says which version the next one is compared with: the one that the ledger names last.

The ledger is believed only where its signature holds: whoever could choose the champion could choose a weak one.
"""

from __future__ import annotations

from typing import Any

import boto3

from pipelines.evidence import pack
from pipelines.evidence.document import LedgerEntry
from pipelines.evidence.signature import Signer
from pipelines.steps import ledger, package
from pipelines.steps.step import StepError, parser, print_exports, progress, run


def newest(s3: Any, signer: Signer, artifacts: str, environment: str) -> LedgerEntry | None:
    """What an environment's ledger names last; None where there is nothing in it. `artifacts` is `s3://bucket`.

    Raises:
        StepError: the entry cannot be trusted.
    """
    uris = list(pack.ledger_entries(s3, artifacts, environment))
    return ledger.trusted(s3, signer, uris[-1], environment) if uris else None


def exports(entry: LedgerEntry | None, sagemaker: Any) -> dict[str, str]:
    """The champion as the training pipeline takes it: its package, image and `model.tar.gz`; empty where there is none.

    Raises:
        StepError: the registry and the ledger name different images.
    """
    if entry is None:
        return dict.fromkeys(("CHAMPION_ARN", "CHAMPION_IMAGE_URI", "CHAMPION_MODEL_URI"), "")
    version = package.read(sagemaker, entry.model_package_arn)
    if version.image != entry.image_uri:
        raise StepError(f"{version.arn}: the registry has image {version.image}, the ledger {entry.image_uri}: find out which was changed")
    return {"CHAMPION_ARN": version.arn, "CHAMPION_IMAGE_URI": version.image, "CHAMPION_MODEL_URI": version.data}


def main() -> None:
    """Print CHAMPION_ARN, CHAMPION_IMAGE_URI and CHAMPION_MODEL_URI as shell variables."""
    arguments = parser(__doc__)
    arguments.add_argument("--bucket", required=True, help="the artifacts bucket, which holds the ledger")
    arguments.add_argument("--environment", required=True, help="whose newest version is the champion")
    arguments.add_argument("--evidence-key", required=True, help="the KMS key that signs the ledger")
    given = arguments.parse_args()
    signer = Signer(kms=boto3.client("kms"), key=given.evidence_key)
    entry = newest(boto3.client("s3"), signer, f"s3://{given.bucket}", given.environment)
    found = exports(entry, boto3.client("sagemaker"))
    progress(
        f"champion: {entry.model_package_arn}, since {entry.time}" if entry else f"no champion: {given.environment} has served nothing yet"
    )
    print_exports(found)


if __name__ == "__main__":
    run(main, "champion")
