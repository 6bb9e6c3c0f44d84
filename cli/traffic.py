"""`road traffic`: rows of a data set sent to a live endpoint, as callers would, and on request as the world may become."""

from __future__ import annotations

import itertools
import json as encoder
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import ClientError

from cli import datafile, evidence, output, rows, shift, target
from cli.output import say
from cli.problem import Problem
from cli.rows import Row
from config import CONFIG, Environment
from model_code.spec import ModelSpec
from pipelines.steps import load
from pipelines.steps.endpoint import JSON, Unanswered
from pipelines.steps.load import Load
from pipelines.steps.step import code

LABELS = ("inference_id", "label")


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Rows on their way to an endpoint, `batch` of them in a request. Inference ids begin with `id`, so that no two traffics share one."""

    model: ModelSpec
    rows: Sequence[Row]
    batch: int = 1
    id: str = field(default_factory=lambda: secrets.token_hex(6))

    @property
    def requests(self) -> int:
        """How many requests it takes."""
        return -(-len(self.rows) // self.batch)

    def request(self, number: int) -> tuple[str, str]:
        """The inference id and the body of one request."""
        part = self.rows[number * self.batch : (number + 1) * self.batch]
        return f"{self.id}-{number}", encoder.dumps({"instances": [rows.request(row, self.model) for row in part]})

    def ids(self) -> list[str]:
        """Every row's own id: the request's, and in a request of many rows its place behind that."""
        places = [(number // self.batch, number % self.batch) for number in range(len(self.rows))]
        return [f"{self.id}-{request}" + (f"/{place}" if self.batch > 1 else "") for request, place in places]

    def labels(self, file: Path) -> Path:
        """Write what came of each row, as `road labels put` takes it."""
        target_column = self.model.data.target
        named = [dict(zip(LABELS, (own, row[target_column]), strict=True)) for own, row in zip(self.ids(), self.rows, strict=True)]
        return rows.write(file, named)


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What came of a traffic. `scores` are those of the rows that were answered."""

    endpoint: str
    load: Load
    rows: int
    scores: Sequence[float]

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        mean = sum(self.scores) / len(self.scores) if self.scores else None
        failures = sorted(set(self.load.failures))
        return {"endpoint": self.endpoint, "rows": self.rows, **self.load.as_json(), "mean_score": mean, "failures": failures}

    def lines(self) -> dict[str, str]:
        """For a person."""
        told = self.as_dict()
        return {
            "endpoint": self.endpoint,
            "requests": f"{told['requests']} with {self.rows} rows in {told['seconds']:.1f} s, {told['errors']} failed",
            "latency": f"p50 {told['p50_ms']:.1f} ms, p95 {told['p95_ms']:.1f} ms, p99 {told['p99_ms']:.1f} ms",
            "mean score": "none" if told["mean_score"] is None else f"{told['mean_score']:.4f}",
            **({"failures": "; ".join(told["failures"])} if told["failures"] else {}),
        }


def traffic(
    model: target.Model,
    *,
    data: Annotated[Path, typer.Option("--data", metavar="CSV", help="A data set of this model; its rows are sent in their order.")],
    shifts: Annotated[
        list[str] | None,
        typer.Option(
            "--shift",
            metavar="COLUMN=CHANGE",
            help="Change a column first: age=+10, balance=*1.5, contact=cellular, default=yes:0.4, balance=:0.3. Can be given often.",
        ),
    ] = None,
    count: Annotated[
        int | None, typer.Option("--rows", metavar="N", help="So many rows, from the first again where the file ends.", min=1)
    ] = None,
    rate: Annotated[float, typer.Option(metavar="N", help="Requests a second.", min=0.1, max=1000)] = 50,
    batch: Annotated[int, typer.Option(metavar="N", help="Rows in a request.", min=1, max=1000)] = 1,
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write what came of each row, by inference id, for ./road labels put.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Chooses the rows that a share of a shift falls on.")] = 0,
    environment: Annotated[str, typer.Option(metavar="NAME", help="Which environment's endpoint.")] = CONFIG.environments[-1].name,
    json: output.Json = False,
    where: target.Wanted = None,
) -> None:
    """Send a data set's rows to a live endpoint at a fixed rate, each with an inference id."""
    known, place = target.model(model), target.environment(environment)
    wanted = [shift.parse(text, known) for text in shifts or []]
    chosen = _take(rows.read(datafile.check(data, known).path), count)
    going = Traffic(model=known, rows=shift.apply(wanted, chosen, seed), batch=batch)
    aws = target.choose(where)
    sent = send(aws, place, going, rate=rate)
    if labels:
        say(f"labels: ./road labels put {model} {going.labels(labels)}")
    output.show(evidence.table(sent.lines()), sent.as_dict(), json=json)
    if not sent.scores:
        raise Problem(f"endpoint {sent.endpoint}", f"it answered nothing: {sent.load.failures[0]}", f"./road logs {model}, ./road status")


def send(aws: target.Target, place: Environment, going: Traffic, *, rate: float) -> Sent:
    """Send a traffic at `rate` requests a second; returns after the last answer."""
    runtime, endpoint = aws.client("sagemaker-runtime", place.account), CONFIG.name(going.model.name, place.name)
    scores: list[list[float]] = [[] for _ in range(going.requests)]

    def ask(number: int) -> None:
        own, body = going.request(number)
        scores[number] = _scores(runtime, endpoint, own, body)

    found = load.drive(ask, rate=rate, seconds=going.requests / rate)
    return Sent(endpoint=endpoint, load=found, rows=len(going.rows), scores=list(itertools.chain(*scores)))


def _scores(runtime: Any, endpoint: str, own: str, body: str) -> list[float]:
    """The scores of one request's rows. Raises Unanswered when the container refused it or failed."""
    try:
        answer = runtime.invoke_endpoint(EndpointName=endpoint, ContentType=JSON, Accept=JSON, InferenceId=own, Body=body)["Body"].read()
    except ClientError as error:
        if code(error) != "ModelError":
            raise
        raise Unanswered(f"status {error.response.get('OriginalStatusCode', '?')}") from error
    return [float(prediction["score"]) for prediction in encoder.loads(answer)["predictions"]]


def _take(known: Sequence[Row], count: int | None) -> list[Row]:
    return list(itertools.islice(itertools.cycle(known), len(known) if count is None else count))
