"""Buses, their policies, and rules with their targets."""

from __future__ import annotations

import json
from typing import Any

from moto.events.models import EventBus, EventBusPolicyStatement, events_backends

from localcloud.cloudformation.resource_type import Resource, ResourceType, delete_by
from localcloud.core.errors import invalid
from localcloud.core.validation import request
from localcloud.iam import service_policies


def _put_bus(r: Resource, old: Resource | None) -> str:
    policy = r.properties.pop("Policy", None)
    operation = "CreateEventBus" if old is None else "UpdateEventBus"
    if old is None:
        r.call("events", operation, **request("events", operation, {**r.properties, "Name": r.name}))
    if policy is not None:
        r.call("events", "PutPermission", EventBusName=r.name, Policy=policy if isinstance(policy, str) else json.dumps(policy))
    return r.name


def _bus(r: Resource) -> EventBus:
    """moto's record of the bus. Its PutPermission drops other statements of the same principal, which CloudFormation keeps."""
    return events_backends[r.account][r.region]._get_event_bus(r.properties.get("EventBusName", "default"))


def _put_bus_policy(r: Resource, old: Resource | None) -> str:
    if "Statement" not in r.properties:
        raise invalid(
            f"localcloud knows Statement of an event bus policy, not Action, Principal and Condition: {r.properties['StatementId']}"
        )
    if old:
        _delete_bus_policy(old)
    statement = {"Sid": r.properties["StatementId"], **r.properties["Statement"]}
    service_policies.require_of_bus({"Statement": statement})
    with service_policies.within_size(_bus(r)):
        _bus(r)._statements[statement["Sid"]] = EventBusPolicyStatement.from_dict(statement)
    return str(statement["Sid"])


def _delete_bus_policy(r: Resource) -> None:
    _bus(r)._statements.pop(r.properties["StatementId"], None)


def _put_rule(r: Resource, old: Resource | None) -> str:
    members = {k: v for k, v in r.properties.items() if k not in ("Targets", "EventPattern")}
    if pattern := r.properties.get("EventPattern"):
        members["EventPattern"] = pattern if isinstance(pattern, str) else json.dumps(pattern)
    r.call("events", "PutRule", **request("events", "PutRule", {**members, "Name": r.name}))
    targets = r.properties.get("Targets", [])
    if targets:
        r.call("events", "PutTargets", **request("events", "PutTargets", {**_bus_of(r), "Rule": r.name, "Targets": targets}))
    if gone := [t["Id"] for t in (old.properties.get("Targets", []) if old else []) if t["Id"] not in {t["Id"] for t in targets}]:
        r.call("events", "RemoveTargets", **_bus_of(r), Rule=r.name, Ids=gone)
    bus = r.properties.get("EventBusName", "default").rpartition("/")[2]
    return r.name if bus == "default" else f"{bus}|{r.name}"


def _delete_rule(r: Resource) -> None:
    if targets := r.properties.get("Targets"):
        r.call("events", "RemoveTargets", **_bus_of(r), Rule=r.name, Ids=[t["Id"] for t in targets])
    r.call("events", "DeleteRule", **_bus_of(r), Name=r.name)


def _bus_of(r: Resource) -> dict[str, Any]:
    return {"EventBusName": r.properties["EventBusName"]} if "EventBusName" in r.properties else {}


TYPES = (
    ResourceType(
        "AWS::Events::EventBus",
        _put_bus,
        delete_by("events", "DeleteEventBus", "Name"),
        name="Name",
        attributes={"Arn": lambda r: r.arn("events", f"event-bus/{r.id}"), "Name": lambda r: r.id},
    ),
    ResourceType("AWS::Events::EventBusPolicy", _put_bus_policy, _delete_bus_policy),
    ResourceType(
        "AWS::Events::Rule",
        _put_rule,
        _delete_rule,
        name="Name",
        attributes={"Arn": lambda r: r.arn("events", f"rule/{r.id.replace('|', '/')}")},
    ),
)
