"""Schedules."""

from __future__ import annotations

from localcloud.cloudformation.resource_type import Resource, ResourceType
from localcloud.core.validation import request


def _put(r: Resource, old: Resource | None) -> str:
    operation = "CreateSchedule" if old is None else "UpdateSchedule"
    r.call("scheduler", operation, **request("scheduler", operation, {**r.properties, "Name": r.name}))
    return r.name


def _group(r: Resource) -> str:
    return str(r.properties.get("GroupName", "default"))


TYPES = (
    ResourceType(
        "AWS::Scheduler::Schedule",
        _put,
        lambda r: r.call("scheduler", "DeleteSchedule", Name=r.id, GroupName=_group(r)),
        name="Name",
        attributes={"Arn": lambda r: r.arn("scheduler", f"schedule/{_group(r)}/{r.id}")},
    ),
)
