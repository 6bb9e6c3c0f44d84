"""CloudWatch's alarm calls: what cannot be evaluated is refused when it is put, and what moto does not answer is answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult, EmptyResult

from localcloud.cloudwatch import alarms, metrics
from localcloud.cloudwatch.alarm_rules import Rule
from localcloud.cloudwatch.alarm_states import TREATMENTS
from localcloud.cloudwatch.alarms import COMPARISONS
from localcloud.cloudwatch.metric_math import Expression

_moto_put = CloudWatchResponse.put_metric_alarm


def install() -> None:
    """Stand in front of moto's answers."""
    responses: Any = CloudWatchResponse
    for operation in (put_metric_alarm, put_composite_alarm, describe_alarms, describe_alarm_history):
        setattr(responses, operation.__name__, operation)


def put_metric_alarm(self: Any) -> Any:
    request = self._get_params()
    if problem := next(_problems(request), None):
        raise ValidationError(f"alarm {request['AlarmName']}: {problem}")
    return _moto_put(self)


def _problems(request: dict[str, Any]) -> Iterator[str]:
    """Why CloudWatch would not take an alarm, or localcloud cannot evaluate it."""
    for member, known in (("ComparisonOperator", COMPARISONS), ("TreatMissingData", TREATMENTS)):
        if (value := request.get(member)) and value not in known:
            yield f"localcloud does not do {member} {value}: it knows {', '.join(known)}"
    for member in ("ThresholdMetricId", "EvaluateLowSampleCountPercentile"):
        if request.get(member) not in (None, "evaluate"):
            yield f"localcloud does not do {member} {request[member]}"
    if (request.get("DatapointsToAlarm") or 1) > request["EvaluationPeriods"]:
        yield "DatapointsToAlarm must not be more than EvaluationPeriods"
    yield from _metric_problems(request, request.get("Metrics") or [])


def _metric_problems(request: dict[str, Any], queries: list[dict[str, Any]]) -> Iterator[str]:
    if bool(queries) == bool(request.get("MetricName")):
        yield "one of MetricName and Metrics is needed"
    stats = [q["MetricStat"] for q in queries if q.get("MetricStat")] if queries else [request]
    for stat in stats:
        metrics.check(stat.get("Stat") or stat.get("Statistic") or stat.get("ExtendedStatistic") or "none")
    periods = {int(s.get("Period") or 0) for s in stats}
    if len(periods) != 1 or not all(p in (10, 20, 30) or (p and p % 60 == 0) for p in periods):
        yield "Period must be 10, 20, 30 or a multiple of 60, and for localcloud the same for every metric"
    if len(queries) > 1 and sum(q.get("ReturnData", True) for q in queries) != 1:
        yield "exactly one of Metrics must have ReturnData true"
    used = {name for q in queries if not q.get("MetricStat") for name in Expression(q["Expression"]).names}
    if unknown := sorted(used - {q["Id"] for q in queries}):
        yield f"an expression uses {', '.join(unknown)}, which is not the Id of a metric"


def put_composite_alarm(self: Any) -> EmptyResult:
    request = self._get_params()
    held = self.cloudwatch_backend.alarms
    if absent := sorted(Rule(request["AlarmRule"]).names - held.keys()):
        raise ValidationError(f"AlarmRule names alarms that do not exist: {', '.join(absent)}")
    if request.get("ActionsSuppressor"):
        raise ValidationError("localcloud does not do ActionsSuppressor")
    _moto_put(self)
    return EmptyResult()


def describe_alarms(self: Any) -> ActionResult:
    """As CloudWatch: every condition counts, and composite alarms are only for who asks for them."""
    request = self._get_params()
    kinds = request.get("AlarmTypes") or ["MetricAlarm"]
    names, prefix, acts = request.get("AlarmNames"), request.get("AlarmNamePrefix") or "", request.get("ActionPrefix") or ""
    matching = [
        alarm
        for alarm in list(self.cloudwatch_backend.alarms.values())
        if (not names or alarm.name in names)
        and alarm.name.startswith(prefix)
        and request.get("StateValue") in (None, alarm.state_value)
        and (not acts or any(arn.startswith(acts) for arn in alarm.alarm_actions))
    ]
    by_kind = {"MetricAlarm": [a for a in matching if not a.rule], "CompositeAlarm": [a for a in matching if a.rule]}
    return ActionResult({f"{kind}s": those if kind in kinds else [] for kind, those in by_kind.items()})


def describe_alarm_history(self: Any) -> ActionResult:
    request = self._get_params()
    kinds = request.get("AlarmTypes") or ["MetricAlarm"]
    first, last = (request.get(k) for k in ("StartDate", "EndDate"))
    items = [
        item
        for item in alarms.history(self.cloudwatch_backend)
        if request.get("AlarmName") in (None, item["AlarmName"])
        and item["AlarmType"] in kinds
        and request.get("HistoryItemType") in (None, item["HistoryItemType"])
        and (not first or item["Timestamp"] >= first.replace(tzinfo=None))
        and (not last or item["Timestamp"] <= last.replace(tzinfo=None))
    ]
    items.sort(key=lambda i: i["Timestamp"], reverse=request.get("ScanBy") != "TimestampAscending")
    return ActionResult({"AlarmHistoryItems": items[: request.get("MaxRecords") or 100]})
