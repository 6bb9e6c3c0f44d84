"""The CloudFormation resource types of watching: buses, rules, schedules, and pipelines of SageMaker."""

from __future__ import annotations

import json
from typing import Any

from moto.events.models import EventBusPolicyStatement, events_backends

from localcloud import resources
from localcloud.errors import invalid
from localcloud.resources import Resource, Type
from localcloud.shapes import request


def install() -> None:
    """Make these types known beside those of resources.py."""
    resources.register(TYPES)


def _bus(r: Resource, old: Resource | None) -> str:
    policy = r.properties.pop("Policy", None)
    operation = "CreateEventBus" if old is None else "UpdateEventBus"
    if old is None:
        r.call("events", operation, **request("events", operation, {**r.properties, "Name": r.name}))
    if policy is not None:
        r.call("events", "PutPermission", EventBusName=r.name, Policy=policy if isinstance(policy, str) else json.dumps(policy))
    return r.name


def _statements(r: Resource) -> dict[str, EventBusPolicyStatement]:
    """The bus's statements as moto keeps them. Its PutPermission drops others of the same principal, which CloudFormation keeps."""
    held: dict[str, EventBusPolicyStatement]
    held = events_backends[r.account][r.region]._get_event_bus(r.properties.get("EventBusName", "default"))._statements
    return held


def _bus_policy(r: Resource, old: Resource | None) -> str:
    if "Statement" not in r.properties:
        raise invalid(
            f"localcloud knows Statement of an event bus policy, not Action, Principal and Condition: {r.properties['StatementId']}"
        )
    if old:
        _bus_policy_gone(old)
    statement = {"Sid": r.properties["StatementId"], **r.properties["Statement"]}
    _statements(r)[statement["Sid"]] = EventBusPolicyStatement.from_dict(statement)
    return str(statement["Sid"])


def _bus_policy_gone(r: Resource) -> None:
    _statements(r).pop(r.properties["StatementId"], None)


def _rule(r: Resource, old: Resource | None) -> str:
    given = {k: v for k, v in r.properties.items() if k not in ("Targets", "EventPattern")}
    if pattern := r.properties.get("EventPattern"):
        given["EventPattern"] = pattern if isinstance(pattern, str) else json.dumps(pattern)
    r.call("events", "PutRule", **request("events", "PutRule", {**given, "Name": r.name}))
    targets = r.properties.get("Targets", [])
    if targets:
        r.call("events", "PutTargets", **request("events", "PutTargets", {**_on(r), "Rule": r.name, "Targets": targets}))
    if gone := [t["Id"] for t in (old.properties.get("Targets", []) if old else []) if t["Id"] not in {t["Id"] for t in targets}]:
        r.call("events", "RemoveTargets", **_on(r), Rule=r.name, Ids=gone)
    bus = r.properties.get("EventBusName", "default").rpartition("/")[2]
    return r.name if bus == "default" else f"{bus}|{r.name}"


def _rule_gone(r: Resource) -> None:
    if targets := r.properties.get("Targets"):
        r.call("events", "RemoveTargets", **_on(r), Rule=r.name, Ids=[t["Id"] for t in targets])
    r.call("events", "DeleteRule", **_on(r), Name=r.name)


def _on(r: Resource) -> dict[str, Any]:
    return {"EventBusName": r.properties["EventBusName"]} if "EventBusName" in r.properties else {}


def _schedule(r: Resource, old: Resource | None) -> str:
    operation = "CreateSchedule" if old is None else "UpdateSchedule"
    r.call("scheduler", operation, **request("scheduler", operation, {**r.properties, "Name": r.name}))
    return r.name


def _group(r: Resource) -> str:
    return str(r.properties.get("GroupName", "default"))


def _pipeline(r: Resource, old: Resource | None) -> str:
    """A definition is its text, or an object with the text: CloudFormation takes both."""
    given = r.properties["PipelineDefinition"]
    given = json.loads(given) if isinstance(given, str) else given
    if "PipelineDefinitionBody" not in given:
        raise invalid(f"localcloud takes the definition of pipeline {r.name} as PipelineDefinitionBody only")
    body = given["PipelineDefinitionBody"]
    operation = "CreatePipeline" if old is None else "UpdatePipeline"
    drop = () if old is None else ("Tags",)
    wanted = {k: v for k, v in r.properties.items() if k not in drop}
    wanted |= {"PipelineDefinition": body if isinstance(body, str) else json.dumps(body), "PipelineName": r.name}
    r.call("sagemaker", operation, **request("sagemaker", operation, wanted))
    return r.name


TYPES = (
    Type(
        "AWS::Events::EventBus",
        _bus,
        lambda r: r.call("events", "DeleteEventBus", Name=r.id),
        name="Name",
        attributes={"Arn": lambda r: r.arn("events", f"event-bus/{r.id}"), "Name": lambda r: r.id},
    ),
    Type("AWS::Events::EventBusPolicy", _bus_policy, _bus_policy_gone),
    Type(
        "AWS::Events::Rule",
        _rule,
        _rule_gone,
        name="Name",
        attributes={"Arn": lambda r: r.arn("events", f"rule/{r.id.replace('|', '/')}")},
    ),
    Type(
        "AWS::Scheduler::Schedule",
        _schedule,
        lambda r: r.call("scheduler", "DeleteSchedule", Name=r.id, GroupName=_group(r)),
        name="Name",
        attributes={"Arn": lambda r: r.arn("scheduler", f"schedule/{_group(r)}/{r.id}")},
    ),
    Type(
        "AWS::SageMaker::Pipeline",
        _pipeline,
        lambda r: r.call("sagemaker", "DeletePipeline", PipelineName=r.id),
        name="PipelineName",
    ),
)
