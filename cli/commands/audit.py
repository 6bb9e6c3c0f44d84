"""`road audit`: what served when, let in by whom and why, out of which code and data. Read from the ledger, entry by signed entry."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from cli import output, target
from cli.problem import Problem
from paved_runtime.page import legible
from pipelines.deployment import signatures
from pipelines.deployment.registry import Registry
from pipelines.evidence import document, pack
from pipelines.evidence.document import DocumentError, LedgerEntry
from pipelines.evidence.signature import verify_offline

SHORT = 12  # characters of a digest in the table
WHEN, WHICH, WHAT, WHO = 19, 11, 19, 33  # columns; with the others a line of the table has at most 100
NOW = "now"


@dataclass(frozen=True, kw_only=True)
class Served:
    """One entry of the ledger. `until` is when the next one took over, empty while it serves; `doubt` says what is wrong with the entry."""

    uri: str
    entry: LedgerEntry | None
    until: str
    doubt: str

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "served_from": _since(self.uri),
            "served_to": self.until or None,
            "signature_valid": not self.doubt,
            "doubt": self.doubt,
            "uri": self.uri,
            "model_package_version": _version(self.entry),
            **(self.entry.model_dump(mode="json") if self.entry else {}),
        }


def audit(
    model: target.Model,
    *,
    environment: target.InEnvironment = None,
    json: output.Json = False,
    where: target.Wanted = None,
) -> None:
    """Print what served when, and who let it in. Newest first: which version, approved or brought back why, of which code and data."""
    known, place = target.model(model), target.environment(environment).name
    served = history(target.choose(where).registry(known), place)
    output.show(view(served), [period.as_dict() for period in served], json=json)
    if doubtful := [f"{period.uri.rpartition('/')[2]}: {period.doubt}" for period in served if period.doubt]:
        failure = Problem(f"ledger of {known.name} in {place}", "; ".join(doubtful), "find out who wrote or changed it")
        raise typer.Exit(1) if json else failure


def history(registry: Registry, environment: str) -> list[Served]:
    """What the environment has served, newest first. Raises Problem when nothing was ever deployed there."""
    model = registry.model.name
    uris = list(pack.ledger_entries(registry.s3, registry.artifacts, environment))
    if not uris:
        raise Problem(f"ledger of {model}", f"nothing was deployed to {environment} yet", f"./road status {model}")
    return list(reversed(list(_periods(registry, uris, environment))))


def view(served: Sequence[Served]) -> Table:
    """For a person: no line is longer than 100 columns; digests are shortened."""
    table = Table(box=None, padding=(0, 2, 1, 0), pad_edge=False)
    for name, width in (("served", WHEN), ("version", WHICH), ("made of", WHAT), ("approved", WHO), ("signature", 9)):
        table.add_column(name, width=width, overflow="fold")
    for period in served:
        table.add_row(*_row(period))
    return table


def _periods(registry: Registry, uris: Sequence[str], environment: str) -> Iterator[Served]:
    """Every entry, oldest first, with what is wrong with it."""
    key = registry.release_signer.public_key()
    for uri, later in zip(uris, [*uris[1:], ""], strict=True):
        content, signature = pack.read(registry.s3, uri) or b"", pack.read(registry.s3, f"{uri}.sig")
        entry, doubt = _entry(content)
        if signature is None:
            doubt = "no signature"
        elif not (verify_offline(key, content, signature.decode(errors="replace")) or signatures.decided(registry, uri, content)):
            doubt = "the signature does not hold"
        elif entry and (entry.model, entry.environment) != (registry.model.name, environment):
            doubt = f"an entry of {entry.model} in {entry.environment}"
        yield Served(uri=uri, entry=entry, until=_since(later) if later else "", doubt=doubt)


def _entry(content: bytes) -> tuple[LedgerEntry | None, str]:
    try:
        return document.load_entry(content), ""
    except DocumentError as error:
        return None, str(error)


def _row(served: Served) -> list[Text]:
    entry, until = served.entry, _minutes(served.until) if served.until else NOW
    when = Text(f"{_minutes(_since(served.uri))}\nto {until}")
    signature = Text("NOT VALID" if served.doubt else "valid", "bold red" if served.doubt else "green")
    if entry is None:
        return [when, Text("?"), Text(""), Text(served.doubt), signature]
    parts = {"commit": entry.commit, "data": entry.data_sha256, "image": entry.image_uri.rpartition("sha256:")[2]}
    made_of = "\n".join(f"{name:<7}{digest[:SHORT]}" for name, digest in parts.items())
    by = entry.approved_by.rpartition(":")[2] or "no approval asked for"
    who = f"{by}\n{entry.reason}\nexecution {entry.execution[:8]}"
    left = f"\nfrom {pack.group_and_version(entry.rolled_back_from)[1]}" if entry.rolled_back_from else ""
    return [when, Text(f"{_version(entry)}\n{entry.action}{left}"), Text(made_of), Text(legible(who, lines=True)), signature]


def _version(entry: LedgerEntry | None) -> str:
    return pack.group_and_version(entry.model_package_arn)[1] if entry else ""


def _since(uri: str) -> str:
    """When an entry was written, as its name says: entries sort by it. A name without a time is told as it is."""
    name = uri.rpartition("/")[2]
    stamp = re.match(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-", name)
    return "{}-{}-{}T{}:{}:{}Z".format(*stamp.groups()) if stamp else name


def _minutes(time: str) -> str:
    return time[:16].replace("T", " ") if time.endswith("Z") else time
