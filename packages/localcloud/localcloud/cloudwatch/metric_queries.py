"""MetricDataQueries: metrics and expressions over them, as alarms and GetMetricData ask for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from moto.cloudwatch.exceptions import ValidationError

from localcloud.cloudwatch import metrics
from localcloud.cloudwatch.metric_math import Expression
from localcloud.cloudwatch.metrics import Values


def computed(
    account: str, region: str, queries: Sequence[Mapping[str, Any]], *, start: float, period: float, count: int
) -> dict[str, Values]:
    """The values of every metric and expression of MetricDataQueries, by id; an expression may use those of any other."""
    held: dict[str, Values] = {}
    for query in queries:
        if stat := query.get("MetricStat"):
            of = metrics.metric(account, region, stat["Metric"])
            held[query["Id"]] = metrics.values(of, stat["Stat"], start=start, period=period, count=count)
    waiting = {q["Id"]: Expression(q["Expression"]) for q in queries if not q.get("MetricStat")}
    while waiting:
        ready = [name for name, expression in waiting.items() if expression.names <= held.keys()]
        if not ready:
            unknown = sorted(set().union(*(e.names for e in waiting.values())) - held.keys())
            raise ValidationError(f"Error in expression: {', '.join(unknown)} is not the Id of a metric, or refers to itself")
        for name in ready:
            held[name] = waiting.pop(name)(held, count)
    return held
