"""Rows of a data set on their way to a live endpoint, as callers would send them, each with an inference id."""

from __future__ import annotations

import itertools
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

import naming
from cli import labels, queue, rows
from cli.endpoint import named
from cli.rows import Row
from cli.target import Target
from config import CONFIG, Environment
from paved_runtime import protocol
from paved_runtime.protocol import Score
from paved_runtime.spec import ModelSpec
from pipelines.deployment import load
from pipelines.deployment.endpoint import JSON, Unanswered
from pipelines.deployment.errors import code
from pipelines.deployment.load import Load
from pipelines.deployment.queue import Queue, Refused, Unfinished

if TYPE_CHECKING:
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """`batch` rows are in a request. Inference ids begin with `id`, so that no two traffics share one."""

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
        return f"{self.id}-{number}", json.dumps({"instances": [rows.request(row, self.model) for row in part]})

    def ids(self) -> list[str]:
        """Every row's own id: the request's, and in a request of many rows its place behind that."""
        places = [(number // self.batch, number % self.batch) for number in range(len(self.rows))]
        return [f"{self.id}-{request}" + (f"/{place}" if self.batch > 1 else "") for request, place in places]

    def labels(self, file: Path) -> Path:
        """Write what came of each row, as `road labels put` takes it."""
        target = self.model.data.target
        named = [dict(zip(labels.HEADER, (own, row[target]), strict=True)) for own, row in zip(self.ids(), self.rows, strict=True)]
        return rows.write(file, named)


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What came of a traffic. `scores` are those of the rows that were answered; of several `classes`, a list of theirs each."""

    endpoint: str
    load: Load
    rows: int
    scores: Sequence[Score]
    classes: Sequence[str] = ()

    @property
    def mean(self) -> float | dict[str, float] | None:
        """The mean score, of several classes that of each; None where no row was answered."""
        if not self.scores:
            return None
        columns = zip(*(score if isinstance(score, list) else [score] for score in self.scores), strict=True)
        means = [fmean(column) for column in columns]
        return dict(zip(self.classes, means, strict=True)) if self.classes else means[0]

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        failures = sorted(set(self.load.failures))
        return {"endpoint": self.endpoint, "rows": self.rows, **self.load.as_json(), "mean_score": self.mean, "failures": failures}

    def lines(self) -> dict[str, str]:
        """For a person."""
        facts = self.as_dict()
        return {
            "endpoint": self.endpoint,
            "requests": f"{facts['requests']} with {self.rows} rows in {facts['seconds']:.1f} s, {facts['errors']} failed",
            "latency": f"p50 {facts['p50_ms']:.1f} ms, p95 {facts['p95_ms']:.1f} ms, p99 {facts['p99_ms']:.1f} ms",
            "mean score": _written(facts["mean_score"]),
            **({"failures": "; ".join(facts["failures"])} if facts["failures"] else {}),
        }


def send(aws: Target, place: Environment, traffic: Traffic, *, rate: float) -> Sent:
    """Send a traffic at `rate` requests a second; returns after the last answer."""
    runtime, endpoint = aws.session(place.account).client("sagemaker-runtime"), naming.endpoint(CONFIG, traffic.model.name, place)
    scores: list[list[Score]] = [[] for _ in range(traffic.requests)]
    waiting, asked = queue.of(aws, traffic.model, place), named(traffic.model, place)

    def ask(number: int) -> None:
        own, body = traffic.request(number)
        scores[number] = _queued(waiting, own, body) if waiting else _scores(runtime, asked, own, body)

    driven = load.drive(ask, rate=rate, seconds=traffic.requests / rate)
    return Sent(
        endpoint=endpoint, load=driven, rows=len(traffic.rows), scores=list(itertools.chain(*scores)), classes=traffic.model.data.classes
    )


def _written(mean: float | dict[str, float] | None) -> str:
    if isinstance(mean, dict):
        return ", ".join(f"{name} {score:.4f}" for name, score in mean.items())
    return "none" if mean is None else f"{mean:.4f}"


def _queued(waiting: Queue, own: str, body: str) -> list[Score]:
    """The same of an endpoint whose requests wait."""
    try:
        return protocol.scores(json.loads(waiting.answer(body.encode(), own, ContentType=JSON, Accept=JSON)))
    except Refused as error:
        raise Unanswered(f"status {error.status}" if error.status else "refused") from error
    except Unfinished as error:
        raise Unanswered(str(error)) from error


def _scores(runtime: SageMakerRuntimeClient, endpoint: dict[str, Any], own: str, body: str) -> list[Score]:
    """The scores of one request's rows. Raises Unanswered when the container refused it or failed."""
    try:
        answer = runtime.invoke_endpoint(**endpoint, ContentType=JSON, Accept=JSON, InferenceId=own, Body=body)["Body"].read()
    except ClientError as error:
        if code(error) != "ModelError":
            raise
        raise Unanswered(f"status {error.response.get('OriginalStatusCode', '?')}") from error
    return protocol.scores(json.loads(answer))
