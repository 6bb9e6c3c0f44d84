"""What CloudWatch knows of the alarms that guard an endpoint: which ring, which rang, and what their metric did."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pipelines.evidence import document
from pipelines.evidence.setback import Alarm, Metric
from pipelines.steps.step import StepError

RINGS = "ALARM"
BEFORE = timedelta(minutes=5)  # of the metric that are shown from before the deployment
MOST = 100  # alarms of one request


def names(outputs: Mapping[str, str]) -> list[str]:
    """The alarms that a serving stack says guard its deployments."""
    return [name for name in outputs.get("RollbackAlarms", "").split(",") if name]


def ringing(cloudwatch: Any, wanted: Sequence[str]) -> list[Alarm]:
    """Those of the alarms that ring now, the first one first.

    Raises:
        StepError: one of them is not there, so nothing is known of what it would watch.
    """
    found = cloudwatch.describe_alarms(AlarmNames=list(wanted), MaxRecords=MOST)["MetricAlarms"] if wanted else []
    if gone := sorted(set(wanted) - {one["AlarmName"] for one in found}):
        raise StepError(f"{', '.join(gone)}: no such alarm, though it guards the endpoint: somebody has removed it: deploy the stack again")
    return _in_order(
        Alarm(name=one["AlarmName"], time=document.utc(one["StateUpdatedTimestamp"]), reason=_one_line(one["StateReason"]))
        for one in found
        if one["StateValue"] == RINGS
    )


def rang(cloudwatch: Any, wanted: Sequence[str], *, since: datetime) -> list[Alarm]:
    """Those of the alarms that began to ring since then, each once, the first one first."""
    return _in_order(alarm for name in wanted for alarm in _history(cloudwatch, name, since))


def metric(cloudwatch: Any, name: str, *, since: datetime, minute_seconds: float) -> Metric | None:
    """What the metric of an alarm has done since shortly before then; None when there is no such alarm any more.

    `minute_seconds` is how long a minute of the alarm's period lasts.
    """
    described = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    if not described:
        return None
    (alarm,) = described
    queries = [_at_pace(query, minute_seconds) for query in alarm.get("Metrics") or [_query(alarm)]]
    wanted = next(query["Id"] for query in queries if query.get("ReturnData", True))
    start, end = since - BEFORE * (minute_seconds / 60), datetime.now(UTC)
    answer = cloudwatch.get_metric_data(MetricDataQueries=queries, StartTime=start, EndTime=end, ScanBy="TimestampAscending")
    found = next(one for one in answer["MetricDataResults"] if one["Id"] == wanted)
    return Metric(
        label=alarm.get("MetricName") or found.get("Label") or name,
        threshold=alarm["Threshold"],
        times=[document.utc(time) for time in found["Timestamps"]],
        values=[round(value, 9) for value in found["Values"]],
    )


def _history(cloudwatch: Any, name: str, since: datetime) -> Iterator[Alarm]:
    pages = cloudwatch.get_paginator("describe_alarm_history").paginate(
        AlarmName=name, HistoryItemType="StateUpdate", StartDate=since, ScanBy="TimestampAscending"
    )
    for item in (item for page in pages for item in page["AlarmHistoryItems"]):
        state = json.loads(item["HistoryData"])["newState"]
        if state["stateValue"] == RINGS and item["Timestamp"] >= since:
            yield Alarm(name=name, time=document.utc(item["Timestamp"]), reason=_one_line(state["stateReason"]))
            return


def _query(alarm: dict[str, Any]) -> dict[str, Any]:
    """The metric of an alarm that computes nothing."""
    about = {name: alarm[name] for name in ("Namespace", "MetricName", "Dimensions")}
    return {
        "Id": "m",
        "MetricStat": {"Metric": about, "Stat": alarm.get("Statistic") or alarm["ExtendedStatistic"], "Period": alarm["Period"]},
    }


def _at_pace(query: dict[str, Any], minute_seconds: float) -> dict[str, Any]:
    if "MetricStat" not in query:
        return query
    period = max(1, round(query["MetricStat"]["Period"] * minute_seconds / 60))
    return {**query, "MetricStat": {**query["MetricStat"], "Period": period}}


def _in_order(alarms: Iterable[Alarm]) -> list[Alarm]:
    return sorted(alarms, key=lambda alarm: (alarm.time, alarm.name))


def _one_line(reason: str) -> str:
    return " ".join(reason.split()).rstrip(".")
