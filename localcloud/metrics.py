"""CloudWatch's metrics: kept by exact dimensions, with what percentiles need, and read by alarms and by GetMetricData alike.

moto adds up metrics that merely share some dimensions, knows no percentiles, and keeps every value for ever. Here values of the
same ten (scaled) seconds become one point, after an hour those of the same minute; percentiles are of three digits.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left, insort
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import CloudWatchBackend, MetricDatumBase
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from localcloud.cloud import cloud
from localcloud.metric_math import Expression

FINE, COARSE = 10.0, 60.0  # CloudWatch's seconds that a new and an old point stand for
NEW, OLD = 360, 4096  # points of a metric that are kept as new ones, and as old ones
STATISTICS = ("Average", "Sum", "Minimum", "Maximum", "SampleCount")
Values = list[float | None]
_aws_metric_data = CloudWatchBackend.get_all_metrics
_lock = threading.RLock()


@dataclass(frozen=True)
class Metric:
    """Which metric of which account; `dimensions` are (name, value) pairs."""

    account: str
    region: str
    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]


@dataclass(slots=True)
class Point:
    """What was recorded about one time. `values` counts the values themselves; without it there are no percentiles."""

    at: float
    count: float
    total: float
    low: float
    high: float
    values: Counter[float] | None
    unit: str = "None"

    def joined(self, other: Point, seconds: float) -> bool:
        """Take `other` in, if both are of the same `seconds` of CloudWatch's."""
        slot = seconds / cloud().speed
        if self.values is None or other.values is None or self.at // slot != other.at // slot:
            return False
        self.count, self.total = self.count + other.count, self.total + other.total
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.values.update(other.values)
        return True


_points: dict[Metric, list[Point]] = defaultdict(list)


def install() -> None:
    """Put this store in the place of moto's."""
    CloudWatchBackend.put_metric_data = _put_metric_data  # type: ignore[method-assign]
    CloudWatchBackend.get_all_metrics = _get_all_metrics  # type: ignore[method-assign]
    CloudWatchResponse.get_metric_data = _get_metric_data  # type: ignore[method-assign]
    CloudWatchResponse.get_metric_statistics = _get_metric_statistics  # type: ignore[method-assign]


def record(metric: Metric, value: float, *, at: float | None = None, unit: str = "None") -> None:
    """Add one value, of now or of `at` (seconds since 1970)."""
    _add(metric, Point(time.time() if at is None else at, 1, value, value, value, Counter([float(f"{value:.3g}")]), unit))


def values(metric: Metric, statistic: str, *, start: float, period: float, count: int) -> Values:
    """`statistic` of each of `count` periods (seconds of this machine) from `start`; None where nothing was recorded.

    Raises an AWS error for a statistic that is not known here.
    """
    check(statistic)
    return [_statistic(p, statistic) for p in _buckets(metric, start, period, count)]


def check(statistic: str) -> None:
    """Raise an AWS error for a statistic that localcloud does not know."""
    percentile = statistic.removeprefix("p").replace(".", "", 1)
    if statistic not in STATISTICS and not (statistic.startswith("p") and percentile.isdigit() and float(statistic[1:]) <= 100):
        raise ValidationError(f"localcloud does not do the statistic {statistic}: it knows {', '.join(STATISTICS)} and p0 to p100")


def metric(account: str, region: str, description: Mapping[str, Any]) -> Metric:
    """The metric that an API's Namespace, MetricName and Dimensions name."""
    dimensions = frozenset((d["Name"], d["Value"]) for d in description.get("Dimensions") or [])
    return Metric(account, region, description["Namespace"], description["MetricName"], dimensions)


def _add(to: Metric, new: Point) -> None:
    with _lock:
        points = _points[to]
        if points and points[-1].joined(new, FINE):
            return
        insort(points, new, key=lambda p: p.at)
        if len(points) > NEW and len(points) % NEW == 0:
            points[:-NEW] = _coarse(points[:-NEW])[-OLD:]


def _coarse(points: Sequence[Point]) -> list[Point]:
    made: list[Point] = []
    for point in points:
        if not made or not made[-1].joined(point, COARSE):
            made.append(point)
    return made


def _buckets(of: Metric, start: float, period: float, count: int) -> list[list[Point]]:
    found: list[list[Point]] = [[] for _ in range(count)]
    with _lock:
        points = _points.get(of, [])
        for point in points[bisect_left(points, start, key=lambda p: p.at) :]:
            if (index := int((point.at - start) // period)) >= count:
                break
            found[index].append(point)
    return found


def _statistic(points: Sequence[Point], statistic: str) -> float | None:
    count = sum(p.count for p in points)
    if not count:
        return None
    total = sum(p.total for p in points)
    plain = {"SampleCount": count, "Sum": total, "Average": total / count}
    plain |= {"Minimum": min(p.low for p in points), "Maximum": max(p.high for p in points)}
    return plain[statistic] if statistic in plain else _percentile(points, float(statistic[1:]) / 100 * count)


def _percentile(points: Sequence[Point], rank: float) -> float | None:
    if any(p.values is None for p in points):
        return None  # as CloudWatch: statistic sets tell no percentiles
    counted: Counter[float] = Counter()
    for point in points:
        counted.update(point.values)
    value = 0.0
    for value in sorted(counted):
        rank -= counted[value]
        if rank <= 1e-9:
            break
    return value


def _put_metric_data(self: Any, namespace: str, metric_data: list[dict[str, Any]]) -> None:
    for number, given in enumerate(metric_data, 1):
        self._validate_parameters_put_metric_data(given, number)
    for given in metric_data:
        to = metric(self.account_id, self.region_name, {"Namespace": namespace, **given})
        at = given["Timestamp"].timestamp() if given.get("Timestamp") else time.time()
        unit = given.get("Unit") or "None"
        if s := given.get("StatisticValues"):
            low, high, count = float(s["Minimum"]), float(s["Maximum"]), float(s["SampleCount"])
            same = Counter({low: int(count)}) if low == high else None
            _add(to, Point(at, count, float(s["Sum"]), low, high, same, unit))
            continue
        several = given.get("Values") or [given.get("Value", 0)]
        for value, many in zip(several, given.get("Counts") or [1] * len(several), strict=True):
            v, n = float(value), float(many)
            _add(to, Point(at, n, v * n, v, v, Counter({float(f"{v:.3g}"): int(n)}), unit))


def _get_all_metrics(self: Any) -> list[Any]:
    with _lock:
        held = [(m, p[-1]) for m, p in _points.items() if (m.account, m.region) == (self.account_id, self.region_name)]
    own: list[Any] = [
        MetricDatumBase(m.namespace, m.name, [{"Name": n, "Value": v} for n, v in sorted(m.dimensions)], _date(p.at), p.unit)
        for m, p in held
    ]
    return own + _aws_metric_data(self)


def _range(request: dict[str, Any], period: float) -> tuple[float, int]:
    start, end = (request[k].replace(tzinfo=request[k].tzinfo or UTC).timestamp() for k in ("StartTime", "EndTime"))
    if start >= end:
        raise ValidationError("The parameter EndTime must be greater than StartTime.")
    first = start // period * period
    return first, int(-(-(end - first) // period))


def _get_metric_statistics(self: Any) -> ActionResult:
    request = self._get_params()
    of, period = metric(self.current_account, self.region, request), float(request["Period"])
    plain, extended = request.get("Statistics") or [], request.get("ExtendedStatistics") or []
    for statistic in [*plain, *extended]:
        check(statistic)
    start, count = _range(request, period)
    found = []
    for number, points in enumerate(_buckets(of, start, period, count)):
        if points:
            about: dict[str, Any] = {"Timestamp": _date(start + number * period), "Unit": points[-1].unit}
            about |= {s: _statistic(points, s) for s in plain}
            shown = {s: value for s in extended if (value := _statistic(points, s)) is not None}
            found.append(about | ({"ExtendedStatistics": shown} if shown else {}))
    return ActionResult({"Label": request["MetricName"], "Datapoints": found})


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


def computed(
    account: str, region: str, queries: Sequence[Mapping[str, Any]], *, start: float, period: float, count: int
) -> dict[str, Values]:
    """The values of every metric and expression of MetricDataQueries, by id; an expression may use those of any other."""
    held: dict[str, Values] = {}
    for query in queries:
        if stat := query.get("MetricStat"):
            held[query["Id"]] = values(metric(account, region, stat["Metric"]), stat["Stat"], start=start, period=period, count=count)
    waiting = {q["Id"]: Expression(q["Expression"]) for q in queries if not q.get("MetricStat")}
    while waiting:
        ready = [name for name, expression in waiting.items() if expression.names <= held.keys()]
        if not ready:
            unknown = sorted(set().union(*(e.names for e in waiting.values())) - held.keys())
            raise ValidationError(f"Error in expression: {', '.join(unknown)} is not the Id of a metric, or refers to itself")
        for name in ready:
            held[name] = waiting.pop(name)(held, count)
    return held


def _date(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
