"""S3, CloudWatch and SNS as far as the monitor needs them, in memory."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from paved_runtime.monitoring.services import Services

BUCKET = "capture-bucket"
END = datetime(2026, 11, 21, 12, tzinfo=UTC)


@dataclass
class S3:
    """A bucket: keys, and what lies there since when."""

    objects: dict[str, tuple[datetime, bytes]] = field(default_factory=dict)
    page: int = 2

    def put(self, key: str, content: bytes | str, written: datetime = END) -> None:
        self.objects[key] = (written, content.encode() if isinstance(content, str) else content)

    def get_paginator(self, operation_name: str, /) -> S3:
        assert operation_name == "list_objects_v2"
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:  # noqa: N803 - S3's names
        assert Bucket == BUCKET
        listed = [
            {"Key": key, "LastModified": written, "Size": len(content)}
            for key, (written, content) in sorted(self.objects.items())
            if key.startswith(Prefix)
        ]
        for start in range(0, len(listed), self.page):
            yield {"Contents": listed[start : start + self.page]}
        yield {}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        assert Bucket == BUCKET
        return {"Body": io.BytesIO(self.objects[Key][1])}


@dataclass
class CloudWatch:
    """What was put: name, or name and column, → value."""

    metrics: dict[str, float] = field(default_factory=dict)
    namespaces: set[str] = field(default_factory=set)

    def put_metric_data(self, *, Namespace: str, MetricData: Sequence[Mapping[str, Any]]) -> None:  # noqa: N803
        self.namespaces.add(Namespace)
        for metric in MetricData:
            columns = [dimension["Value"] for dimension in metric.get("Dimensions", [])]
            self.metrics["/".join([metric["MetricName"], *columns])] = metric["Value"]


@dataclass
class SNS:
    """What was published."""

    messages: list[dict[str, str]] = field(default_factory=list)

    def publish(self, *, TopicArn: str, Subject: str, Message: str) -> None:  # noqa: N803
        self.messages.append({"TopicArn": TopicArn, "Subject": Subject, "Message": Message})


@dataclass(frozen=True, kw_only=True)
class Cloud(Services):
    """A cloud in which nothing happened yet."""

    s3: S3 = field(default_factory=S3)
    cloudwatch: CloudWatch = field(default_factory=CloudWatch)
    sns: SNS = field(default_factory=SNS)
