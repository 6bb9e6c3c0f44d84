"""CloudWatch's metrics, kept by exact dimensions, with what percentiles need.

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
from typing import Any

from moto.cloudwatch.exceptions import ValidationError

from localcloud.core.cloud import cloud

FINE, COARSE = 10.0, 60.0  # CloudWatch's seconds that a new and an old point stand for
NEW, OLD = 360, 4096  # points of a metric that are kept as new ones, and as old ones
STATISTICS = ("Average", "Sum", "Minimum", "Maximum", "SampleCount")
Values = list[float | None]
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


def record(metric: Metric, value: float, *, at: float | None = None, unit: str = "None") -> None:
    """Add one value, of now or of `at` (seconds since 1970)."""
    add(metric, Point(time.time() if at is None else at, 1, value, value, value, Counter([float(f"{value:.3g}")]), unit))


def values(metric: Metric, statistic: str, *, start: float, period: float, count: int) -> Values:
    """`statistic` of each of `count` periods (seconds of this machine) from `start`; None where nothing was recorded.

    Raises an AWS error for a statistic that is not known here.
    """
    check(statistic)
    return [statistic_of(p, statistic) for p in buckets(metric, start, period, count)]


def check(statistic: str) -> None:
    """Raise an AWS error for a statistic that localcloud does not know."""
    percentile = statistic.removeprefix("p").replace(".", "", 1)
    if statistic not in STATISTICS and not (statistic.startswith("p") and percentile.isdigit() and float(statistic[1:]) <= 100):
        raise ValidationError(f"localcloud does not do the statistic {statistic}: it knows {', '.join(STATISTICS)} and p0 to p100")


def metric(account: str, region: str, description: Mapping[str, Any]) -> Metric:
    """The metric that an API's Namespace, MetricName and Dimensions name."""
    dimensions = frozenset((d["Name"], d["Value"]) for d in description.get("Dimensions") or [])
    return Metric(account, region, description["Namespace"], description["MetricName"], dimensions)


def add(to: Metric, new: Point) -> None:
    """Add a point to those of a metric."""
    with _lock:
        points = _points[to]
        if points and points[-1].joined(new, FINE):
            return
        insort(points, new, key=lambda p: p.at)
        if len(points) > NEW and len(points) % NEW == 0:
            points[:-NEW] = _coarse(points[:-NEW])[-OLD:]


def points(of: Metric) -> list[Point]:
    """What is kept of a metric, oldest first."""
    with _lock:
        return list(_points.get(of, []))


def newest(account: str, region: str) -> list[tuple[Metric, Point]]:
    """Every metric of one account and region with its newest point."""
    with _lock:
        return [(metric, points[-1]) for metric, points in _points.items() if (metric.account, metric.region) == (account, region)]


def _coarse(points: Sequence[Point]) -> list[Point]:
    joined: list[Point] = []
    for point in points:
        if not joined or not joined[-1].joined(point, COARSE):
            joined.append(point)
    return joined


def buckets(of: Metric, start: float, period: float, count: int) -> list[list[Point]]:
    """The points of each of `count` periods (seconds of this machine) from `start`."""
    filled: list[list[Point]] = [[] for _ in range(count)]
    with _lock:
        points = _points.get(of, [])
        for point in points[bisect_left(points, start, key=lambda p: p.at) :]:
            if (index := int((point.at - start) // period)) >= count:
                break
            filled[index].append(point)
    return filled


def statistic_of(points: Sequence[Point], statistic: str) -> float | None:
    """One statistic of the points of a period; None where there is none."""
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
