"""`road invoke`: one request to a live endpoint, as any client of SageMaker would send it."""

from __future__ import annotations

import json as encoder
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import ClientError

from cli import output, reasons, target
from cli.problem import Problem
from config import CONFIG

JSON, CSV = "application/json", "text/csv"
File = Path | None


def invoke(
    model: target.Model,
    *,
    environment: Annotated[str, typer.Option(metavar="NAME", help="Which environment's endpoint.")] = CONFIG.environments[-1].name,
    json_file: Annotated[File, typer.Option(metavar="FILE", help='JSON: {"instances": [{…}, …]}, or one object.')] = None,
    csv_file: Annotated[File, typer.Option(metavar="FILE", help="CSV without a header, columns in the order of model.toml.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say why: what each column adds to a row's score. Rows as JSON only.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the endpoint's own JSON, with --explain too.")] = False,
    where: target.Wanted = None,
) -> None:
    """Score rows with a live endpoint and print its answer. Without a file, reads JSON or CSV from standard input."""
    known, place = target.model(model), target.environment(environment)
    body, content_type = _request(json_file, csv_file)
    if explain:
        body, content_type = reasons.asking(body), JSON
    aws = target.choose(where)
    runtime = aws.client("sagemaker-runtime", place.account)
    answer = ask(runtime, CONFIG.name(known.name, place.name), body, content_type)
    if explain and not json:
        output.draw(reasons.tables(encoder.loads(answer)), output.facts)
    else:
        print(answer)


def ask(runtime: Any, endpoint: str, body: bytes, content_type: str) -> str:
    """The endpoint's answer. Raises Problem with the container's own words when it refused."""
    try:
        answer = runtime.invoke_endpoint(EndpointName=endpoint, Body=body, ContentType=content_type, Accept=content_type)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ModelError":
            raise
        status = error.response.get("OriginalStatusCode", "an error")
        why = _reason(str(error.response.get("OriginalMessage") or error.response["Error"]["Message"]))
        raise Problem(f"endpoint {endpoint} answered {status}", why, "correct the request") from error
    return str(answer["Body"].read().decode())


def _reason(body: str) -> str:
    """The words of the runtime's `{"error": …}`; anything else as it is."""
    try:
        return str(encoder.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return body


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
