"""`road traffic`: rows of a data set sent to a live endpoint, as callers would, and on request as the world may become."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cli import datasets, output, rows, shift, target
from cli.output import say
from cli.problem import Problem
from cli.rows import Row
from cli.traffic import Traffic, send
from cli.tree import typed_path


def traffic(
    model: target.Model,
    *,
    data: Annotated[
        Path, typer.Option("--data", metavar="CSV", help="A data set of this model; its rows are sent in their order.", parser=typed_path)
    ],
    shifts: Annotated[
        list[str] | None,
        typer.Option(
            "--shift",
            metavar="COLUMN=CHANGE",
            help="Change a column first: +10, -10, *1.5, a value, a value:0.4 in 40 % of the rows, :0.3 empty in 30 %. Can be given often.",
        ),
    ] = None,
    count: Annotated[
        int | None, typer.Option("--rows", metavar="N", help="So many rows, from the first again where the file ends.", min=1)
    ] = None,
    rate: Annotated[float, typer.Option(metavar="N", help="Requests a second.", min=0.1, max=1000)] = 50,
    batch: Annotated[int, typer.Option(metavar="N", help="Rows in a request.", min=1, max=1000)] = 1,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write what came of each row, by inference id, for ./road labels put.", parser=typed_path),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Chooses the rows that a share of a shift falls on.")] = 0,
    environment: target.InEnvironment = None,
    json: output.Json = False,
    where: target.Wanted = None,
) -> None:
    """Send a data set's rows to a live endpoint. They leave at a fixed rate, each request with an inference id."""
    known, place = target.model(model), target.environment(environment)
    changes = [shift.parse(text, known) for text in shifts or []]
    chosen = _take(rows.read(datasets.check(data, known).path, known.data), count)
    requests = Traffic(model=known, rows=shift.apply(changes, chosen, seed), batch=batch)
    sent = send(target.choose(where), place, requests, rate=rate)
    if labels:
        say(f"labels: ./road labels put {model} {requests.labels(labels)}")
    output.show(output.table(sent.lines()), sent.as_dict(), json=json)
    if not sent.scores:
        raise Problem(f"endpoint {sent.endpoint}", f"it answered nothing: {sent.load.failures[0]}", f"./road logs {model}, ./road status")


def _take(known: Sequence[Row], count: int | None) -> list[Row]:
    return list(itertools.islice(itertools.cycle(known), len(known) if count is None else count))
