"""The few calls of CloudWatch that a deployment makes: no stubs of its client are installed."""

from __future__ import annotations

from typing import Any, Protocol


class CloudWatchClient(Protocol):
    """A boto3 client of `cloudwatch`."""

    def describe_alarms(self, **request: Any) -> Any: ...

    def get_metric_data(self, **request: Any) -> Any: ...

    def get_metric_statistics(self, **request: Any) -> Any: ...

    def get_paginator(self, operation: str, /) -> Any: ...
