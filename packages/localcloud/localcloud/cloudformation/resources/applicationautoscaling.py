"""Scalable targets and scaling policies, which moto lacks."""

from __future__ import annotations

from localcloud.cloudformation.resource_type import Properties, Resource, ResourceType
from localcloud.core.validation import request

SERVICE = "application-autoscaling"
NAMES = ("ResourceId", "ScalableDimension", "ServiceNamespace")  # what names a scalable target


def _put_target(r: Resource, old: Resource | None) -> str:
    properties = {k: v for k, v in r.properties.items() if k not in ("RoleARN", "ScheduledActions")}
    r.call(SERVICE, "RegisterScalableTarget", **request(SERVICE, "RegisterScalableTarget", properties))
    r.id = "|".join(str(r.properties[k]) for k in NAMES)
    actions = {a["ScheduledActionName"]: a for a in r.properties.get("ScheduledActions", [])}
    for action in actions.values():
        r.call(SERVICE, "PutScheduledAction", **request(SERVICE, "PutScheduledAction", {**action, **_named(r.id)}))
    for action in old.properties.get("ScheduledActions", []) if old else []:
        if (name := action["ScheduledActionName"]) not in actions:
            r.call(SERVICE, "DeleteScheduledAction", ScheduledActionName=name, **_named(r.id))
    return r.id


def _delete_target(r: Resource) -> None:
    r.call(SERVICE, "DeregisterScalableTarget", **_named(r.id))


def _put_policy(r: Resource, old: Resource | None) -> str:
    properties = {k: v for k, v in r.properties.items() if k != "ScalingTargetId"}
    wanted = request(SERVICE, "PutScalingPolicy", {**properties, **_target_of(r)})
    return str(r.call(SERVICE, "PutScalingPolicy", **wanted)["PolicyARN"])


def _delete_policy(r: Resource) -> None:
    r.call(SERVICE, "DeleteScalingPolicy", PolicyName=r.properties["PolicyName"], **_target_of(r))


def _target_of(policy: Resource) -> Properties:
    """The target of a scaling policy: its ScalingTargetId says, or its own properties."""
    own = {k: policy.properties[k] for k in NAMES if k in policy.properties}
    return own or _named(policy.properties["ScalingTargetId"])


def _named(target_id: str) -> Properties:
    return dict(zip(NAMES, target_id.split("|"), strict=True))


TYPES = (
    ResourceType("AWS::ApplicationAutoScaling::ScalableTarget", _put_target, _delete_target),
    ResourceType("AWS::ApplicationAutoScaling::ScalingPolicy", _put_policy, _delete_policy),
)
