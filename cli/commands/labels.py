"""`road labels put`: what became of scored rows, for the monitor, which joins it with what was captured."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cli import labels, output, target
from cli.tree import typed_path

app = typer.Typer(help="What became of scored rows.")


@app.command()
def put(
    model: target.Model,
    csv: Annotated[Path, typer.Argument(metavar="CSV", help="A file with the header inference_id,label.", parser=typed_path)],
    *,
    environment: target.InEnvironment = None,
    json: output.Json = False,
    where: target.Wanted = None,
) -> None:
    """Store labels for the monitor. Rows of one request are `<inference id>/0`, `/1`, …; a label stored later replaces an earlier one."""
    known, place = target.model(model), target.environment(environment)
    checked = labels.check(csv, known)
    uri = labels.store(target.choose(where), known, place, checked)
    human = f"{checked.summary}, are in {uri}: ./road monitor {model} uses them"
    output.show(human, {**asdict(checked), "uri": uri}, json=json)
