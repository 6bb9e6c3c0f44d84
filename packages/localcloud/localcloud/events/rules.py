"""Rules and their targets: what cannot be matched, made or called is refused when it is put, and a rule's schedule is followed."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

from moto.events.models import EventsBackend, Rule

from localcloud.core import clock, schedules
from localcloud.events import bus, inputs, patterns, targets

OPERATIONS = ("put_rule", "enable_rule", "disable_rule", "delete_rule", "put_targets")
_moto: dict[str, Any] = {name: getattr(EventsBackend, name) for name in OPERATIONS}
_lock = threading.Lock()


def install() -> None:
    """Stand in front of moto's records."""
    for operation in (put_rule, put_targets, enable_rule, disable_rule, delete_rule):
        setattr(EventsBackend, operation.__name__, operation)


def put_rule(self: Any, name: str, **members: Any) -> Rule:
    if pattern := members.get("event_pattern"):
        patterns.check(pattern)
    if schedule := members.get("scheduled_expression"):
        schedules.next_after(schedule, datetime.now(UTC))
    with _lock:
        rule: Rule = _moto["put_rule"](self, name, **members)
        _follow(rule)
    return rule


def put_targets(self: Any, name: str, event_bus_arn: str | None, wanted: list[dict[str, Any]]) -> None:
    for target in wanted:
        targets.check(target)
        inputs.check(target)
    _moto["put_targets"](self, name, event_bus_arn, wanted)


def enable_rule(self: Any, name: str, event_bus_arn: str | None) -> bool:
    return _switch(self, "enable_rule", name, event_bus_arn)


def disable_rule(self: Any, name: str, event_bus_arn: str | None) -> bool:
    return _switch(self, "disable_rule", name, event_bus_arn)


def _switch(self: Any, operation: str, name: str, event_bus_arn: str | None) -> bool:
    exists: bool = _moto[operation](self, name, event_bus_arn)
    if exists:
        _follow(self.describe_rule(name, event_bus_arn))
    return exists


def delete_rule(self: Any, name: str, event_bus_arn: str | None) -> None:
    _moto["delete_rule"](self, name, event_bus_arn)
    clock.drop(("rule", self.account_id, self.region_name, name))


def _follow(rule: Rule) -> None:
    """Follow the rule's schedule while it is enabled."""
    key = ("rule", rule.account_id, rule.region_name, rule.name)
    if not rule.scheduled_expression:
        return
    clock.drop(key)
    if rule.state == "ENABLED":

        def act(_at: datetime) -> None:
            where = (rule.account_id, rule.region_name)
            bus.call(rule, bus.event(*where, source="aws.events", kind="Scheduled Event", detail={}, resources=[rule.arn]))

        schedules.follow(key, rule.scheduled_expression, act)
