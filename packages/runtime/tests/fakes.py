"""S3, CloudWatch, SageMaker and SNS as far as the monitor needs them, in memory."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError  # type: ignore[import-untyped]

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

    def paginate(self, *, Bucket: str, Prefix: str, Delimiter: str = "") -> Iterator[dict[str, Any]]:  # noqa: N803 - S3's names
        assert Bucket == BUCKET
        keys = [key for key in sorted(self.objects) if key.startswith(Prefix)]
        kind = "CommonPrefixes" if Delimiter else "Contents"
        listed = [{"Prefix": folder} for folder in self._folders(keys, Prefix, Delimiter)] if Delimiter else [*map(self._entry, keys)]
        for start in range(0, len(listed), self.page):
            yield {kind: listed[start : start + self.page]}
        yield {}

    def _entry(self, key: str) -> dict[str, Any]:
        written, content = self.objects[key]
        return {"Key": key, "LastModified": written, "Size": len(content)}

    def _folders(self, keys: Sequence[str], prefix: str, delimiter: str) -> list[str]:
        rests = [key.removeprefix(prefix) for key in keys]
        return list(dict.fromkeys(prefix + rest[: rest.index(delimiter) + 1] for rest in rests if delimiter in rest))

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        assert Bucket == BUCKET
        return {"Body": io.BytesIO(self.objects[Key][1])}


@dataclass
class CloudWatch:
    """What was put: name, or name and column, → value. `answers` are what is read: name → a minute's sums, a page each."""

    answers: dict[str, list[list[float]]] = field(default_factory=dict)
    requests: list[dict[str, Any]] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    namespaces: set[str] = field(default_factory=set)

    def put_metric_data(self, *, Namespace: str, MetricData: Sequence[Mapping[str, Any]]) -> None:  # noqa: N803
        self.namespaces.add(Namespace)
        for metric in MetricData:
            columns = [dimension["Value"] for dimension in metric.get("Dimensions", [])]
            self.metrics["/".join([metric["MetricName"], *columns])] = metric["Value"]

    def get_metric_data(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        page = int(request.get("NextToken", 0))
        named = {query["Id"]: query["MetricStat"]["Metric"]["MetricName"] for query in request["MetricDataQueries"]}
        pages = {name: self.answers.get(metric, []) for name, metric in named.items()}
        results = [{"Id": name, "Values": each[page] if page < len(each) else []} for name, each in pages.items()]
        more = page + 1 < max(map(len, pages.values()))
        return {"MetricDataResults": results} | ({"NextToken": str(page + 1)} if more else {})


@dataclass
class SageMaker:
    """One endpoint: what DescribeEndpoint says of it beside its name; None where it is gone."""

    endpoint: dict[str, Any] | None = field(
        default_factory=lambda: {
            "EndpointConfigName": "scores-1",
            "EndpointStatus": "InService",
            "DataCaptureConfig": {"EnableCapture": True, "CaptureStatus": "Started", "CurrentSamplingPercentage": 100},
        }
    )

    def describe_endpoint(self, *, EndpointName: str) -> dict[str, Any]:  # noqa: N803
        if self.endpoint is None:
            error = {"Code": "ValidationException", "Message": f'Could not find endpoint "{EndpointName}".'}
            raise ClientError({"Error": error}, "DescribeEndpoint")
        return {"EndpointName": EndpointName, **self.endpoint}


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
    sagemaker: SageMaker = field(default_factory=SageMaker)
    sns: SNS = field(default_factory=SNS)
