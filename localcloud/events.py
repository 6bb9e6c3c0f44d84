"""EventBridge that delivers: rules of every bus see each event once, and call their targets elsewhere, as often as it takes.

Buses, rules and their targets are moto's records. moto sends inside the request, to few targets, as nobody in particular; here a
publisher never waits, and whether a target may be called is judged.
"""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from moto.events.models import EventBus, EventsBackend, Rule, events_backends
from moto.s3 import notifications
from moto.s3.models import FakeBucket

from localcloud import clock, event_patterns, iam, metrics, schedules, targets
from localcloud.errors import error, invalid
from localcloud.event_patterns import Event

MOST = 10  # events of one PutEvents
REASONS = {"Put": "PutObject", "Post": "POST Object", "Copy": "CopyObject"}
_moto: dict[str, Any] = {n: getattr(EventsBackend, n) for n in ("put_rule", "enable_rule", "disable_rule", "delete_rule", "put_targets")}
_lock = threading.Lock()


def install() -> None:
    """Put delivery in the place of moto's."""
    for operation in (put_events, put_rule, put_targets, enable_rule, disable_rule, delete_rule):
        setattr(EventsBackend, operation.__name__, operation)
    targets.senders["events:event-bus"] = _forward
    setattr(notifications, "_send_event_bridge_message", _object_changed)  # noqa: B010  what moto calls for buckets that want it


def emit(account: str, region: str, *, source: str, kind: str, detail: dict[str, Any], resources: Iterable[str] = ()) -> None:
    """An AWS service's own event, on the default bus of the account."""
    receive(events_backends[account][region].event_buses["default"], _event(account, region, source, kind, detail, resources))


def receive(bus: EventBus, event: Event) -> None:
    """Let every rule of the bus see the event."""
    for rule in list(bus.rules.values()):
        if rule.state == "ENABLED" and rule.event_pattern.dump() and event_patterns.matches(rule.event_pattern, event):
            _call(rule, event)


def _event(account: str, region: str, source: str, kind: str, detail: dict[str, Any], resources: Iterable[str]) -> Event:
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


def _call(rule: Rule, event: Event) -> None:
    def count(name: str) -> None:
        to = metrics.Metric(rule.account_id, rule.region_name, "AWS/Events", name, frozenset({("RuleName", rule.name)}))
        metrics.record(to, 1, unit="Count")

    count("MatchedEvents")
    for target in list(rule.targets):
        try:
            text = event_patterns.told(target, event, rule.arn)
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
    if not iam.bus_allows(delivery.arn, role, context):
        raise error("AccessDeniedException", f"the policy of {delivery.arn} does not let {role} do events:PutEvents")
    receive(bus, event)


def put_events(self: Any, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if not 0 < len(events) <= MOST:
        raise invalid(f"1 validation error detected: Value at 'entries' must have length between 1 and {MOST}: found {len(events)}")
    return [_put(self, given) for given in events]


def _put(self: Any, given: dict[str, Any]) -> dict[str, str]:
    def refused(code: str, message: str) -> dict[str, str]:
        return {"ErrorCode": code, "ErrorMessage": message}

    for name in ("Source", "DetailType", "Detail"):
        if not given.get(name):
            return refused("InvalidArgument", f"Parameter {name} is not valid. Reason: {name} is a required argument.")
    if str(given["Source"]).startswith("aws."):
        return refused("NotAuthorizedForSourceException", "Not authorized for the source.")
    try:
        detail = json.loads(given["Detail"])
    except ValueError:
        detail = None
    if not isinstance(detail, dict):
        return refused("MalformedDetail", "Detail is malformed.")
    name = given.get("EventBusName") or "default"
    region, account = name.split(":")[3:5] if name.startswith("arn:") else (self.region_name, self.account_id)
    bus = events_backends[account][region].event_buses.get(name.rpartition("/")[2])
    event = _event(self.account_id, self.region_name, given["Source"], given["DetailType"], detail, given.get("Resources") or [])
    if given.get("Time"):
        event["time"] = datetime.fromtimestamp(float(given["Time"]), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if bus:  # as EventBridge: what is sent to a bus that does not exist is accepted, and goes nowhere
        receive(bus, event)
    return {"EventId": event["id"]}


def put_rule(self: Any, name: str, **given: Any) -> Rule:
    if pattern := given.get("event_pattern"):
        event_patterns.check(pattern)
    if schedule := given.get("scheduled_expression"):
        schedules.next_after(schedule, datetime.now(UTC))
    with _lock:
        rule: Rule = _moto["put_rule"](self, name, **given)
        _planned(rule)
    return rule


def put_targets(self: Any, name: str, event_bus_arn: str | None, wanted: list[dict[str, Any]]) -> None:
    for target in wanted:
        targets.check(target)
        event_patterns.check_target(target)
    _moto["put_targets"](self, name, event_bus_arn, wanted)


def enable_rule(self: Any, name: str, event_bus_arn: str | None) -> bool:
    return _switched(self, "enable_rule", name, event_bus_arn)


def disable_rule(self: Any, name: str, event_bus_arn: str | None) -> bool:
    return _switched(self, "disable_rule", name, event_bus_arn)


def _switched(self: Any, how: str, name: str, event_bus_arn: str | None) -> bool:
    found: bool = _moto[how](self, name, event_bus_arn)
    if found:
        _planned(self.describe_rule(name, event_bus_arn))
    return found


def delete_rule(self: Any, name: str, event_bus_arn: str | None) -> None:
    _moto["delete_rule"](self, name, event_bus_arn)
    clock.drop(("rule", self.account_id, self.region_name, name))


def _planned(rule: Rule) -> None:
    """Follow the rule's schedule while it is enabled."""
    key = ("rule", rule.account_id, rule.region_name, rule.name)
    if not rule.scheduled_expression:
        return
    clock.drop(key)
    if rule.state == "ENABLED":

        def act(_at: datetime) -> None:
            _call(rule, _event(rule.account_id, rule.region_name, "aws.events", "Scheduled Event", {}, [rule.arn]))

        schedules.follow(key, rule.scheduled_expression, act)


def _object_changed(account_id: str, bucket: FakeBucket, event_name: str, key: Any) -> None:
    """S3's "Object Created"; it tells of nothing else here."""
    what = event_name.rpartition(":")[2]
    if (kind := notifications._detail_type(event_name)) != "Object Created" or (what == "Put" and key.multipart):
        return  # moto puts an object before it says that its upload is complete
    held = {"key": key.name, "size": key.size, "etag": key.etag.strip('"'), "sequencer": f"{uuid.uuid1().time:018X}"}
    if bucket.versioning_status == "Enabled":
        held["version-id"] = key.version_id
    detail = {"version": "0", "bucket": {"name": bucket.name}, "object": held, "requester": account_id, "reason": REASONS.get(what, what)}
    emit(account_id, bucket.region_name, source="aws.s3", kind=kind, detail=detail, resources=[bucket.arn])
