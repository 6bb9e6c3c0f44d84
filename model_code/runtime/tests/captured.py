"""S3, CloudWatch and SNS as far as the monitor needs them, in memory, and capture lines as SageMaker writes them."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from model_code.runtime.monitor import Services

END = datetime(2026, 11, 21, 12, tzinfo=UTC)
ENDPOINT, VARIANT, BUCKET = "paved-road-lead-scoring-production", "AllTraffic", "capture-bucket"
Row = Mapping[str, Any]


@dataclass
class S3:
    """A bucket: keys, and what lies there since when."""

    objects: dict[str, tuple[datetime, bytes]] = field(default_factory=dict)
    pages: int = 2

    def put(self, key: str, content: bytes | str, written: datetime = END) -> None:
        self.objects[key] = (written, content.encode() if isinstance(content, str) else content)

    def get_paginator(self, operation: str) -> S3:
        assert operation == "list_objects_v2"
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:  # noqa: N803 - S3's names
        assert Bucket == BUCKET
        found = [
            {"Key": key, "LastModified": written, "Size": len(content)}
            for key, (written, content) in sorted(self.objects.items())
            if key.startswith(Prefix)
        ]
        for start in range(0, len(found), self.pages):
            yield {"Contents": found[start : start + self.pages]}
        yield {}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        assert Bucket == BUCKET
        return {"Body": io.BytesIO(self.objects[Key][1])}


@dataclass
class CloudWatch:
    """What was put: name, or name and column, → value."""

    metrics: dict[str, float] = field(default_factory=dict)
    namespaces: set[str] = field(default_factory=set)

    def put_metric_data(self, *, Namespace: str, MetricData: Sequence[Any]) -> None:  # noqa: N803
        self.namespaces.add(Namespace)
        for metric in MetricData:
            columns = [dimension["Value"] for dimension in metric.get("Dimensions", [])]
            self.metrics["/".join([metric["MetricName"], *columns])] = metric["Value"]


@dataclass
class SNS:
    """What was published."""

    messages: list[dict[str, str]] = field(default_factory=list)

    def publish(self, **message: str) -> None:
        self.messages.append(message)


def services() -> Services:
    """A cloud in which nothing happened yet."""
    return Services(s3=S3(), cloudwatch=CloudWatch(), sns=SNS(), region="eu-central-1")


def key(version: str, at: datetime = END, name: str = "a.jsonl") -> str:
    """Where SageMaker puts what it captured."""
    return f"capture/{version}/{ENDPOINT}/{VARIANT}/{at:%Y/%m/%d/%H}/{name}"


def line(given: str, answer: str | None, *, encoding: str = "JSON", at: datetime | None = None, name: str | None = None) -> str:
    """One captured request."""

    def part(data: str, mode: str) -> dict[str, str]:
        kind = "application/json" if data.lstrip()[:1] in ("{", "[") else "text/csv; charset=utf-8"
        written = base64.b64encode(data.encode()).decode() if encoding == "BASE64" else data
        return {"observedContentType": kind, "mode": mode, "data": written, "encoding": encoding}

    data = {"endpointInput": part(given, "INPUT")} | ({} if answer is None else {"endpointOutput": part(answer, "OUTPUT")})
    event = {"eventId": "0-1", "inferenceTime": f"{at or END.replace(hour=11):%Y-%m-%dT%H:%M:%SZ}"} | (
        {"inferenceId": name} if name else {}
    )
    return json.dumps({"captureData": data, "eventMetadata": event, "eventVersion": "0"}) + "\n"


def asked(rows: Sequence[Row], scores: Sequence[float], **event: Any) -> str:
    """A captured request in JSON: one bare row, or several as instances."""
    given = rows[0] if len(rows) == 1 else {"instances": list(rows)}
    answer = {"predictions": [{"score": score} for score in scores], "model_version": "0123456789ab"}
    return line(json.dumps(given), json.dumps(answer), **event)


def asked_in_csv(rows: Sequence[Row], scores: Sequence[float], **event: Any) -> str:
    """The same as CSV."""
    given = "".join(",".join("" if cell is None else str(cell) for cell in row.values()) + "\n" for row in rows)
    return line(given, "".join(f"{score!r}\n" for score in scores), encoding=event.pop("encoding", "CSV"), **event)
