"""CloudWatch's event of an alarm that changed its state, for EventBridge."""

from __future__ import annotations

from typing import Any

from localcloud.cloudwatch.alarm_metrics import key, period, queries, returned
from localcloud.events import bus


def shown(alarm: Any) -> dict[str, str]:
    """An alarm's state as the event has it."""
    stamp = alarm.state_updated_timestamp.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
    return {"value": alarm.state_value, "reason": alarm.state_reason, "reasonData": alarm.state_reason_data, "timestamp": stamp}


def emit(alarm: Any, before: dict[str, str], after: dict[str, str]) -> None:
    """Send the event of a change between two states as `shown` gives them."""
    configuration: dict[str, Any] = {"description": alarm.description} if alarm.description else {}
    if alarm.rule:
        configuration["alarmRule"] = alarm.rule
    else:
        configuration["metrics"] = [_metric(query, period(alarm), query["Id"] == returned(alarm)) for query in queries(alarm)]
    detail = {"alarmName": alarm.name, "state": after, "previousState": before, "configuration": configuration}
    account, region, _ = key(alarm)
    kind = "CloudWatch Alarm State Change"
    bus.emit(account, region, source="aws.cloudwatch", kind=kind, detail=detail, resources=[alarm.alarm_arn])


def _metric(query: dict[str, Any], period: int, returned: bool) -> dict[str, Any]:
    if stat := query.get("MetricStat"):
        of = stat["Metric"]
        metric = {"namespace": of["Namespace"], "name": of["MetricName"], "dimensions": {d["Name"]: d["Value"] for d in of["Dimensions"]}}
        return {"id": query["Id"], "metricStat": {"metric": metric, "period": period, "stat": stat["Stat"]}, "returnData": returned}
    return {"id": query["Id"], "expression": query["Expression"], "returnData": returned}
