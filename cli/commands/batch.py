"""`road batch`: whole files of rows, scored by the version that an environment has."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import batches, output, target
from cli.batches import S3
from cli.output import say
from cli.problem import Problem
from cli.tree import BATCHES, typed_path

Rows = Annotated[
    str | None, typer.Option("--input", metavar="PATH", help="A file of rows (CSV, JSON Lines, Parquet), a folder of such, or s3://… .")
]
Results = Annotated[str | None, typer.Option("--output", metavar="FOLDER", help="Where results go, here or on s3://… .")]
Again = Annotated[str | None, typer.Option("--resume", metavar="ID", help="Have the batch of that execution go on, which failed.")]
Runs = Annotated[bool, typer.Option("--list", help="Show the newest batches, and start none.")]


def batch(
    model: target.Model,
    *,
    rows: Rows = None,
    results: Results = None,
    environment: target.InEnvironment = None,
    resume: Again = None,
    runs: Runs = False,
    json: output.Json = False,
    where: target.Wanted = None,
) -> None:
    """Score files of rows: each row once, all by one version, which the manifest beside the results names.

    A row that breaks the contract gets a reason instead of a score. Files here are uploaded, and results are copied here.
    """
    if (rows is not None) + (resume is not None) + runs != 1:
        raise Problem("road batch", "it takes one of --input, --resume and --list", "./road batch --help", code=2)
    known, place = target.model(model), target.environment(environment)
    aws = target.choose(where)
    scoring, table = batches.enter(aws, known, place)
    if runs:
        newest = batches.recent(scoring)
        output.show(batches.view(newest), newest, json=json)
        return
    if rows is not None:
        copy = batches.target_of(table, results)
        arn = scoring.start(batches.rows(scoring, table, rows, typed_path(rows)), copy)
    else:
        arn = batches.again(scoring, str(resume))
    execution = arn.rpartition("/")[2]
    say(f"batch {execution} in {place.name}")
    run = batches.follow(aws, scoring, arn)
    own = BATCHES / known.name / place.name / execution
    folder = None if results and results.startswith(S3) else typed_path(results) if results else own
    scored = batches.bring(scoring, run, folder)
    output.show(scored.view(), scored.as_dict(), json=json)
