"""What an alarm does when its state changes: the actions that it names, and the history of it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from moto.core.utils import utcnow
from moto.sns.models import sns_backends

from localcloud.cloudwatch.alarm_metrics import key
from localcloud.cloudwatch.alarm_states import ALARM, OK, UNKNOWN


@dataclass(frozen=True)
class StateChange:
    """A change as it was when it was made: the alarm may have changed again by the time that an action is carried out."""

    alarm: Any
    before: str
    state: str
    reason: str
    at: datetime


Action = Callable[[StateChange, str], None]  # with the action's ARN


def note(alarm: Any, kind: str, summary: str, data: dict[str, Any]) -> None:
    """Add an item to the alarm's history. A repeated action that goes on failing is one item."""
    if kind == "Action" and alarm.history and alarm.history[-1]["HistorySummary"] == summary:
        return
    about = {"AlarmName": alarm.name, "AlarmType": "CompositeAlarm" if alarm.rule else "MetricAlarm", "Timestamp": utcnow()}
    alarm.history.append(about | {"HistoryItemType": kind, "HistorySummary": summary, "HistoryData": json.dumps(data)})


def act(change: StateChange) -> None:
    """Carry out the actions that the alarm has for the state it came to."""
    for arn in _actions(change):
        if _carried_out(change, arn):
            note(change.alarm, "Action", f"Successfully executed action {arn}", {})


def repeat(alarm: Any) -> None:
    """Call autoscaling again, and nobody else, as CloudWatch does while an alarm is in ALARM."""
    still = StateChange(alarm, ALARM, ALARM, alarm.state_reason, alarm.state_updated_timestamp)
    for arn in _actions(still):
        if _service(arn) == "autoscaling":
            _carried_out(still, arn)


def _actions(change: StateChange) -> list[str]:
    alarm = change.alarm
    of_state: dict[str, list[str]] = {ALARM: alarm.alarm_actions, OK: alarm.ok_actions, UNKNOWN: alarm.insufficient_data_actions}
    return of_state[change.state] if alarm.actions_enabled else []


def _service(arn: str) -> str:
    return arn.split(":")[2]


def _carried_out(change: StateChange, arn: str) -> bool:
    if _service(arn) not in actions:
        logging.getLogger(__name__).warning("localcloud does not carry out %s, an action of alarm %s", arn, change.alarm.name)
        return False
    try:
        actions[_service(arn)](change, arn)
    except Exception as problem:  # noted where CloudWatch notes it: in the alarm's history
        note(change.alarm, "Action", f"Failed to execute action {arn}: {problem}", {})
        return False
    return True


def _publish(change: StateChange, arn: str) -> None:
    alarm = change.alarm
    account, region, _ = key(alarm)
    message = {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": account,
        "NewStateValue": change.state,
        "NewStateReason": change.reason,
        "StateChangeTime": change.at.isoformat(),
        "Region": region,
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": change.before,
    }
    topic = sns_backends[arn.split(":")[4]][arn.split(":")[3]].get_topic(arn)
    topic.publish(json.dumps(message), subject=f'{change.state}: "{alarm.name}" in {region}'[:100])


actions: dict[str, Action] = {"sns": _publish}  # by the service that the action's ARN names; other services add theirs
