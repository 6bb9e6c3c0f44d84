"""`road monitor`: the look at what an endpoint was asked and what it answered, now instead of at the schedule's next turn."""

from __future__ import annotations

import webbrowser
from typing import Annotated

import typer

from cli import monitoring, output, target
from cli.progress import Progress


def monitor(
    model: target.Model,
    *,
    last: Annotated[bool, typer.Option("--last", help="Show what the newest finished run found, and start none.")] = False,
    environment: target.InEnvironment = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open the page in a browser.")] = False,
    json: output.Json = False,
    where: target.Wanted = None,
) -> None:
    """Run the monitor now, show what moved, and bring its page here. Drift is a finding, not a failure."""
    known, place = target.model(model), target.environment(environment)
    aws = target.choose(where)
    if last:
        look = monitoring.newest(aws, known, place)
    else:
        with Progress() as progress, progress.step("look at what was captured") as step:
            look = monitoring.run(aws, known, place, step)
    output.show(look.view(), look.as_dict(), json=json)
    if output.has_screen() and not (no_open or json):
        webbrowser.open((look.folder / monitoring.PAGE).resolve().as_uri())
