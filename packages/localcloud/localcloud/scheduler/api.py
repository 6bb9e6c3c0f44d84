"""EventBridge Scheduler's calls: a schedule that is put is followed. The schedules are moto's records."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.scheduler.models import EventBridgeSchedulerBackend, Schedule

from localcloud.core import clock, schedules
from localcloud.core.errors import invalid
from localcloud.events import targets

SERVICE = "scheduler.amazonaws.com"
CALLED = ("codepipeline", "sagemaker:pipeline")  # the kinds of target that a schedule has here
_moto: dict[str, Any] = {n: getattr(EventBridgeSchedulerBackend, f"{n}_schedule") for n in ("create", "update", "delete")}


def install() -> None:
    """Let schedules act."""
    for operation in (create_schedule, update_schedule, delete_schedule):
        setattr(EventBridgeSchedulerBackend, operation.__name__, operation)


def create_schedule(self: Any, **members: Any) -> Schedule:
    _check(members)
    return _follow(self, _moto["create"](self, **members))


def update_schedule(self: Any, **members: Any) -> Schedule:
    _check(members)
    return _follow(self, _moto["update"](self, **members))


def delete_schedule(self: Any, group_name: str | None, name: str) -> None:
    _moto["delete"](self, group_name, name)
    clock.drop(_key(self, group_name, name))


def _check(members: dict[str, Any]) -> None:
    """Raise an AWS error for a schedule that would be refused, or that localcloud cannot follow."""
    schedules.next_after(members["schedule_expression"], datetime.now(schedules.zone(members.get("schedule_expression_timezone"))))
    if members["flexible_time_window"]["Mode"] != "OFF":
        raise invalid(f"localcloud invokes a schedule at its time: FlexibleTimeWindow of {members['name']} must be OFF")
    target = members["target"]
    if targets.kind(target["Arn"]) not in CALLED:
        raise invalid(f"localcloud has no schedules for {target['Arn']}: it knows {', '.join(CALLED)}")
    try:
        targets.assumed(target["RoleArn"], SERVICE)
    except JsonRESTError as problem:
        raise invalid("The execution role you provide must allow AWS EventBridge Scheduler to assume the role.") from problem


def _key(self: Any, group: str | None, name: str) -> tuple[str, ...]:
    return ("schedule", self.account_id, self.region_name, group or "default", name)


def _follow(self: Any, schedule: Schedule) -> Schedule:
    """Follow the schedule while it is enabled. As AWS: a rate without StartDate begins at once."""
    key = _key(self, schedule.group_name, schedule.name)

    def act(_at: datetime) -> None:
        target = schedule.target
        text = target.get("Input") or json.dumps({})
        role = target["RoleArn"]
        targets.deliver(targets.Delivery(by=schedule.arn, service=SERVICE, target=target, text=text, ended=lambda _why: None, role=role))

    clock.drop(key)
    if schedule.state == "ENABLED":
        start, end = (float(d) if d else None for d in (schedule.start_date, schedule.end_date))
        zone = schedule.schedule_expression_timezone
        schedules.follow(key, schedule.schedule_expression, act, timezone=zone, start=start, end=end, at_once=True)
    return schedule
