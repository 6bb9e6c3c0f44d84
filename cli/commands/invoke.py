"""`road invoke`: one request to a live endpoint."""

from __future__ import annotations

import json as encoder
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli import output, queue, reasons, target
from cli.endpoint import CSV, JSON, ask, ask_queue, named
from cli.problem import Problem
from cli.target import Target
from cli.tree import typed_path
from config import Environment
from paved_runtime.spec import ModelSpec

File = Path | None


def invoke(
    model: target.Model,
    *,
    environment: target.InEnvironment = None,
    json_file: Annotated[
        File, typer.Option(metavar="FILE", help='JSON: {"instances": [{…}, …]}, or one object.', parser=typed_path)
    ] = None,
    csv_file: Annotated[
        File, typer.Option(metavar="FILE", help="CSV without a header, columns in the order of model.toml.", parser=typed_path)
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say why: what each column adds to a row's score. Rows as JSON only.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the endpoint's own JSON, with --explain too.")] = False,
    where: target.Wanted = None,
) -> None:
    """Score rows with a live endpoint and print its answer. Without a file, reads JSON or CSV from standard input.

    Where requests wait in a queue, the answer is waited for.
    """
    known, place = target.model(model), target.environment(environment)
    body, content_type = _request(json_file, csv_file)
    if explain:
        body, content_type = reasons.asking(body), JSON
    score(target.choose(where), known, place, body, content_type, tables=explain and not json)


def score(aws: Target, model: ModelSpec, place: Environment, body: bytes, content_type: str, *, tables: bool) -> None:
    """Ask, and print the answer: as it is, or the reasons in it as tables."""
    if waiting := queue.of(aws, model, place):
        answer = ask_queue(waiting, body, content_type)
    else:
        runtime = aws.session(place.account).client("sagemaker-runtime")
        answer = ask(runtime, named(model, place), body, content_type)
    if tables:
        output.draw(reasons.tables(encoder.loads(answer), model), output.facts)
    else:
        print(answer)


def _request(json_file: File, csv_file: File) -> tuple[bytes, str]:
    if json_file and csv_file:
        raise Problem("invoke", "two files were given", "give --json-file or --csv-file", code=2)
    file = json_file or csv_file
    if file is None:
        body = sys.stdin.buffer.read()
        return body, JSON if body.lstrip()[:1] in (b"{", b"[") else CSV
    if not file.is_file():
        raise Problem(f"request file {file}", "there is no such file", "name a JSON or CSV file")
    return file.read_bytes(), JSON if json_file else CSV
