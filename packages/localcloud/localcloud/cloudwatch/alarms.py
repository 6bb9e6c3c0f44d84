"""CloudWatch alarms that are evaluated, every (scaled) minute, and whose changes of state have consequences."""

from __future__ import annotations

import contextlib
import json
import logging
import operator
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.models import Alarm, CloudWatchBackend, cloudwatch_backends
from moto.core.utils import utcnow

from localcloud.cloudwatch import alarm_events
from localcloud.cloudwatch.alarm_actions import StateChange, act, note, repeat
from localcloud.cloudwatch.alarm_metrics import Key, key, observed, period, step
from localcloud.cloudwatch.alarm_rules import Rule
from localcloud.cloudwatch.alarm_states import ALARM, EXTRA, OK, UNKNOWN, Evaluation, state
from localcloud.core import clock

LATE = 0.05  # seconds that data may take to arrive after their period
COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
KEPT = ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "state_transitioned_timestamp", "history")
DELETED = "history_of_deleted_alarms"  # where an account's CloudWatch keeps it
Notify = Callable[[str], None]
_moto_put, _moto_delete = CloudWatchBackend.put_metric_alarm, CloudWatchBackend.delete_alarms
_watchers: list[tuple[set[Key], Notify]] = []
_lock = threading.RLock()


def install() -> None:
    """Have every alarm evaluated, and its changes acted on."""
    replaced: tuple[tuple[Any, str, Any], ...] = (
        (Alarm, "update_state", _update_state),
        (CloudWatchBackend, "put_metric_alarm", _put),
        (CloudWatchBackend, "delete_alarms", _delete),
    )
    for owner, name, function in replaced:
        setattr(owner, name, function)


def find(account: str, region: str, name: str) -> Any:
    """The alarm of that name, or None."""
    return cloudwatch_backends[account][region].alarms.get(name)


@contextlib.contextmanager
def watched(account: str, region: str, names: Iterable[str], notify: Notify) -> Iterator[None]:
    """Call `notify` with the name of each of these alarms that is in ALARM, at the start of the block or within it."""
    watcher = ({(account, region, name) for name in names}, notify)
    with _lock:
        _watchers.append(watcher)
        alarming = [name for *_, name in sorted(watcher[0]) if (a := find(account, region, name)) and a.state_value == ALARM]
    for name in alarming:
        notify(name)
    try:
        yield
    finally:
        with _lock:
            _watchers.remove(watcher)


def evaluate(alarm: Any, now: float) -> None:
    """Bring a metric alarm to the state that the periods which have ended by `now` ask for, and carry out what a change calls for."""
    periods = int(alarm.evaluation_periods)
    needed = int(alarm.datapoints_to_alarm or periods)
    start, length, values = observed(alarm, now, periods + EXTRA)
    breaches, comparison = COMPARISONS[alarm.comparison_operator]
    threshold = float(alarm.threshold)
    missing = alarm.treat_missing_data or "missing"
    points = [None if v is None else bool(breaches(v, threshold)) for v in values]
    new = state(points, needed=needed, periods=periods, missing=missing, current=alarm.state_value)
    if new == alarm.state_value:
        if new == ALARM:
            repeat(alarm)
        return
    datapoints = [(start + i * length, v) for i, v in enumerate(values) if v is not None][-periods:]
    evaluation = Evaluation(
        old=alarm.state_value,
        new=new,
        datapoints=datapoints,
        comparison=comparison,
        threshold=threshold,
        needed=needed,
        periods=periods,
        missing=missing,
    )
    data = {
        "version": "1.0",
        "queryDate": _stamp(now),
        "startDate": _stamp(start),
        "period": period(alarm),
        "recentDatapoints": [v for _, v in datapoints],
        "threshold": threshold,
        "evaluatedDatapoints": [{"timestamp": _stamp(t), "value": v} for t, v in reversed(datapoints)],
    }
    alarm.update_state(evaluation.reason, json.dumps(data), new)


def latest(alarm: Any, now: float) -> float | None:
    """The value of the newest whole period that has one."""
    *_, values = observed(alarm, now, int(alarm.evaluation_periods) + EXTRA)
    return next((v for v in reversed(values) if v is not None), None)


def _put(self: Any, name: str, *args: Any, **members: Any) -> Any:
    """CloudWatchBackend.put_metric_alarm: an alarm that is there keeps its state; a new one knows nothing yet."""
    before = self.alarms.get(name)
    alarm: Any = _moto_put(self, name, *args, **members)
    for attribute in KEPT if before else ():
        setattr(alarm, attribute, getattr(before, attribute))
    if not before:
        alarm.state_value, alarm.state_transitioned_timestamp = UNKNOWN, utcnow()
    note(alarm, "ConfigurationUpdate", f'Alarm "{name}" {"updated" if before else "created"}', {})
    if alarm.rule is None:
        _evaluate_at(alarm, time.time())
    else:
        _compose(alarm)
    return alarm


def _evaluate_at(alarm: Any, when: float) -> None:
    """Evaluate the alarm at `when`, and from then on at every step."""
    every = step(alarm)

    def due() -> None:
        now = time.time()
        if find(*key(alarm)) is alarm:
            late = min(LATE, every / 4)
            _evaluate_at(alarm, (now - late) // every * every + every + late)
            evaluate(alarm, now - late)

    clock.at(("alarm", *key(alarm)), when, due)


def history(backend: Any) -> Iterator[Any]:
    """What is remembered of every alarm of an account and region, also of those that were deleted, as DescribeAlarmHistory's page says."""
    for alarm in list(backend.alarms.values()):
        yield from list(alarm.history)
    yield from backend.__dict__.get(DELETED, [])


def _delete(self: Any, alarm_names: list[str]) -> None:
    for name in alarm_names:
        clock.drop(("alarm", self.account_id, self.region_name, name))
    remembered = [item for name in alarm_names if name in self.alarms for item in self.alarms[name].history]
    self.__dict__.setdefault(DELETED, []).extend(remembered)
    _moto_delete(self, alarm_names)


def _update_state(self: Any, reason: str, reason_data: str | None, state_value: str) -> None:
    """Alarm.update_state: note the change, carry out the actions, tell who watches and the alarms made of this one."""
    with _lock:
        before = alarm_events.shown(self)
        old = {"stateValue": self.state_value, "stateReason": self.state_reason}
        new = {"stateValue": state_value, "stateReason": reason, "stateReasonData": json.loads(reason_data or "{}")}
        self.state_reason, self.state_reason_data, self.state_updated_timestamp = reason, reason_data or "{}", utcnow()
        if state_value == self.state_value:
            return
        self.state_value, self.state_transitioned_timestamp = state_value, utcnow()
        after, now = alarm_events.shown(self), self.state_updated_timestamp
        watchers = [notify for names, notify in _watchers if key(self) in names and state_value == ALARM]
    summary = f"Alarm updated from {old['stateValue']} to {state_value}"
    note(self, "StateUpdate", summary, {"version": "1.0", "oldState": old, "newState": new})
    logging.getLogger(__name__).info("%s: %s: %s", self.name, summary, reason)
    for notify in watchers:
        notify(self.name)
    alarm_events.emit(self, before, after)
    act(StateChange(self, str(old["stateValue"]), state_value, reason, now))
    account, region, name = key(self)
    for other in list(cloudwatch_backends[account][region].alarms.values()):
        if other.rule and name in Rule(other.rule).names:
            _compose(other)


def _compose(alarm: Any) -> None:
    """Bring a composite alarm to the state that its rule asks for."""
    account, region, _ = key(alarm)
    holds = Rule(alarm.rule).holds(lambda name: a.state_value if (a := find(account, region, name)) else None)
    if (new := ALARM if holds else OK) != alarm.state_value:
        alarm.update_state(f"the rule {alarm.rule} is {'true' if holds else 'false'}", None, new)


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
