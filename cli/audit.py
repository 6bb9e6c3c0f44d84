"""`road audit`: what served when, let in by whom and why, out of which code and data. Read from the ledger, entry by signed entry."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from cli import output, target, workshop
from cli.problem import Problem
from config import CONFIG
from pipelines.evidence import document, pack, page
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
        known = self.entry.model_dump(mode="json") if self.entry else {}
        return {
            "served_from": _since(self.uri),
            "served_to": self.until or None,
            "signature_valid": not self.doubt,
            "doubt": self.doubt,
        } | {
            "uri": self.uri,
            "model_package_version": _version(self.entry),
            **known,
        }


def audit(
    model: target.Model,
    *,
    environment: Annotated[str, typer.Option(metavar="NAME", help="Which environment's history.")] = CONFIG.environments[-1].name,
    json: output.Json = False,
    where: target.Wanted = None,
) -> None:
    """Print what served: when, which version, approved or brought back by whom and why, on which code and data. Newest first."""
    known, place = target.model(model).name, target.environment(environment).name
    found = history(target.choose(where), known, place)
    output.show(view(found), [served.as_dict() for served in found], json=json)
    if doubtful := [f"{served.uri.rpartition('/')[2]}: {served.doubt}" for served in found if served.doubt]:
        failure = Problem(f"ledger of {known} in {place}", "; ".join(doubtful), "find out who wrote or changed it")
        raise typer.Exit(1) if json else failure


def history(aws: target.Target, model: str, environment: str) -> list[Served]:
    """What the environment has served, newest first. Raises Problem when nothing was ever deployed there."""
    s3 = aws.client("s3")
    uris = list(pack.ledger_entries(s3, workshop.artifacts(aws, model), environment))
    if not uris:
        raise Problem(f"ledger of {model}", f"nothing was deployed to {environment} yet", f"./road status {model}")
    key = workshop.signer(aws, model).public_key()
    return list(reversed(list(_told(s3, key, uris, model, environment))))


def view(found: Sequence[Served]) -> Table:
    """For a person: no line is longer than 100 columns; digests are shortened."""
    table = Table(box=None, padding=(0, 2, 1, 0), pad_edge=False)
    for name, width in (("served", WHEN), ("version", WHICH), ("made of", WHAT), ("approved", WHO), ("signature", 9)):
        table.add_column(name, width=width, overflow="fold")
    for served in found:
        table.add_row(*_row(served))
    return table


def _told(s3: Any, key: str, uris: Sequence[str], model: str, environment: str) -> Iterator[Served]:
    """Every entry, oldest first, with what is wrong with it."""
    for uri, later in zip(uris, [*uris[1:], ""], strict=True):
        content, signature = pack.read(s3, uri) or b"", pack.read(s3, f"{uri}.sig")
        entry, doubt = _entry(content)
        if signature is None:
            doubt = "no signature"
        elif not verify_offline(key, content, signature.decode(errors="replace")):
            doubt = "the signature does not hold"
        elif entry and (entry.model, entry.environment) != (model, environment):
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
    return [when, Text(f"{_version(entry)}\n{entry.action}{left}"), Text(made_of), Text(page.legible(who)), signature]


def _version(entry: LedgerEntry | None) -> str:
    return pack.group_and_version(entry.model_package_arn)[1] if entry else ""


def _since(uri: str) -> str:
    """When an entry was written, as its name says: entries sort by it. A name without a time is told as it is."""
    name = uri.rpartition("/")[2]
    found = re.match(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-", name)
    return "{}-{}-{}T{}:{}:{}Z".format(*found.groups()) if found else name


def _minutes(time: str) -> str:
    return time[:16].replace("T", " ") if time.endswith("Z") else time
