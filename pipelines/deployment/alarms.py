"""What CloudWatch knows of the alarms that guard an endpoint: which are in ALARM, which went into it, and what their metric did."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pipelines.deployment.cloudwatch import CloudWatchClient
from pipelines.deployment.errors import DeploymentError
from pipelines.evidence import document
from pipelines.evidence.rollback_record import Alarm, Metric

IN_ALARM = "ALARM"
BEFORE = timedelta(minutes=5)  # of the metric that are shown from before the deployment
MOST = 100  # alarms of one request
Json = dict[str, Any]


def in_alarm(cloudwatch: CloudWatchClient, names: Sequence[str]) -> list[Alarm]:
    """Those of the alarms that are in ALARM now, the first one first.

    Raises:
        DeploymentError: one of them is not there, so nothing is known of what it would watch.
    """
    descriptions: list[Json] = cloudwatch.describe_alarms(AlarmNames=list(names), MaxRecords=MOST)["MetricAlarms"] if names else []
    if gone := sorted(set(names) - {description["AlarmName"] for description in descriptions}):
        raise DeploymentError(
            f"{', '.join(gone)}: no such alarm, though it guards the endpoint: somebody has removed it: deploy the stack again"
        )
    return _in_order(
        Alarm(name=each["AlarmName"], time=document.utc(each["StateUpdatedTimestamp"]), reason=_one_line(each["StateReason"]))
        for each in descriptions
        if each["StateValue"] == IN_ALARM
    )


def went_into_alarm(cloudwatch: CloudWatchClient, names: Sequence[str], *, since: datetime) -> list[Alarm]:
    """Those of the alarms that went into ALARM since then, each once, the first one first."""
    return _in_order(alarm for name in names for alarm in _history(cloudwatch, name, since))


def metric(cloudwatch: CloudWatchClient, name: str, *, since: datetime, minute_seconds: float) -> Metric | None:
    """What the metric of an alarm has done since shortly before then; None when there is no such alarm any more.

    `minute_seconds` is how long a minute of the alarm's period lasts.
    """
    descriptions = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    if not descriptions:
        return None
    (alarm,) = descriptions
    queries = [_at_pace(query, minute_seconds) for query in alarm.get("Metrics") or [_query(alarm)]]
    wanted = next(query["Id"] for query in queries if query.get("ReturnData", True))
    start, end = since - BEFORE * (minute_seconds / 60), datetime.now(UTC)
    answer = cloudwatch.get_metric_data(MetricDataQueries=queries, StartTime=start, EndTime=end, ScanBy="TimestampAscending")
    result = next(result for result in answer["MetricDataResults"] if result["Id"] == wanted)
    return Metric(
        label=alarm.get("MetricName") or result.get("Label") or name,
        threshold=alarm["Threshold"],
        times=[document.utc(time) for time in result["Timestamps"]],
        values=[round(value, 9) for value in result["Values"]],
    )


def _history(cloudwatch: CloudWatchClient, name: str, since: datetime) -> Iterator[Alarm]:
    pages = cloudwatch.get_paginator("describe_alarm_history").paginate(
        AlarmName=name, HistoryItemType="StateUpdate", StartDate=since, ScanBy="TimestampAscending"
    )
    for item in (item for page in pages for item in page["AlarmHistoryItems"]):
        state = json.loads(item["HistoryData"])["newState"]
        if state["stateValue"] == IN_ALARM and item["Timestamp"] >= since:
            yield Alarm(name=name, time=document.utc(item["Timestamp"]), reason=_one_line(state["stateReason"]))
            return


def _query(alarm: Json) -> Json:
    """The metric of an alarm that computes nothing."""
    about = {name: alarm[name] for name in ("Namespace", "MetricName", "Dimensions")}
    statistic = alarm.get("Statistic") or alarm["ExtendedStatistic"]
    return {"Id": "m", "MetricStat": {"Metric": about, "Stat": statistic, "Period": alarm["Period"]}}


def _at_pace(query: Json, minute_seconds: float) -> Json:
    if "MetricStat" not in query:
        return query
    period = max(1, round(query["MetricStat"]["Period"] * minute_seconds / 60))
    return {**query, "MetricStat": {**query["MetricStat"], "Period": period}}


def _in_order(alarms: Iterable[Alarm]) -> list[Alarm]:
    return sorted(alarms, key=lambda alarm: (alarm.time, alarm.name))


def _one_line(reason: str) -> str:
    return " ".join(reason.split()).rstrip(".")
