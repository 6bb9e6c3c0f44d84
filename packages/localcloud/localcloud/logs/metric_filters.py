"""Metric filters of CloudWatch Logs: log lines that become metrics, for containers that can call nobody.

What a filter cannot do here is refused by its name when it is put.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from moto.logs.exceptions import ResourceNotFoundException
from moto.logs.models import LogsBackend
from moto.logs.responses import LogsResponse

from localcloud.cloudwatch import metrics
from localcloud.logs.filter_patterns import NUMBER, PATH, Matcher, matcher, refused, value_at

KNOWN = {"metricName", "metricNamespace", "metricValue", "dimensions", "unit"}
_moto_put_log_events = LogsBackend.put_log_events
_moto_put, _moto_delete = LogsBackend.put_metric_filter, LogsBackend.delete_metric_filter
_moto_put_response = LogsResponse.put_metric_filter
_filters: dict[tuple[str, str, str], dict[str, Filter]] = {}


@dataclass(frozen=True)
class Filter:
    """One metric filter. `value` and the values of `dimensions` are literals or paths like `$.rows`."""

    matches: Matcher
    namespace: str
    name: str
    value: str
    dimensions: dict[str, str]
    unit: str

    def apply(self, account: str, region: str, line: str, at: float) -> None:
        """Record what a log line of the time `at` (seconds) says, if it matches and has all that is asked of it."""
        event = self.matches(line)
        if event is None:
            return
        named = {name: value_at(event, path) for name, path in self.dimensions.items()}
        value = value_at(event, self.value) if self.value.startswith("$") else self.value
        if any(v is None for v in named.values()) or not NUMBER.fullmatch(str(value)):
            return
        dimensions = frozenset((name, str(v)) for name, v in named.items())
        metrics.record(metrics.Metric(account, region, self.namespace, self.name, dimensions), float(str(value)), at=at, unit=self.unit)


def install() -> None:
    """Let every line that is logged pass the filters of its group."""
    LogsBackend.put_log_events = _put_log_events  # type: ignore[method-assign]
    LogsBackend.put_metric_filter = _put  # type: ignore[method-assign]
    LogsBackend.delete_metric_filter = _delete  # type: ignore[method-assign]
    LogsResponse.put_metric_filter = _put_metric_filter  # type: ignore[method-assign]
    setattr(LogsResponse, "test_metric_filter", _test)  # noqa: B010


def _problems(request: dict[str, Any]) -> Iterator[str]:
    for member in set(request) - {"filterName", "filterPattern", "logGroupName", "metricTransformations"}:
        yield f"localcloud does not do {member}"
    plain = not request["filterPattern"].strip().startswith("{")
    for transformation in request["metricTransformations"]:
        for member in set(transformation) - KNOWN:
            yield f"localcloud does not do {member} of a metric transformation"
        value, dimensions = transformation["metricValue"], transformation.get("dimensions", {})
        paths = [*dimensions.values(), *([value] if value.startswith("$") else [])]
        if not value.startswith("$") and not NUMBER.fullmatch(value):
            yield f"metricValue {value} is neither a number nor a path like $.rows"
        for path in paths:
            if plain or not PATH.fullmatch(path):
                yield f"localcloud does not know {path}: a value is taken by a path like $.rows from lines that a JSON pattern matched"
        if len(dimensions) > 3:
            yield "a metric filter has at most 3 dimensions"


def _put_metric_filter(self: Any) -> str:
    if problem := next(_problems(request := json.loads(self.body)), None):
        raise refused(problem)
    if request["logGroupName"] not in self.logs_backend.groups:
        raise ResourceNotFoundException
    return _moto_put_response(self)


def _test(self: Any) -> str:
    """Answer TestMetricFilter: which lines match, without what the pattern took from them."""
    request = json.loads(self.body)
    matches = matcher(request["filterPattern"])
    lines = enumerate(request["logEventMessages"], 1)
    return json.dumps({"matches": [{"eventNumber": number, "eventMessage": line} for number, line in lines if matches(line) is not None]})


def _put(self: Any, filter_name: str, filter_pattern: str, log_group_name: str, metric_transformations: Any) -> None:
    (transformation,) = metric_transformations
    new = Filter(
        matcher(filter_pattern),
        transformation["metricNamespace"],
        transformation["metricName"],
        transformation["metricValue"],
        transformation.get("dimensions", {}),
        transformation.get("unit", "None"),
    )
    _delete(self, filter_name, log_group_name)
    _filters.setdefault((self.account_id, self.region_name, log_group_name), {})[filter_name] = new
    _moto_put(self, filter_name, filter_pattern, log_group_name, metric_transformations)


def _delete(self: Any, filter_name: str | None = None, log_group_name: str | None = None) -> None:
    _filters.get((self.account_id, self.region_name, log_group_name or ""), {}).pop(filter_name or "", None)
    _moto_delete(self, filter_name, log_group_name)


def _put_log_events(self: Any, log_group_name: str, log_stream_name: str, log_events: list[dict[str, Any]]) -> Any:
    answer = _moto_put_log_events(self, log_group_name, log_stream_name, log_events)
    for applied in list(_filters.get((self.account_id, self.region_name, log_group_name), {}).values()):
        for event in log_events:
            applied.apply(self.account_id, self.region_name, event["message"], event["timestamp"] / 1000)
    return answer
