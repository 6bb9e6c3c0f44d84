"""`road audit`: what served when, let in by whom and why, out of which code and data. Read from the ledger, entry by signed entry. And what
scored files of rows, read from the manifests of batches.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from cli import output, scored_rows, target
from cli.batches import enter as entered
from cli.problem import Problem
from cli.standings import place as placed
from cli.target import Target
from cli.tree import typed_path
from paved_runtime.page import legible
from pipelines.deployment import ledger, package, readback, standing
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.ledger import Record
from pipelines.deployment.live import live
from pipelines.deployment.place import Place
from pipelines.deployment.registry import Registry
from pipelines.deployment.unproven import unproven
from pipelines.evidence import pack
from pipelines.evidence.document import LedgerEntry

SHORT = 12  # characters of a digest in the table
WHEN, WHICH, WHAT, WHO = 19, 11, 19, 33  # columns; with the others a line of the table has at most 100
NOW = "now"


@dataclass(frozen=True, kw_only=True)
class Served:
    """One entry of the ledger. `until` is when the next one was written, empty for the last; `answers` are the model packages that
    requests went to until then; `doubt` says what is wrong with the entry.
    """

    uri: str
    entry: LedgerEntry | None
    until: str
    answers: tuple[str, ...]
    doubt: str

    @property
    def since(self) -> str:
        """When it was written; of what is no entry, its name."""
        return _since(self.uri, self.entry)

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "served_from": self.since,
            "served_to": self.until or None,
            "answers": list(self.answers),
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
    scored: Annotated[bool, typer.Option("--batches", help="Show which version scored which files of rows instead.")] = False,
    file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Of batches only that one: its rows, or its results.", parser=typed_path)
    ] = None,
    json: output.Json = False,
    where: target.Wanted = None,
) -> None:
    """Print what served when, and who let it in. Newest first: which versions answered, approved or brought back why, of which code and
    data. Fails where an entry cannot be trusted, the endpoint serves something else now, or a version was approved beside the road; of
    batches, where a version scored that the ledger does not know.
    """
    known, there = target.model(model), target.environment(environment)
    aws = target.choose(where)
    place = placed(aws, known, there)
    served = history(place.registry, there.name)
    if scored or file:
        _batches(aws, place, served, file, json=json)
        return
    output.show(view(served), [period.as_dict() for period in served], json=json)
    doubtful = [f"{period.uri.rpartition('/')[2]}: {period.doubt}" for period in served if period.doubt]
    doubtful += [*differences(place, served[0].answers), *(each.line() for each in unproven(place.registry))]
    if doubtful:
        raise Problem(f"ledger of {known.name} in {there.name}", "; ".join(doubtful), "find out who wrote or changed it")


def _batches(aws: Target, place: Place, served: Sequence[Served], file: Path | None, *, json: bool) -> None:
    """What scored files of rows. Raises Problem where a version did that the ledger does not know."""
    model, environment = place.model, place.environment
    batches, _ = entered(aws, model, environment)
    versions = {period.entry.model_package_arn for period in served if period.entry and not period.doubt}
    found = scored_rows.look(batches.manifests(), versions, file)
    output.show(scored_rows.view(found), [each.as_dict() for each in found], json=json)
    if doubtful := [f"{each.execution}: {each.doubt}" for each in found if each.doubt]:
        raise Problem(f"batches of {model.name} in {environment.name}", "; ".join(doubtful), "find out who deployed that version")


def history(registry: Registry, environment: str) -> list[Served]:
    """What the environment has served, newest first. Raises Problem when nothing was ever deployed there."""
    model = registry.model.name
    records = list(ledger.records(registry, environment))
    if not records:
        raise Problem(f"ledger of {model}", f"nothing was deployed to {environment} yet", f"./road status {model}")
    return list(reversed(list(_periods(records))))


def differences(place: Place, answers: Sequence[str]) -> list[str]:
    """How what the endpoint serves now differs from what its ledger says, `answers`: model packages by their ARNs."""
    said = f"the ledger says {' or '.join(answers) or 'nothing'}"
    try:
        endpoint = live(place.sagemaker, place.endpoint)
    except DeploymentError as error:
        return [str(error)]
    if endpoint is None:
        return [f"endpoint {place.endpoint} is not there, {said}"]
    if endpoint.mixed:
        return [f"{endpoint.mixture}, {said}: {standing.one_alone(place)}"]
    for arn in answers:
        if readback.made_of(endpoint.container, package.read(place.registry.sagemaker, arn)):
            return []
    what = endpoint.package or endpoint.container.get("ModelDataUrl")
    return [f"endpoint {place.endpoint} serves {what}, {said}"]


def view(served: Sequence[Served]) -> Table:
    """For a person: no line is longer than 100 columns; digests are shortened."""
    table = Table(box=None, padding=(0, 2, 1, 0), pad_edge=False)
    for name, width in (("served", WHEN), ("version", WHICH), ("made of", WHAT), ("approved", WHO), ("signature", 9)):
        table.add_column(name, width=width, overflow="fold")
    for period in served:
        table.add_row(*_row(period))
    return table


def _periods(records: Sequence[Record]) -> Iterator[Served]:
    """Every entry, oldest first. While a version is deployed, the one before answers beside it; once it is taken back, alone again."""
    before, answers = tuple[str, ...](), tuple[str, ...]()
    for record, later in zip(records, [*records[1:], None], strict=True):
        if record.entry:
            version, action = record.entry.model_package_arn, record.entry.action
            if action == "deploying":
                before = tuple(other for other in answers if other != version)
            answers = {"deploying": (*before, version), "mixed": (*before, version), "taken back": before}.get(action, (version,))
        until = _since(later.uri, later.entry) if later else ""
        yield Served(uri=record.uri, entry=record.entry, until=until, answers=answers, doubt=record.doubt)


def _row(served: Served) -> list[Text]:
    entry, until = served.entry, _minutes(served.until) if served.until else NOW
    when = Text(f"{_minutes(served.since)}\nto {until}")
    signature = Text("NOT VALID" if served.doubt else "valid", "bold red" if served.doubt else "green")
    if entry is None:
        return [when, Text("?"), Text(""), Text(served.doubt), signature]
    parts = {"commit": entry.commit, "data": entry.data_sha256, "image": entry.image_uri.rpartition("sha256:")[2]}
    made_of = "\n".join(f"{name:<7}{digest[:SHORT]}" for name, digest in parts.items())
    by = entry.approved_by.rpartition(":")[2] or "no approval asked for"
    who = f"{by}\n{entry.reason}\nexecution {entry.execution[:8]}"
    left = f"\nfrom {pack.group_and_version(entry.rolled_back_from)[1]}" if entry.rolled_back_from else ""
    numbers = [pack.group_and_version(arn)[1] for arn in served.answers]
    beside = "" if numbers == [_version(entry)] else f"\nanswers: {', '.join(numbers) or 'none'}"
    return [when, Text(f"{_version(entry)}\n{entry.action}{left}{beside}"), Text(made_of), Text(legible(who, lines=True)), signature]


def _version(entry: LedgerEntry | None) -> str:
    return pack.group_and_version(entry.model_package_arn)[1] if entry else ""


def _since(uri: str, entry: LedgerEntry | None) -> str:
    name = uri.rpartition("/")[2]
    stamp = re.match(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-", name)
    return entry.time if entry else "{}-{}-{}T{}:{}:{}Z".format(*stamp.groups()) if stamp else name


def _minutes(time: str) -> str:
    return time[:16].replace("T", " ") if time.endswith("Z") else time
