"""CloudWatch alarms that ring: evaluated every (scaled) minute, with CloudWatch's rules for M of N and for missing data.

Periods are counted back from the minute that has just ended, so one of hours shows what it holds at once. An alarm of shorter periods
is evaluated every ten seconds, one that looks back more than a day every hour.
The rules are those of "Configuring how CloudWatch alarms treat missing data": up to EXTRA older periods stand in for missing ones,
and what is still missing is filled as the alarm says.
"""

from __future__ import annotations

import contextlib
import json
import logging
import operator
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.models import Alarm, CloudWatchBackend, cloudwatch_backends
from moto.core.utils import utcnow
from moto.sns.models import sns_backends

from localcloud import clock, events, metrics
from localcloud.alarm_rules import Rule
from localcloud.cloud import cloud

OK, ALARM, UNKNOWN = "OK", "ALARM", "INSUFFICIENT_DATA"
EXTRA = 2  # periods before the evaluation periods that CloudWatch looks at when data are missing
MINUTE, HOUR, DAY = 60, 3600, 86_400
LATE = 0.05  # seconds that data may take to arrive after their period
COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
TREATMENTS = {"missing": "Missing", "ignore": "Ignore", "breaching": "Breaching", "notBreaching": "NonBreaching"}
Action = Callable[[Any, str, str], None]  # the alarm, the action's ARN, the state before
Key = tuple[str, str, str]
_moto_put, _moto_delete = CloudWatchBackend.put_metric_alarm, CloudWatchBackend.delete_alarms
_watchers: list[tuple[set[Key], Callable[[str], None]]] = []
_lock = threading.RLock()
actions: dict[str, Action] = {}  # by the service that the action's ARN names


def install() -> None:
    """Have every alarm evaluated, and its changes told."""
    actions["sns"] = _publish
    replaced: tuple[tuple[Any, str, Any], ...] = (
        (Alarm, "update_state", _update_state),
        (CloudWatchBackend, "put_metric_alarm", _put),
        (CloudWatchBackend, "delete_alarms", _delete),
    )
    for owner, name, by in replaced:
        setattr(owner, name, by)


def find(account: str, region: str, name: str) -> Any:
    """The alarm of that name, or None."""
    return cloudwatch_backends[account][region].alarms.get(name)


@contextlib.contextmanager
def watched(account: str, region: str, names: Iterable[str], told: Callable[[str], None]) -> Iterator[None]:
    """Call `told` with the name of each of these alarms that is in ALARM, at the start of the block or within it."""
    watcher = ({(account, region, name) for name in names}, told)
    with _lock:
        _watchers.append(watcher)
        ringing = [name for *_, name in sorted(watcher[0]) if (a := find(account, region, name)) and a.state_value == ALARM]
    for name in ringing:
        told(name)
    try:
        yield
    finally:
        with _lock:
            _watchers.remove(watcher)


def state(points: Sequence[bool | None], *, needed: int, periods: int, missing: str, current: str) -> str:
    """The state of an alarm from the periods of its evaluation range, oldest first: breaching, not breaching, or missing (None).

    `needed` of `periods` must breach; `missing` is TreatMissingData; `current` is kept where CloudWatch keeps it. Where all there is
    breaches, and the oldest is `needed` periods old, CloudWatch rings without waiting for more.
    """
    real = [p for p in points if p is not None][-periods:]
    breaching, absent = sum(real), periods - len(real)
    if breaching >= needed or (missing == "breaching" and breaching + absent >= needed):
        return ALARM
    if absent and missing in ("missing", "ignore") and all(real):
        if missing == "ignore":
            return current
        if not real:
            return UNKNOWN
        oldest = next(age for age, p in zip(range(len(points), 0, -1), points, strict=True) if p)
        return ALARM if oldest >= needed else OK
    return OK


def evaluate(alarm: Any, now: float) -> None:
    """Bring a metric alarm to the state that the periods which have ended by `now` ask for, and carry out what a change calls for."""
    periods = int(alarm.evaluation_periods)
    needed = int(alarm.datapoints_to_alarm or periods)
    start, period, found = _observed(alarm, now, periods + EXTRA)
    breaches, said = COMPARISONS[alarm.comparison_operator]
    threshold = float(alarm.threshold)
    treated = alarm.treat_missing_data or "missing"
    new = state(
        [None if v is None else bool(breaches(v, threshold)) for v in found],
        needed=needed,
        periods=periods,
        missing=treated,
        current=alarm.state_value,
    )
    if new == alarm.state_value:
        if new == ALARM:
            _act(alarm, "autoscaling")  # CloudWatch repeats these, and no others, while the alarm rings
        return
    seen = [(start + i * period, v) for i, v in enumerate(found) if v is not None][-periods:]
    data = {
        "version": "1.0",
        "queryDate": _stamp(now),
        "startDate": _stamp(start),
        "period": _period(alarm),
        "recentDatapoints": [v for _, v in seen],
        "threshold": threshold,
        "evaluatedDatapoints": [{"timestamp": _stamp(t), "value": v} for t, v in reversed(seen)],
    }
    is_or_not = said if new == ALARM else f"not {said}"
    reason = _reason(new, alarm.state_value, seen, is_or_not, threshold, needed, periods, treated)
    alarm.update_state(reason, json.dumps(data), new)


def latest(alarm: Any, now: float) -> float | None:
    """The value of the newest whole period that has one."""
    *_, found = _observed(alarm, now, int(alarm.evaluation_periods) + EXTRA)
    return next((v for v in reversed(found) if v is not None), None)


def _observed(alarm: Any, now: float, count: int) -> tuple[float, float, metrics.Values]:
    """When the newest `count` whole periods begin, how long one is here, and what the alarm's metric was in each."""
    account, region, _ = _key(alarm)
    period, step = _period(alarm) / cloud().speed, _step(alarm)
    start = now // step * step - count * period
    return start, period, metrics.computed(account, region, _queries(alarm), start=start, period=period, count=count)[_returned(alarm)]


def _reason(
    new: str, old: str, seen: list[tuple[float, float]], said: str, threshold: float, needed: int, periods: int, treated: str
) -> str:
    def many(n: int) -> str:
        return f"{n} datapoint{'' if n == 1 else 's'}"

    if new == UNKNOWN:
        return f"Insufficient Data: {many(periods)} {'was' if periods == 1 else 'were'} unknown."
    if not seen:
        ended, was = (f"{periods} period", "was") if periods == 1 else (f"{periods} periods", "were")
        filled = f"{periods} missing {many(periods).partition(' ')[2]} {was} treated as [{TREATMENTS[treated]}]"
        return f"Threshold Crossed: no datapoints were received for {ended} and {filled}."
    listed = ", ".join(f"{v:.12g} ({datetime.fromtimestamp(t, UTC):%d/%m/%y %H:%M:%S})" for t, v in reversed(seen))
    was = "was" if len(seen) == 1 else "were"
    return (
        f"Threshold Crossed: {len(seen)} out of the last {many(periods)} [{listed}] {was} {said} the threshold ({threshold:g})"
        f" (minimum {many(needed)} for {old} -> {new} transition)."
    )


def _key(alarm: Any) -> Key:
    _, _, _, region, account, _, name = alarm.alarm_arn.split(":", 6)
    return account, region, name


def _period(alarm: Any) -> int:
    return int(alarm.period or next(q.metric_stat.period for q in alarm.metric_data_queries if q.metric_stat))


def _step(alarm: Any) -> float:
    """Seconds of this machine from one evaluation to the next."""
    period = _period(alarm)
    every = metrics.FINE if period < MINUTE else HOUR if period * int(alarm.evaluation_periods) > DAY else MINUTE
    return every / cloud().speed


def _queries(alarm: Any) -> list[dict[str, Any]]:
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


def _returned(alarm: Any) -> str:
    several = alarm.metric_data_queries
    return next((q.id for q in several if len(several) == 1 or q.return_data is not False), "m")


def _put(self: Any, name: str, *args: Any, **given: Any) -> Any:
    """CloudWatchBackend.put_metric_alarm: an alarm that is there keeps its state; a new one knows nothing yet."""
    before = self.alarms.get(name)
    alarm: Any = _moto_put(self, name, *args, **given)
    kept = ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "state_transitioned_timestamp", "history")
    for attribute in kept if before else ():
        setattr(alarm, attribute, getattr(before, attribute))
    if not before:
        alarm.state_value, alarm.state_transitioned_timestamp = UNKNOWN, utcnow()
    _note(alarm, "ConfigurationUpdate", f'Alarm "{name}" {"updated" if before else "created"}', {})
    if alarm.rule is None:
        _evaluated_again(alarm, time.time())
    else:
        _compose(alarm)
    return alarm


def _evaluated_again(alarm: Any, when: float) -> None:
    step = _step(alarm)

    def due() -> None:
        now = time.time()
        if find(*_key(alarm)) is alarm:
            late = min(LATE, step / 4)
            _evaluated_again(alarm, (now - late) // step * step + step + late)
            evaluate(alarm, now - late)

    clock.at(("alarm", *_key(alarm)), when, due)


def _delete(self: Any, alarm_names: list[str]) -> None:
    for name in alarm_names:
        clock.drop(("alarm", self.account_id, self.region_name, name))
    _moto_delete(self, alarm_names)


def _update_state(self: Any, reason: str, reason_data: str | None, state_value: str) -> None:
    """Alarm.update_state: note the change, carry out the actions, tell who watches and the alarms made of this one."""
    with _lock:
        before = _shown(self)
        old = {"stateValue": self.state_value, "stateReason": self.state_reason}
        new = {"stateValue": state_value, "stateReason": reason, "stateReasonData": json.loads(reason_data or "{}")}
        self.state_reason, self.state_reason_data, self.state_updated_timestamp = reason, reason_data or "{}", utcnow()
        if state_value == self.state_value:
            return
        self.state_value, self.state_transitioned_timestamp = state_value, utcnow()
        told = [call for names, call in _watchers if _key(self) in names and state_value == ALARM]
    summary = f"Alarm updated from {old['stateValue']} to {state_value}"
    _note(self, "StateUpdate", summary, {"version": "1.0", "oldState": old, "newState": new})
    logging.getLogger(__name__).info("%s: %s: %s", self.name, summary, reason)
    for call in told:
        call(self.name)
    _tell(self, before)
    _act(self, was=str(old["stateValue"]))
    account, region, name = _key(self)
    for other in list(cloudwatch_backends[account][region].alarms.values()):
        if other.rule and name in Rule(other.rule).names:
            _compose(other)


def _shown(alarm: Any) -> dict[str, str]:
    """An alarm's state as an event tells it."""
    stamp = alarm.state_updated_timestamp.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
    return {"value": alarm.state_value, "reason": alarm.state_reason, "reasonData": alarm.state_reason_data, "timestamp": stamp}


def _tell(alarm: Any, before: dict[str, str]) -> None:
    """CloudWatch's event of a change of state."""
    configuration: dict[str, Any] = {"description": alarm.description} if alarm.description else {}
    if alarm.rule:
        configuration["alarmRule"] = alarm.rule
    else:
        configuration["metrics"] = [_metric(query, _period(alarm), query["Id"] == _returned(alarm)) for query in _queries(alarm)]
    detail = {"alarmName": alarm.name, "state": _shown(alarm), "previousState": before, "configuration": configuration}
    account, region, _ = _key(alarm)
    kind = "CloudWatch Alarm State Change"
    events.emit(account, region, source="aws.cloudwatch", kind=kind, detail=detail, resources=[alarm.alarm_arn])


def _metric(query: dict[str, Any], period: int, returned: bool) -> dict[str, Any]:
    if stat := query.get("MetricStat"):
        of = stat["Metric"]
        metric = {"namespace": of["Namespace"], "name": of["MetricName"], "dimensions": {d["Name"]: d["Value"] for d in of["Dimensions"]}}
        return {"id": query["Id"], "metricStat": {"metric": metric, "period": period, "stat": stat["Stat"]}, "returnData": returned}
    return {"id": query["Id"], "expression": query["Expression"], "returnData": returned}


def _note(alarm: Any, kind: str, summary: str, data: dict[str, Any]) -> None:
    if kind == "Action" and alarm.history and alarm.history[-1]["HistorySummary"] == summary:
        return  # a repeated action that goes on failing is told once
    about = {"AlarmName": alarm.name, "AlarmType": "CompositeAlarm" if alarm.rule else "MetricAlarm", "Timestamp": utcnow()}
    alarm.history.append(about | {"HistoryItemType": kind, "HistorySummary": summary, "HistoryData": json.dumps(data)})


def _act(alarm: Any, only: str | None = None, was: str = ALARM) -> None:
    of_state = {ALARM: alarm.alarm_actions, OK: alarm.ok_actions, UNKNOWN: alarm.insufficient_data_actions}
    for arn in of_state[alarm.state_value] if alarm.actions_enabled else []:
        service = arn.split(":")[2]
        if only not in (None, service):
            continue
        if service not in actions:
            logging.getLogger(__name__).warning("localcloud does not carry out %s, an action of alarm %s", arn, alarm.name)
            continue
        try:
            actions[service](alarm, arn, was)
        except Exception as problem:  # noted where CloudWatch notes it: in the alarm's history
            _note(alarm, "Action", f"Failed to execute action {arn}: {problem}", {})
        else:
            if only is None:
                _note(alarm, "Action", f"Successfully executed action {arn}", {})


def _publish(alarm: Any, arn: str, was: str) -> None:
    account, region, _ = _key(alarm)
    message = {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": account,
        "NewStateValue": alarm.state_value,
        "NewStateReason": alarm.state_reason,
        "StateChangeTime": alarm.state_updated_timestamp.isoformat(),
        "Region": region,
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": was,
    }
    topic = sns_backends[arn.split(":")[4]][arn.split(":")[3]].get_topic(arn)
    topic.publish(json.dumps(message), subject=f'{alarm.state_value}: "{alarm.name}" in {region}'[:100])


def _compose(alarm: Any) -> None:
    account, region, _ = _key(alarm)
    rings = Rule(alarm.rule).rings(lambda name: a.state_value if (a := find(account, region, name)) else None)
    if (new := ALARM if rings else OK) != alarm.state_value:
        alarm.update_state(f"the rule {alarm.rule} is {'true' if rings else 'false'}", None, new)


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
