"""The AWS calls that the monitor makes, as boto3's clients have them: the types are theirs as far as they are needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

import boto3  # type: ignore[import-untyped]


class Paginator(Protocol):
    """Pages of `list_objects_v2`."""

    def paginate(self, *, Bucket: str, Prefix: str, Delimiter: str = "") -> Iterable[Mapping[str, Any]]: ...  # noqa: N803 - AWS's names, here and below


class S3(Protocol):
    """A client of S3 that lists and reads."""

    def get_paginator(self, operation_name: Literal["list_objects_v2"], /) -> Paginator: ...

    def get_object(self, *, Bucket: str, Key: str) -> Mapping[str, Any]: ...  # noqa: N803


class CloudWatch(Protocol):
    """A client of CloudWatch that puts and reads metrics."""

    def get_metric_data(self, **request: Any) -> Mapping[str, Any]: ...

    def put_metric_data(self, *, Namespace: str, MetricData: Sequence[Mapping[str, Any]]) -> object: ...  # noqa: N803


class SageMaker(Protocol):
    """A client of SageMaker that looks at endpoints."""

    def describe_endpoint(self, *, EndpointName: str) -> Mapping[str, Any]: ...  # noqa: N803


class SNS(Protocol):
    """A client of SNS that publishes."""

    def publish(self, *, TopicArn: str, Subject: str, Message: str) -> object: ...  # noqa: N803


@dataclass(frozen=True, kw_only=True)
class Services:
    """Clients of S3, CloudWatch, SageMaker and SNS."""

    s3: S3
    cloudwatch: CloudWatch
    sagemaker: SageMaker
    sns: SNS

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """Raises ValueError where no region is given: the step's environment names it, or nothing does."""
        region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
        if not region:
            raise ValueError("neither AWS_REGION nor AWS_DEFAULT_REGION is set: give the step's Environment AWS_DEFAULT_REGION")
        clients = {name: boto3.client(name, region_name=region) for name in ("s3", "cloudwatch", "sagemaker", "sns")}
        return cls(**clients)
