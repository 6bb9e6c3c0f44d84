"""CloudWatch's metric calls, answered from the metrics that are kept here."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import CloudWatchBackend, MetricDatumBase
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from localcloud.cloudwatch import metrics
from localcloud.cloudwatch.metric_queries import computed
from localcloud.cloudwatch.metrics import Point

_moto_get_all_metrics = CloudWatchBackend.get_all_metrics


def install() -> None:
    """Put the metrics that are kept here in the place of moto's."""
    CloudWatchBackend.put_metric_data = _put_metric_data  # type: ignore[method-assign]
    CloudWatchBackend.get_all_metrics = _get_all_metrics  # type: ignore[method-assign]
    CloudWatchResponse.get_metric_data = _get_metric_data  # type: ignore[method-assign]
    CloudWatchResponse.get_metric_statistics = _get_metric_statistics  # type: ignore[method-assign]


def _put_metric_data(self: Any, namespace: str, metric_data: list[dict[str, Any]]) -> None:
    for number, datum in enumerate(metric_data, 1):
        self._validate_parameters_put_metric_data(datum, number)
    for datum in metric_data:
        to = metrics.metric(self.account_id, self.region_name, {"Namespace": namespace, **datum})
        at = datum["Timestamp"].timestamp() if datum.get("Timestamp") else time.time()
        for point in _points(datum, at, datum.get("Unit") or "None"):
            metrics.add(to, point)


def _points(datum: dict[str, Any], at: float, unit: str) -> list[Point]:
    """A MetricDatum as points: one of its StatisticValues, or one for each of its Values."""
    if s := datum.get("StatisticValues"):
        low, high, count = float(s["Minimum"]), float(s["Maximum"]), float(s["SampleCount"])
        same = Counter({low: int(count)}) if low == high else None
        return [Point(at, count, float(s["Sum"]), low, high, same, unit)]
    values = datum.get("Values") or [datum.get("Value", 0)]
    counted = zip(values, datum.get("Counts") or [1] * len(values), strict=True)
    return [
        Point(at, n, v * n, v, v, Counter({float(f"{v:.3g}"): int(n)}), unit) for v, n in ((float(value), float(n)) for value, n in counted)
    ]


def _get_all_metrics(self: Any) -> list[Any]:
    own: list[Any] = [
        MetricDatumBase(m.namespace, m.name, [{"Name": n, "Value": v} for n, v in sorted(m.dimensions)], _date(p.at), p.unit)
        for m, p in metrics.newest(self.account_id, self.region_name)
    ]
    return own + _moto_get_all_metrics(self)


def _range(request: dict[str, Any], period: float) -> tuple[float, int]:
    start, end = (request[k].replace(tzinfo=request[k].tzinfo or UTC).timestamp() for k in ("StartTime", "EndTime"))
    if start >= end:
        raise ValidationError("The parameter EndTime must be greater than StartTime.")
    first = start // period * period
    return first, int(-(-(end - first) // period))


def _get_metric_statistics(self: Any) -> ActionResult:
    request = self._get_params()
    of, period = metrics.metric(self.current_account, self.region, request), float(request["Period"])
    plain, extended = request.get("Statistics") or [], request.get("ExtendedStatistics") or []
    for statistic in [*plain, *extended]:
        metrics.check(statistic)
    start, count = _range(request, period)
    datapoints = []
    for number, points in enumerate(metrics.buckets(of, start, period, count)):
        if points:
            datapoint: dict[str, Any] = {"Timestamp": _date(start + number * period), "Unit": points[-1].unit}
            datapoint |= {s: metrics.statistic_of(points, s) for s in plain}
            percentiles = {s: value for s in extended if (value := metrics.statistic_of(points, s)) is not None}
            datapoints.append(datapoint | ({"ExtendedStatistics": percentiles} if percentiles else {}))
    return ActionResult({"Label": request["MetricName"], "Datapoints": datapoints})


def _get_metric_data(self: Any) -> ActionResult:
    request = self._get_params()
    queries = request["MetricDataQueries"]
    periods = {int(q["MetricStat"]["Period"]) for q in queries if q.get("MetricStat")}
    if len(periods) != 1:
        raise ValidationError(f"localcloud reads metrics of one period at a time: found {sorted(periods)}")
    (period,) = periods
    start, count = _range(request, period)
    held = computed(self.current_account, self.region, queries, start=start, period=period, count=count)
    newest_first = (request.get("ScanBy") or "TimestampDescending") == "TimestampDescending"
    results = []
    for query in queries:
        if query.get("ReturnData", True):
            pairs = [(_date(start + i * period), v) for i, v in enumerate(held[query["Id"]]) if v is not None]
            pairs = pairs[::-1] if newest_first else pairs
            label = query.get("Label") or (query["MetricStat"]["Metric"]["MetricName"] if query.get("MetricStat") else query["Id"])
            dated = {"Timestamps": [t for t, _ in pairs], "Values": [v for _, v in pairs]}
            results.append({"Id": query["Id"], "Label": label, "StatusCode": "Complete", **dated})
    return ActionResult({"MetricDataResults": results})


def _date(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
