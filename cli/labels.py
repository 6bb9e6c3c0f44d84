"""`road labels put`: what became of scored rows, often long after the score. The monitor joins it with what was captured."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from cli import output, target
from cli.problem import Problem
from cli.target import Target
from cli.traffic import LABELS
from config import CONFIG, Environment
from model_code.spec import ModelSpec

app = typer.Typer(help="What became of scored rows.")


@dataclass(frozen=True, kw_only=True)
class Labels:
    """A file of labels that may be uploaded. `positive` counts the rows with the outcome that the score is about."""

    path: str
    rows: int
    positive: int
    sha256: str


@app.command()
def put(
    model: target.Model,
    csv: Annotated[Path, typer.Argument(metavar="CSV", help="A file with the header inference_id,label.")],
    *,
    environment: Annotated[str, typer.Option(metavar="NAME", help="Whose endpoint gave the scores.")] = CONFIG.environments[-1].name,
    json: output.Json = False,
    where: target.Wanted = None,
) -> None:
    """Store labels for the monitor. Rows of one request are `<inference id>/0`, `/1`, …; a label stored later replaces an earlier one."""
    known, place = target.model(model), target.environment(environment)
    found = check(csv, known)
    uri = store(target.choose(where), known, place, found)
    human = f"{found.rows} labels, {found.positive} of them {known.data.positive!r}, are in {uri}: ./road monitor {model} uses them"
    output.show(human, {**asdict(found), "uri": uri}, json=json)


def check(path: Path, model: ModelSpec) -> Labels:
    """Read the whole file. Raises Problem: it is missing or empty, or names the first line that is wrong."""
    if not path.is_file():
        raise Problem(f"label file {path}", "there is no such file", f"name a CSV file with the header {','.join(LABELS)}")
    try:
        given = dict(_lines(path, model))
    except (csv.Error, UnicodeDecodeError) as error:
        raise _wrong(path, f"not CSV in UTF-8 ({error})") from error
    if not given:
        raise _wrong(path, "there are no labels in it")
    others = sorted(set(given.values()) - {model.data.positive})
    if len(others) > 1:
        raise _wrong(path, f"expected {model.data.positive!r} and one other label, found {', '.join(map(repr, others[:3]))}")
    positive = sum(label == model.data.positive for label in given.values())
    return Labels(path=str(path), rows=len(given), positive=positive, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def store(aws: Target, model: ModelSpec, place: Environment, labels: Labels) -> str:
    """Upload a file of labels under its digest: the same file twice is stored once. Returns its URI."""
    bucket, key = capture_bucket(aws, model.name, place), f"labels/{labels.sha256}.csv"
    aws.client("s3", place.account).upload_file(labels.path, bucket, key)
    return f"s3://{bucket}/{key}"


def capture_bucket(aws: Target, model: str, place: Environment) -> str:
    """The bucket of what an environment's endpoint captured. Raises Problem when nothing serves there."""
    ssm, name = aws.client("ssm", place.account), CONFIG.parameter(model, f"{place.name}/capture-bucket")
    try:
        return str(ssm.get_parameter(Name=name)["Parameter"]["Value"])
    except ssm.exceptions.ParameterNotFound as error:
        raise Problem(f"{model} in {place.name}", "it is not deployed there yet", "./road push, ./road status") from error


def _lines(path: Path, model: ModelSpec) -> Iterator[tuple[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as stream:
        lines = csv.reader(stream, strict=True)
        if tuple(next(lines, [])) != LABELS:
            raise _wrong(path, f"expected the header {','.join(LABELS)}")
        seen: dict[str, tuple[int, str]] = {}
        for number, line in enumerate(lines, start=1):
            if len(line) != 2 or not all(line):
                raise _wrong(path, f"row {number}: expected an inference id and a label of {model.name}, found {','.join(line)[:40]!r}")
            before, label = seen.setdefault(line[0], (number, line[1]))
            if label != line[1]:
                raise _wrong(path, f"row {number}: inference id {line[0]!r} has another label in row {before}")
            yield line[0], line[1]


def _wrong(path: Path, why: str) -> Problem:
    return Problem(f"label file {path}", why, "correct the file")
