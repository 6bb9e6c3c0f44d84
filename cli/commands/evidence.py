"""`road evidence`: what is known of one version, brought here, shown, and on request compared with everything that it binds."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cli import output, packs, target
from cli.output import say
from cli.problem import Problem
from cli.tree import relative, typed_path
from pipelines.deployment.compare_evidence import Comparison
from pipelines.evidence import pack


def evidence(
    model: target.Model,
    *,
    version: Annotated[int | None, typer.Option("--version", metavar="N", help="Which version; the newest without it.", min=1)] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Write the pack there.", parser=typed_path)] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Check the signature, and every digest against the thing itself.")] = False,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open the page in a browser.")] = False,
    json: output.Json = False,
    where: target.Wanted = None,
) -> None:
    """Show the evidence of a version. Brings its pack here and, on a terminal, opens its page."""
    known = target.model(model)
    registry = target.choose(where).registry(known)
    brought, folder = packs.bring(registry, version, out)
    checks = packs.check(registry, brought) if verify else []
    compared = [{**asdict(comparison), "matches": comparison.matches} for comparison in checks]
    machine = {"folder": str(folder), "source": brought.folder, "checks": compared, **brought.evidence.model_dump(mode="json")}
    rows = {**packs.summary(brought.evidence), "pack": brought.folder, "page": f"{relative(folder)}/{pack.PAGE}"}
    output.show(Group(output.table(rows), _verdicts(checks)), machine, json=json)
    genuine = packs.page_is_genuine(registry, brought)
    if not genuine:
        say(f"{pack.PAGE} is not what this version of the road makes of signed evidence: another version made it, or somebody changed it")
    if wrong := [comparison.line() for comparison in checks if not comparison.matches]:
        failure = Problem(f"evidence of {known.name} version {brought.version}", "; ".join(wrong), packs.CHANGED)
        raise typer.Exit(1) if json else failure
    if genuine and not (no_open or json or verify) and output.has_screen():
        webbrowser.open((folder / pack.PAGE).resolve().as_uri())


def _verdicts(checks: Sequence[Comparison]) -> Table:
    grid = Table.grid(padding=(0, 2))
    for check in checks:
        mark = Text("matches", "green") if check.matches else Text("DIFFERS", "bold red")
        found = check.found if check.matches else f"found {check.found}, expected {check.expected}"
        grid.add_row(mark, check.what, Text(found, overflow="fold"))
    return grid
