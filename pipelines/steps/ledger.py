"""What served when, as far as it can be trusted: entries that are signed, and are about the environment in whose ledger they lie."""

from __future__ import annotations

from typing import Any

from pipelines.evidence import document, pack
from pipelines.evidence.document import DocumentError, LedgerEntry
from pipelines.evidence.signature import Signer
from pipelines.steps.step import StepError


def entries(s3: Any, signer: Signer, artifacts: str, environment: str) -> list[LedgerEntry]:
    """An environment's ledger, oldest first. `artifacts` is `s3://bucket`.

    Raises:
        StepError: one of the entries cannot be trusted.
    """
    return [trusted(s3, signer, uri, environment) for uri in pack.ledger_entries(s3, artifacts, environment)]


def trusted(s3: Any, signer: Signer, uri: str, environment: str) -> LedgerEntry:
    """One entry.

    Raises:
        StepError: it is not signed by this key, is no entry, or is of another environment.
    """
    content = pack.read(s3, uri)
    if content is None or not pack.signed(s3, signer, uri, content):
        raise StepError(f"{uri}: found no signature that {signer.key} made for it: no version is trusted: find out who wrote the entry")
    try:
        entry = document.load_entry(content)
    except DocumentError as error:
        raise StepError(f"{uri}: {error}: no version is trusted: find out who wrote the entry") from error
    if entry.environment != environment:
        raise StepError(f"{uri}: found an entry of {entry.environment}: no version is trusted: find out who moved the entry")
    return entry
