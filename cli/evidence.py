"""`road evidence`: what is known of one version, brought here, shown, and on request compared with everything that it binds."""

from __future__ import annotations

import webbrowser
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cli import output, target, workshop
from cli.output import say
from cli.problem import Problem
from cli.tree import PACKS, relative
from config import CONFIG
from pipelines.evidence import document, pack, page, setback
from pipelines.evidence.document import DocumentError, Evidence
from pipelines.steps import check_evidence
from pipelines.steps.check_evidence import Clients, Comparison
from pipelines.steps.step import StepError

BROUGHT = (*pack.FILES, *setback.FILES)  # what says why a version was rolled back is there only if it was
CHANGED = "find out what changed it; nothing that it is about should be deployed"


@dataclass(frozen=True, kw_only=True)
class Pack:
    """One version's pack as it lies in `folder`, an S3 URI without a slash at its end. `files` has the content by name."""

    folder: str
    files: Mapping[str, bytes]
    evidence: Evidence

    @property
    def version(self) -> str:
        """The model package's version."""
        return pack.group_and_version(self.evidence.model_package_arn)[1]


def evidence(
    model: target.Model,
    *,
    version: Annotated[int | None, typer.Option("--version", metavar="N", help="Which version; the newest without it.", min=1)] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Write the pack there.")] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Check the signature, and every digest against the thing itself.")] = False,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open the page in a browser.")] = False,
    json: output.Json = False,
    where: target.Wanted = None,
) -> None:
    """Show the evidence of a version: brings its pack here and, on a terminal, opens its page."""
    known = target.model(model).name
    aws = target.choose(where)
    found, saved = bring(aws, known, version, out)
    checks = check(aws, known, found) if verify else []
    told = [{**asdict(one), "matches": one.matches} for one in checks]
    machine = {"folder": str(saved), "source": found.folder, "checks": told, **found.evidence.model_dump(mode="json")}
    rows = {**summary(found.evidence), "pack": found.folder, "page": f"{relative(saved)}/{pack.PAGE}"}
    output.show(Group(table(rows), _verdicts(checks)), machine, json=json)
    genuine = page_is_genuine(aws, known, found)
    if not genuine:
        say(f"{pack.PAGE} is not what this version of the road makes of signed evidence: another version made it, or somebody changed it")
    if wrong := [one.line() for one in checks if not one.matches]:
        failure = Problem(f"evidence of {known} version {found.version}", "; ".join(wrong), CHANGED)
        raise typer.Exit(1) if json else failure
    if genuine and not (no_open or json or verify) and output.has_screen():
        webbrowser.open((saved / pack.PAGE).resolve().as_uri())


def bring(aws: target.Target, model: str, version: int | None = None, out: Path | None = None) -> tuple[Pack, Path]:
    """Read a pack and write it to a folder here. Raises Problem when there is none that can be read."""
    found = read(aws, model, version)
    return found, save(found, out or PACKS / model / found.version)


def read(aws: target.Target, model: str, version: int | None) -> Pack:
    """The pack of a version, or the newest one.

    Raises:
        Problem: there is none, or its document is not what its schema says, or is about something else.
    """
    s3, group = aws.client("s3"), CONFIG.name(model)
    home = f"{workshop.artifacts(aws, model)}/evidence/{group}"
    there = _versions(s3, home)
    if not there:
        raise Problem(f"evidence of {model}", "there is none yet: a version gets it in the first environment", "./road push, ./road status")
    if version is not None and version not in there:
        which = ", ".join(map(str, there))
        raise Problem(
            f"evidence of {model} version {version}", f"there is none: there is evidence of version {which}", "name one: --version N"
        )
    folder = f"{home}/{version or there[-1]}"
    files = {name: content for name in BROUGHT if (content := pack.read(s3, f"{folder}/{name}")) is not None}
    if pack.EVIDENCE not in files:
        raise Problem(f"{folder}/{pack.EVIDENCE}", "it is not there", CHANGED)
    try:
        found = document.load_evidence(files[pack.EVIDENCE])
    except DocumentError as error:
        raise Problem(folder, str(error), CHANGED) from error
    if (group, folder.rpartition("/")[2]) != pack.group_and_version(found.model_package_arn):
        raise Problem(folder, f"it holds the evidence of {found.model_package_arn}", CHANGED)
    return Pack(folder=folder, files=files, evidence=found)


def save(found: Pack, folder: Path) -> Path:
    """Write the pack's files; what lies there of another pack goes. Returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in BROUGHT:
        (folder / name).unlink(missing_ok=True)
    for name, content in found.files.items():
        (folder / name).write_bytes(content)
    return folder


def check(aws: target.Target, model: str, found: Pack) -> list[Comparison]:
    """Everything that the pack binds, compared with the things themselves. Before a decision, there is no approval to compare."""
    clients = Clients(s3=aws.client("s3"), sagemaker=aws.client("sagemaker"), ecr=aws.client("ecr"), signer=workshop.signer(aws, model))
    try:
        compared = check_evidence.compare(clients, found.evidence.model_package_arn, pack.bucket_of(found.folder))
    except StepError as error:
        raise Problem(f"evidence of {model} version {found.version}", str(error), CHANGED) from error
    decided = [one for one in compared if one.what != "approval" or found.evidence.approval]
    return [*decided, _copy(clients.s3, found)]


def page_is_genuine(aws: target.Target, model: str, found: Pack) -> bool:
    """Whether the page in the pack is the one that follows from signed evidence and from the report that it binds."""
    signature = found.files.get(pack.SIGNATURE, b"").decode(errors="replace")
    if not workshop.signer(aws, model).verify(found.files[pack.EVIDENCE], signature):
        return False
    report = _report(aws.client("s3"), found.evidence)
    return report is not None and page.render(found.evidence, report).encode() == found.files.get(pack.PAGE)


def summary(found: Evidence) -> dict[str, str]:
    """The evidence in a few lines, for a person."""
    gates = [verdict for verdict in found.verdicts if verdict.passed is not None]
    failed = [verdict.line() for verdict in gates if not verdict.passed]
    given, load = found.approval, found.staging.load
    return {
        "model package": found.model_package_arn,
        "commit": f"{found.commit.id}  {found.commit.message.strip().partition(chr(10))[0]}",
        "author": f"{found.commit.author}, {found.commit.date}",
        "data": found.data.uri,
        "data sha256": found.data.sha256,
        "image": found.image.uri,
        "gates": f"{len(gates) - len(failed)} passed, {len(failed)} failed, {len(found.verdicts) - len(gates)} reported, not judged",
        **{f"failed {number}": line for number, line in enumerate(failed, start=1)},
        **{name: f"{metric.value:.4f}" for name, metric in page.metrics(found.evaluation.metrics).values()},
        "champion": _champion(found),
        "staging": f"p50 {load.p50_ms:.1f} ms, p99 {load.p99_ms:.1f} ms, {load.errors} errors in {load.requests} requests",
        "approval": f"{given.status} by {given.by}, {given.time}: {given.reason}" if given else "not yet",
        "evidence sha256": document.shown_sha256(found),
    }


def table(rows: Mapping[str, str]) -> Table:
    """Names and what is known, below each other."""
    grid = Table.grid(padding=(0, 2))
    for name, value in rows.items():
        grid.add_row(Text(name, "dim"), Text(page.legible(value), overflow="fold"))
    return grid


def _champion(found: Evidence) -> str:
    champion = found.evaluation.champion
    if champion is None:
        return "none yet: floors alone decide"
    version = f"version {pack.group_and_version(champion.model_package_arn)[1]}"
    if champion.difference is None:
        return f"{version}, not compared: {champion.why}"
    difference = champion.difference
    said = f"{version}; ROC AUC {difference.value:+.4f}, from {difference.low:+.4f} to {difference.high:+.4f}"
    return said if champion.compared else f"{said}; not judged: {champion.why}"


def _report(s3: Any, found: Evidence) -> dict[str, Any] | None:
    """The report that the evidence binds, out of the archive that training left; None where that is something else by now."""
    archive = pack.read(s3, found.report.uri) or b""
    if document.sha256(archive) != found.report.sha256:
        return None
    try:
        return pack.json_member(archive, pack.REPORT, found.report.uri)
    except DocumentError:
        return None


def _copy(s3: Any, found: Pack) -> Comparison:
    """The pack's copy of the report."""
    same = "what the evidence binds"
    try:
        copied = document.read_json(found.files.get(pack.REPORT, b""), pack.REPORT)
    except DocumentError as error:
        return Comparison(what="report", expected=same, found=str(error))
    return Comparison(what="report", expected=same, found=same if copied == _report(s3, found.evidence) else "something else")


def _verdicts(checks: Sequence[Comparison]) -> Table:
    grid = Table.grid(padding=(0, 2))
    for one in checks:
        mark = Text("matches", "green") if one.matches else Text("DIFFERS", "bold red")
        grid.add_row(mark, one.what, Text(one.found if one.matches else f"found {one.found}, expected {one.expected}", overflow="fold"))
    return grid


def _versions(s3: Any, home: str) -> list[int]:
    """The versions that have evidence, oldest first. A deployment that was taken back leaves files of its own where there may be none."""
    bucket, _, prefix = home.removeprefix("s3://").partition("/")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
    keys = [PurePosixPath(entry["Key"]) for part in pages for entry in part.get("Contents", [])]
    return sorted(int(key.parent.name) for key in keys if key.name == pack.EVIDENCE and key.parent.name.isdecimal())
