"""Buses: what happens is an event on a bus, whose rules see it and have their targets called.

Buses, rules and their targets are moto's records. moto sends inside the request, to few targets, as nobody in particular; here a
publisher never waits, and whether a target may be called is judged.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from moto.events.models import EventBus, EventsBackend, Rule, events_backends
from moto.events.responses import EventsHandler

from localcloud.cloudwatch import metrics
from localcloud.core.errors import error, invalid
from localcloud.events import inputs, patterns, seen, targets
from localcloud.events.patterns import Event
from localcloud.events.seen import SeenRule
from localcloud.iam.resource_policies import bus_allows

MOST = 10  # events of one PutEvents


def install() -> None:
    """Answer PutEvents and TestEventPattern, and send events from bus to bus."""
    setattr(EventsBackend, "put_events", _put_events)  # noqa: B010
    setattr(EventsHandler, "test_event_pattern", patterns.test)  # noqa: B010
    targets.senders["events:event-bus"] = _forward


def event(account: str, region: str, *, source: str, kind: str, detail: dict[str, Any], resources: Iterable[str] = ()) -> Event:
    """An event of now, as rules see it."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": kind,
        "source": source,
        "account": account,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": list(resources),
        "detail": detail,
    }


def emit(account: str, region: str, *, source: str, kind: str, detail: dict[str, Any], resources: Iterable[str] = ()) -> None:
    """An AWS service's own event, on the default bus of the account."""
    default = events_backends[account][region].event_buses["default"]
    receive(default, event(account, region, source=source, kind=kind, detail=detail, resources=resources))


def receive(bus: EventBus, event: Event) -> None:
    """Let every rule of the bus see the event."""
    for rule in seen.rules(bus):
        if rule.state == "ENABLED" and rule.event_pattern.dump() and patterns.matches(rule.event_pattern, event):
            call(rule, event)


def call(rule: Rule | SeenRule, event: Event) -> None:
    """Have every target of the rule called, soon and elsewhere."""

    def count(name: str) -> None:
        to = metrics.Metric(rule.account_id, rule.region_name, "AWS/Events", name, frozenset({("RuleName", rule.name)}))
        metrics.record(to, 1, unit="Count")

    count("MatchedEvents")
    for target in list(rule.targets):
        try:
            text = inputs.text(target, event, rule.arn)
        except Exception as problem:  # as on AWS, an event that cannot be told to one target still reaches the others
            logging.getLogger(__name__).warning("%s: target %s: %s", rule.arn, target["Id"], getattr(problem, "message", problem))
            count("FailedInvocations")
            continue
        count("Invocations")
        targets.deliver(
            targets.Delivery(
                by=rule.arn,
                service="events.amazonaws.com",
                target=target,
                text=text,
                ended=lambda why: count("FailedInvocations") if why else None,
            )
        )


def _forward(delivery: targets.Delivery) -> None:
    """Put an event on another bus. One that came from another account goes no further than to its own."""
    event, (account, region) = json.loads(delivery.text), targets.where(delivery.arn)
    role = targets.acts_as(delivery, "events:PutEvents")
    if event["account"] not in (delivery.account, account):
        raise invalid(f"an event of account {event['account']} is not sent on to a third account")
    bus = events_backends[account][region]._get_event_bus(delivery.arn)
    context = {"events:source": [event["source"]], "events:detail-type": [event["detail-type"]]}
    if not bus_allows(delivery.arn, role, context):
        raise error("AccessDeniedException", f"the policy of {delivery.arn} does not let {role} do events:PutEvents")
    receive(bus, event)


def _put_events(self: Any, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if not 0 < len(events) <= MOST:
        raise invalid(f"1 validation error detected: Value at 'entries' must have length between 1 and {MOST}: found {len(events)}")
    return [_put(self, entry) for entry in events]


def _put(self: Any, entry: dict[str, Any]) -> dict[str, str]:
    def refused(code: str, message: str) -> dict[str, str]:
        return {"ErrorCode": code, "ErrorMessage": message}

    for name in ("Source", "DetailType", "Detail"):
        if not entry.get(name):
            return refused("InvalidArgument", f"Parameter {name} is not valid. Reason: {name} is a required argument.")
    if str(entry["Source"]).startswith("aws."):
        return refused("NotAuthorizedForSourceException", "Not authorized for the source.")
    try:
        detail = json.loads(entry["Detail"])
    except ValueError:
        detail = None
    if not isinstance(detail, dict):
        return refused("MalformedDetail", "Detail is malformed.")
    name = entry.get("EventBusName") or "default"
    region, account = name.split(":")[3:5] if name.startswith("arn:") else (self.region_name, self.account_id)
    bus = events_backends[account][region].event_buses.get(name.rpartition("/")[2])
    source, kind, resources = entry["Source"], entry["DetailType"], entry.get("Resources") or []
    sent = event(self.account_id, self.region_name, source=source, kind=kind, detail=detail, resources=resources)
    if entry.get("Time"):
        sent["time"] = datetime.fromtimestamp(float(entry["Time"]), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if bus:  # as EventBridge: what is sent to a bus that does not exist is accepted, and goes nowhere
        receive(bus, sent)
    return {"EventId": sent["id"]}
