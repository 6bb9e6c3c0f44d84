"""`road data put`: data sets are stored under the hash of their content, and a pointer says which one trains next."""

from __future__ import annotations

import json as encoder
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import ClientError

from cli import datafile, output, target, workshop
from cli.datafile import DataFile
from cli.output import say
from config import CONFIG

app = typer.Typer(help="A model's data sets.")


@app.command()
def put(
    model: target.Model,
    csv: Annotated[Path, typer.Argument(metavar="CSV", help="A file with a header; columns in any order.")],
    *,
    json: output.Json = False,
    where: target.Wanted = None,
) -> None:
    """Check a data set, store it by its content, and make it the one that the next push trains on."""
    known = target.model(model)
    checked = datafile.check(csv, known)
    pointer = store(target.choose(where), known.name, checked)
    output.show(f"{pointer['uri']} ({checked.rows} rows) is what {known.name} trains on from the next push", pointer, json=json)


def store(aws: target.Target, model: str, file: DataFile) -> dict[str, Any]:
    """Upload the file unless its content is there already, and point to it. Returns the pointer: uri, sha256, rows, bytes."""
    ssm, s3 = aws.client("ssm"), aws.client("s3")
    bucket = workshop.fact(aws, model, "data-bucket")
    key = f"data/{file.sha256}/data.csv"
    if _size(s3, bucket, key) == file.bytes:
        say("this content is stored already")
    else:
        s3.upload_file(str(file.path), bucket, key)
    pointer = {"uri": f"s3://{bucket}/{key}", "sha256": file.sha256, "rows": file.rows, "bytes": file.bytes}
    ssm.put_parameter(Name=CONFIG.parameter(model, "data"), Value=encoder.dumps(pointer), Type="String", Overwrite=True)
    return pointer


def _size(s3: Any, bucket: str, key: str) -> int | None:
    try:
        return int(s3.head_object(Bucket=bucket, Key=key)["ContentLength"])
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NotFound"):
            return None
        raise
