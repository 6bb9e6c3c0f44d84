"""Rules as they are seen: events do not match a new or changed rule, or reach its new targets, at once."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from moto.events.models import EventBus, EventPattern, Rule, events_backends

from localcloud.core.late_reads import Kind


@dataclass(frozen=True)
class SeenRule:
    """A rule as it was."""

    account_id: str
    region_name: str
    event_bus_name: str
    name: str
    arn: str
    state: str
    pattern: str
    targets: Sequence[dict[str, Any]]

    @cached_property
    def event_pattern(self) -> EventPattern:
        """The pattern, parsed."""
        return EventPattern.load(self.pattern)


def rules(bus: EventBus) -> list[Rule | SeenRule]:
    """The rules of a bus, those that have just been deleted among them."""
    stale = RULES.stale(bus.account_id, bus.region)
    others = {arn: rule for arn, rule in stale.items() if rule is None or rule.event_bus_name == bus.name}
    return [rule for rule in ({rule.arn: rule for rule in bus.rules.values()} | others).values() if rule]


def _now(account: str, region: str) -> dict[str, SeenRule]:
    return {rule.arn: _of(rule) for bus in list(events_backends[account][region].event_buses.values()) for rule in list(bus.rules.values())}


def _of(rule: Rule) -> SeenRule:
    return SeenRule(
        account_id=rule.account_id,
        region_name=rule.region_name,
        event_bus_name=rule.event_bus_name,
        name=rule.name,
        arn=rule.arn,
        state=rule.state,
        pattern=rule.event_pattern.dump() or "",
        targets=copy.deepcopy(rule.targets),
    )


RULES = Kind("events", "EventBridge API reference, PutRule, PutTargets, RemoveTargets and DeleteRule", _now)
