"""`road data put`: what a model trains on from the next push."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli import data_parts, datasets, output, target
from cli.tree import typed_path

app = typer.Typer(help="A model's data sets, whatever its task.")


@app.command()
def put(
    model: target.Model,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="CSV with a header, or Parquet; columns in any order. Several are one data set, in the order in which they are named.",
            parser=typed_path,
        ),
    ],
    *,
    json: output.Json = False,
    where: target.Wanted = None,
) -> None:
    """Check a data set of one file or several, store it by its content, and make it the one that the next push trains on."""
    known = target.model(model)
    with data_parts.joined(files) as whole:
        file = datasets.check(whole, known, files)
        pointer = datasets.store(target.choose(where).registry(known), file)
    output.show(f"{pointer['uri']} ({file.rows} rows) is what {known.name} trains on from the next push", pointer, json=json)
