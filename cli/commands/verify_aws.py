"""`road verify-aws`: the tests that describe AWS, run on accounts of yours, and what was seen there written down."""

from __future__ import annotations

import json as encoder
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import boto3
import typer

from cli import output
from cli.output import say
from cli.problem import Problem
from cli.processes import CORES
from cli.target import Where
from cli.tree import relative
from cli.verification import rehearsal, rows, run
from cli.verification.run import Run
from config import CONFIG, Repository

ACCOUNTS = 2
PARALLEL = 4
Paths = Annotated[list[str] | None, typer.Argument(metavar="PATH", help="Only the tests of these files; all without it.")]
Profiles = Annotated[
    list[str] | None, typer.Option("--profile", metavar="NAME", help="Credentials of an account; twice, for two accounts that must differ.")
]
Region = Annotated[str | None, typer.Option(metavar="REGION", help="Where everything is made; in the toolchain's region without it.")]
Parallel = Annotated[
    int | None, typer.Option(metavar="N", help="So many files of tests at a time, 4 without it; quotas of instances must bear it.", min=1)
]
Price = Annotated[float, typer.Option(metavar="USD", help="Of an hour of an ml.m7i.large, where you know your region's.", min=0)]
Remove = Annotated[str | None, typer.Option(metavar="RUN", help="Only take away what an earlier run made, which did not come to its end.")]
Source = Annotated[str | None, typer.Option(metavar="OWNER/NAME", help="A repository for the whole road; its tests are left out without.")]
Provider = Annotated[str, typer.Option(metavar="PROVIDER", help="Where that is hosted.")]
Connection = Annotated[str | None, typer.Option(metavar="ARN", help="A connection of the first account to it, which was authorised.")]
Remote = Annotated[
    str | None, typer.Option(metavar="URL", help="What git pushes to there: a branch of the run's own, which goes at its end.")
]
Rehearse = Annotated[Where, typer.Option("--target", metavar="local|aws", help="local rehearses it on a localcloud of its own.")]


def verify_aws(
    paths: Paths = None,
    *,
    profile: Profiles = None,
    region: Region = None,
    parallel: Parallel = None,
    instance_price: Price = 0.12,
    repository: Source = None,
    provider: Provider = Repository.provider,
    connection: Connection = None,
    remote: Remote = None,
    remove: Remove = None,
    where: Rehearse = Where.AWS,
    yes: output.Yes = False,
    json: output.Json = False,
) -> None:
    """Hold what localcloud plays against AWS itself: run the tests that describe AWS on two accounts of yours, which are best empty ones.

    Everything is made under a prefix of its own and taken away at the end, whatever becomes of the tests. docs/verified.md says afterwards
    which rows were seen, when and where. Exits with 1 where a test failed or something could not be taken away.
    """
    if remove:
        _end(run.find(remove))
        return
    road = {"id": repository, "provider": provider, "connection": connection, "remote": remote}
    with _begun(where, profile or [], region or CONFIG.toolchain.region, road) as begun:
        planned = begun.plan(paths or [])
        at_once = parallel or (PARALLEL if where is Where.AWS else CORES)
        _say(begun, planned)
        if where is Where.AWS:
            _ask(planned, at_once, instance_price, yes=yes)
        try:
            code = begun.test(paths or [], at_once)
        finally:
            left = begun.remove()
        results = begun.results()
        seen = _write(begun, begun.plan([]) if paths else planned, results, docs=where is Where.AWS)
    _report(begun, results, left, seen, json=json)
    if code or left:
        raise typer.Exit(1)


@contextmanager
def _begun(where: Where, profiles: Sequence[str], region: str, road: Mapping[str, str | None]) -> Iterator[Run]:
    if where is Where.AWS:
        yield run.begin(_accounts(profiles, region), region, repository=_repository(road))
        return
    with tempfile.TemporaryDirectory() as folder, rehearsal.accounts(Path(folder), region) as (accounts, variables, repository):
        yield run.begin(accounts, region, variables, repository=repository, **rehearsal.PACES)


def _accounts(profiles: Sequence[str], region: str) -> dict[str, str]:
    """Account numbers with their profiles. Raises Problem where they are not two."""
    known = {boto3.Session(profile_name=p, region_name=region).client("sts").get_caller_identity()["Account"]: p for p in profiles}
    if len(known) != ACCOUNTS:
        why = f"two accounts are needed, as tests reach from one into the other; --profile names {len(known)}"
        raise Problem("verify-aws", why, "--profile NAME --profile OTHER, or --target local for a rehearsal", code=2)
    return known


def _say(begun: Run, planned: Sequence[object]) -> None:
    numbers, region = " and ".join(begun.verification.accounts), begun.verification.region
    say(f"{len(planned)} tests on {numbers} in {region}, all under the prefix {begun.verification.prefix}")


def _ask(planned: Sequence[Mapping[str, Any]], at_once: int, price: float, *, yes: bool) -> None:
    hours, instances = run.estimate(planned, at_once)
    say(f"estimated: {hours:.1f} hours, and {instances * price:.2f} USD for {instances:.0f} hours of instances")
    if not yes:
        output.confirm("verify-aws", "Make and pay for this?")


def _repository(road: Mapping[str, str | None]) -> dict[str, str]:
    """Nothing where the road is left out. Raises Problem where it is named by halves."""
    named = {name: value for name, value in road.items() if value}
    if named.keys() == {"provider"}:
        return {}
    if len(named) < len(road):
        raise Problem("verify-aws", "the whole road needs --repository, --connection and --remote", "name all three, or none", code=2)
    return named


def _end(earlier: Run) -> None:
    left = earlier.remove()
    if left:
        raise Problem(f"run {earlier.verification.prefix}", f"{len(left)} things are still there: {'; '.join(left)}", "remove them by hand")
    say(f"nothing is left of run {earlier.verification.prefix}")


def _write(begun: Run, planned: list[dict[str, Any]], results: list[dict[str, Any]], *, docs: bool) -> list[str]:
    """Write the record and the table: into docs/ where AWS itself was seen, else beside the run. Returns the files."""
    known = rows.record(rows.read(), results, day=datetime.now(UTC).date(), region=begun.verification.region)
    record, table = (rows.RECORD, rows.TABLE) if docs else (begun.verification.folder / name.name for name in (rows.RECORD, rows.TABLE))
    text = rows.table(rows.TABLE.read_text(encoding="utf-8"), planned, known)
    record.write_text(encoder.dumps(known, indent=1) + "\n", encoding="utf-8")
    table.write_text(text, encoding="utf-8")
    return [relative(record), relative(table)]


def _report(begun: Run, results: list[dict[str, Any]], left: list[str], files: list[str], *, json: bool) -> None:
    failed = [each["test"] for each in results if each["outcome"] == "failed"]
    skipped = [each["test"] for each in results if each["outcome"] == "skipped"]
    passed = len({each["test"] for each in results}) - len(set(failed)) - len(set(skipped))
    lines = [f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped; written to {' and '.join(files)}"]
    lines += [f"failed: {each}" for each in failed]
    lines += [f"still there: {each}" for each in left] or ["nothing is left of it"]
    prefix = begun.verification.prefix
    if left:
        lines.append(f"try again: ./road verify-aws --remove {prefix}")
    machine = {"run": prefix, "passed": passed, "failed": failed, "skipped": skipped, "left": left, "files": files}
    output.show("\n".join(lines), machine, json=json)
