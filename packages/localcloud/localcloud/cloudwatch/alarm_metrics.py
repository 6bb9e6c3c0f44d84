"""What an alarm watches, and when it is looked at.

Periods are counted back from the minute that has just ended, so one of hours shows what it holds at once. An alarm of shorter periods
is evaluated every ten seconds, one that looks back more than a day every hour.
"""

from __future__ import annotations

from typing import Any

from localcloud.cloudwatch.metric_queries import computed
from localcloud.cloudwatch.metrics import FINE, Values
from localcloud.core.cloud import cloud

MINUTE, HOUR, DAY = 60, 3600, 86_400
Key = tuple[str, str, str]  # account, region, name


def key(alarm: Any) -> Key:
    """Which alarm it is."""
    _, _, _, region, account, _, name = alarm.alarm_arn.split(":", 6)
    return account, region, name


def period(alarm: Any) -> int:
    """CloudWatch's seconds of one of the alarm's periods."""
    return int(alarm.period or next(q.metric_stat.period for q in alarm.metric_data_queries if q.metric_stat))


def step(alarm: Any) -> float:
    """Seconds of this machine from one evaluation to the next."""
    length = period(alarm)
    every = FINE if length < MINUTE else HOUR if length * int(alarm.evaluation_periods) > DAY else MINUTE
    return every / cloud().speed


def queries(alarm: Any) -> list[dict[str, Any]]:
    """What the alarm computes, as MetricDataQueries."""

    def query(name: str, metric: Any, stat: str) -> dict[str, Any]:
        dimensions = [{"Name": d.name, "Value": d.value} for d in metric.dimensions]
        about = {"Namespace": metric.namespace, "MetricName": metric.metric_name, "Dimensions": dimensions}
        return {"Id": name, "MetricStat": {"Metric": about, "Stat": stat}}

    if not alarm.metric_data_queries:
        return [query("m", alarm, alarm.statistic or alarm.extended_statistic)]
    return [
        query(q.id, q.metric_stat.metric, q.metric_stat.stat) if q.metric_stat else {"Id": q.id, "Expression": q.expression}
        for q in alarm.metric_data_queries
    ]


def returned(alarm: Any) -> str:
    """The id of the query whose values are compared with the threshold."""
    several = alarm.metric_data_queries
    return next((q.id for q in several if len(several) == 1 or q.return_data is not False), "m")


def observed(alarm: Any, now: float, count: int) -> tuple[float, float, Values]:
    """When the newest `count` whole periods begin, how long each is here, and what the alarm's metric was in it."""
    account, region, _ = key(alarm)
    length, every = period(alarm) / cloud().speed, step(alarm)
    start = now // every * every - count * length
    return start, length, computed(account, region, queries(alarm), start=start, period=length, count=count)[returned(alarm)]
