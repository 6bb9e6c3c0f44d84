"""What served when, and who let it in: signed entries, each of which has the digest of the one before. The ledger is only added to.

An entry is believed where its signature holds, where it lies in the ledger of its own environment, and where it follows upon the one before
it. What was written twice, deleted or left out is found by whoever reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pipelines.deployment import signatures
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.registry import Registry
from pipelines.evidence import document, pack
from pipelines.evidence.document import DocumentError, Evidence, LedgerEntry
from pipelines.evidence.pack import Lock
from pipelines.evidence.signature import verify_offline

ATTEMPTS = 20  # to be the next one; more than so many do not write to a ledger at once
RECENT = 50  # entries among which an execution looks for what it has written before
YEAR = timedelta(days=365)


def entries(registry: Registry, environment: str) -> list[LedgerEntry]:
    """An environment's ledger, oldest first.

    Raises:
        DeploymentError: one of the entries cannot be trusted.
    """
    read = list(records(registry, environment))
    if doubtful := [f"{record.uri}: {record.doubt}" for record in read if record.doubt]:
        raise DeploymentError(f"{doubtful[0]}: no version is trusted: find out who wrote the entry")
    return [record.entry for record in read if record.entry]


def newest(registry: Registry, environment: str) -> LedgerEntry | None:
    """The version that an environment's ledger names last as a good one; None where there is none in it.

    Raises:
        DeploymentError: an entry cannot be trusted.
    """
    served = [entry for entry in entries(registry, environment) if entry.serves]
    return served[-1] if served else None


@dataclass(frozen=True, kw_only=True)
class Record:
    """An object of the ledger: `entry` is None where it is none, and `doubt` says why it cannot be trusted, empty where it can."""

    uri: str
    entry: LedgerEntry | None
    doubt: str


def records(registry: Registry, environment: str) -> Iterator[Record]:
    """Everything that an environment's ledger has or had, oldest first, with what is wrong with it."""
    key, previous = "", b""
    for number, (uri, times) in enumerate(pack.ledger_objects(registry.s3, registry.artifacts, environment).items(), start=1):
        key = key or registry.release_signer.public_key()
        content = pack.read(registry.s3, uri)
        signature = pack.read(registry.s3, pack.signature_of(uri, content)) if content is not None else None
        entry, doubt = _parsed(content or b"")
        if content is None:
            doubt = "it was deleted"
        elif not _signed(registry, key, uri, content, signature):
            doubt = f"found no signature that {registry.release_signer.key} made for it"
        elif entry and (entry.model, entry.environment) != (registry.model.name, environment):
            doubt = f"found an entry of {entry.model} in {entry.environment}"
        elif entry and entry.number:
            doubt = doubt or _out_of_line(entry, number, previous) or ("it was written more than once" if times > 1 else "")
        yield Record(uri=uri, entry=entry, doubt=doubt)
        previous = content or b""


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


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """An entry as it stands in the ledger, and where."""

    uri: str
    entry: LedgerEntry


def record(registry: Registry, new: LedgerEntry) -> Recorded:
    """Add an entry, unless it is what this execution has added last.

    Raises:
        DeploymentError: somebody else was faster every time.
    """
    for _ in range(ATTEMPTS):
        uris = list(pack.ledger_objects(registry.s3, registry.artifacts, new.environment))
        contents = {uri: pack.read(registry.s3, uri) or b"" for uri in uris[-RECENT:]}
        if written := _written(contents, new):
            return written
        last = document.sha256(contents[uris[-1]]) if uris else None
        chained = new.model_copy(update={"number": len(uris) + 1, "previous_sha256": last})
        uri = pack.ledger_entry(registry.artifacts, new.environment, len(uris) + 1)
        if pack.append(registry.s3, registry.release_signer, uri, document.canonical(chained), _lock(registry)):
            return Recorded(uri=uri, entry=chained)
    raise DeploymentError(f"ledger of {new.model} in {new.environment}: others wrote to it {ATTEMPTS} times at once: run it again")


def _written(contents: Mapping[str, bytes], new: LedgerEntry) -> Recorded | None:
    """The newest entry of an execution, if it says the same as `new`, whenever it was written."""
    for uri, content in reversed(list(contents.items())):
        known, _ = _parsed(content)
        if known and known.execution == new.execution:
            own = {"time": known.time, "number": known.number, "previous_sha256": known.previous_sha256}
            return Recorded(uri=uri, entry=known) if known == new.model_copy(update=own) else None
    return None


def _signed(registry: Registry, release_key: str, uri: str, content: bytes, signature: bytes | None) -> bool:
    """Whether the release key (PEM) signed an entry, or the evidence key did when there was no other."""
    if signature is None:
        return False
    return verify_offline(release_key, content, signature.decode(errors="replace")) or signatures.decided(registry, uri, content)


def _lock(registry: Registry) -> Lock:
    config = registry.config
    return Lock(mode=config.ledger_lock, until=datetime.now(UTC) + config.ledger_years * YEAR)


def _parsed(content: bytes) -> tuple[LedgerEntry | None, str]:
    try:
        return document.load_entry(content), ""
    except DocumentError as error:
        return None, str(error)


def _out_of_line(entry: LedgerEntry, number: int, previous: bytes) -> str:
    """How an entry does not follow upon the one before it; empty where it does."""
    if entry.number != number:
        return f"it is the {number}. entry and says that it is the {entry.number}."
    expected = document.sha256(previous) if number > 1 else None
    return "" if entry.previous_sha256 == expected else "it does not follow upon the entry before it: that one was changed"
