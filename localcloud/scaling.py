"""Application Auto Scaling of endpoint variants: target tracking through alarms of its own, as AWS does it, and scheduled actions.

A target tracking policy makes two alarms, and CloudWatch calls it while one of them rings.
"""

from __future__ import annotations

import json
import math
import time
import uuid
from collections import defaultdict
from datetime import datetime
from typing import Any

from moto.applicationautoscaling.models import ApplicationAutoscalingBackend, applicationautoscaling_backends
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.exceptions import JsonRESTError

from localcloud import alarms, clock
from localcloud.cloud import cloud
from localcloud.errors import error, invalid
from localcloud.sagemaker import endpoints
from localcloud.schedules import follow

DIMENSION = "sagemaker:variant:DesiredInstanceCount"
# predefined metric → its name, statistic, and the period of the alarm that grows the fleet
METRICS = {
    "SageMakerVariantInvocationsPerInstance": ("InvocationsPerInstance", "Sum", 60),
    "SageMakerVariantConcurrentRequestsPerModelHighResolution": ("ConcurrentRequestsPerModel", "Maximum", 10),
}
GROW_AFTER, SHRINK_AFTER = 3, 15  # periods out of line; a fleet grows fast and shrinks slowly
SHRINK_BELOW = 0.9  # of the target
COOLDOWN = 300  # SageMaker's seconds, where the policy names none
_moto_put_policy, _moto_delete_policy = (
    ApplicationAutoscalingBackend.put_scaling_policy,
    ApplicationAutoscalingBackend.delete_scaling_policy,
)
_moto_register = ApplicationAutoscalingBackend.register_scalable_target
_moto_deregister = ApplicationAutoscalingBackend.deregister_scalable_target
_moto_schedule, _moto_unschedule = (
    ApplicationAutoscalingBackend.put_scheduled_action,
    ApplicationAutoscalingBackend.delete_scheduled_action,
)
_scaled: dict[str, dict[str, float]] = defaultdict(dict)  # policy's ARN → when it last grew and shrank
_activities: list[dict[str, Any]] = []


def install() -> None:
    """Let policies and schedules act."""
    alarms.actions["autoscaling"] = _track
    backend: Any = ApplicationAutoscalingBackend
    backend.put_scaling_policy, backend.deregister_scalable_target = _put_policy, _deregister
    backend.register_scalable_target = _register
    backend.put_scheduled_action, backend.delete_scheduled_action = _schedule, _unschedule
    responses: Any = ApplicationAutoScalingResponse
    responses.describe_scaling_activities = _describe_scaling_activities


def _variant(resource: str) -> tuple[str, str]:
    """`endpoint/E/variant/V` → E, V."""
    _, endpoint, _, variant = resource.split("/")
    return endpoint, variant


def _register(self: Any, namespace: str, r_id: str, dimension: str, *rest: Any, **given: Any) -> Any:
    if namespace == "sagemaker":
        endpoint, variant = _variant(r_id)
        endpoints.get(self.account_id, self.region_name, endpoint).variant(variant)
    return _moto_register(self, namespace, r_id, dimension, *rest, **given)


def _deregister(self: Any, namespace: str, r_id: str, dimension: str) -> None:
    """As AWS: the target's policies and scheduled actions go with it."""
    _moto_deregister(self, namespace, r_id, dimension)
    for policy in [p for p in self.policies.values() if (p.resource_id, p.scalable_dimension) == (r_id, dimension)]:
        _moto_delete_policy(self, policy.policy_name, namespace, r_id, dimension)
    for action in [a for a in self.scheduled_actions if (a.resource_id, a.scalable_dimension) == (r_id, dimension)]:
        self.delete_scheduled_action(namespace, action.scheduled_action_name, r_id, dimension)


def _put_policy(
    self: Any,
    policy_name: str,
    service_namespace: str,
    resource_id: str,
    scalable_dimension: str,
    policy_body: dict[str, Any],
    policy_type: str | None,
) -> Any:
    if resource_id not in self.targets.get(scalable_dimension, {}):
        raise error("ObjectNotFoundException", f"No scalable target found for resource ID: {resource_id}")
    kind = (policy_body or {}).get("PredefinedMetricSpecification", {}).get("PredefinedMetricType")
    if policy_type != "TargetTrackingScaling" or kind not in METRICS:
        raise invalid(f"localcloud scales by TargetTrackingScaling on {' or '.join(METRICS)}: found {policy_type} on {kind}")
    before = self.policies.get(f"{service_namespace}\t{resource_id}\t{scalable_dimension}\t{policy_name}")
    if before:
        before.delete_alarms(self.account_id, self.region_name)
    policy: Any = _moto_put_policy(self, policy_name, service_namespace, resource_id, scalable_dimension, policy_body, policy_type)
    policy.policy_arn = before.policy_arn if before else policy.policy_arn
    endpoint, variant = _variant(resource_id)
    name, statistic, period = METRICS[kind]
    held = cloudwatch_backends[self.account_id][self.region_name]
    target = float(policy_body["TargetValue"])
    for which, comparison, threshold, periods, each in (
        ("AlarmHigh", "GreaterThanThreshold", target, GROW_AFTER, period),
        ("AlarmLow", "LessThanThreshold", SHRINK_BELOW * target, SHRINK_AFTER, 60),
    ):
        made = held.put_metric_alarm(
            name=f"TargetTracking-{resource_id}-{which}-{uuid.uuid4()}",
            namespace="AWS/SageMaker",
            metric_name=name,
            metric_data_queries=[],
            comparison_operator=comparison,
            evaluation_periods=periods,
            period=each,
            threshold=threshold,
            statistic=statistic,
            description=f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy.policy_arn}.",
            dimensions=[{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}],
            alarm_actions=[policy.policy_arn],
        )
        policy.alarms.append(made)
    return policy


def _track(alarm: Any, arn: str, _was: str) -> None:
    """What an alarm of a policy asks for: instances in proportion to the metric, unless one was just added or removed."""
    account, region = arn.split(":")[4], arn.split(":")[3]
    backend = applicationautoscaling_backends[account][region]
    policy = next(p for p in backend.policies.values() if p.policy_arn == arn)
    target = backend.targets[policy.scalable_dimension][policy.resource_id]
    config: Any = policy.target_tracking_scaling_policy_configuration
    endpoint, variant = _variant(policy.resource_id)
    grows = "-AlarmHigh-" in alarm.name
    suspended: Any = target.suspended_state or {}
    if suspended.get(f"DynamicScaling{'Out' if grows else 'In'}Suspended") or (not grows and config.get("DisableScaleIn")):
        return
    now, last = time.time(), _scaled[arn]
    cooldowns = [("out", "ScaleOutCooldown")] if grows else [("out", "ScaleOutCooldown"), ("in", "ScaleInCooldown")]
    if any(now < last.get(way, 0) + config.get(member, COOLDOWN) / cloud().speed for way, member in cooldowns):
        return
    count = endpoints.get(account, region, endpoint).variant(variant).count
    measured = alarms.latest(alarm, now)
    if measured is None:
        return
    wanted = min(max(math.ceil(count * measured / config["TargetValue"]), target.min_capacity or 0), target.max_capacity or count)
    if (wanted > count if grows else wanted < count) and _resize(
        account, region, policy.resource_id, wanted, f"monitor alarm {alarm.name} in state ALARM triggered policy {policy.policy_name}"
    ):
        last["out" if grows else "in"] = now


def _resize(account: str, region: str, resource: str, count: int, cause: str) -> bool:
    """Ask the endpoint for `count` instances; whether it could be asked."""
    endpoint, variant = _variant(resource)
    try:
        endpoints.get(account, region, endpoint).rescale([{"VariantName": variant, "DesiredInstanceCount": count}])
    except JsonRESTError:  # an update is under way: the alarm goes on ringing, the schedule tries again
        return False
    activity = {
        "ActivityId": str(uuid.uuid4()),
        "ServiceNamespace": "sagemaker",
        "ResourceId": resource,
        "ScalableDimension": DIMENSION,
        "Description": f"Setting desired instance count to {count}.",
        "Cause": cause,
        "StartTime": time.time(),
        "StatusCode": "Successful",
    }
    _activities.append(activity | {"account": account, "region": region})
    return True


def _describe_scaling_activities(self: Any) -> str:
    request = json.loads(self.body)
    here = {"account": self.current_account, "region": self.region, "ServiceNamespace": request["ServiceNamespace"]}
    here |= {k: request[k] for k in ("ResourceId", "ScalableDimension") if k in request}
    found = [a for a in reversed(_activities) if here.items() <= a.items()]
    return json.dumps({"ScalingActivities": [{k: v for k, v in a.items() if k not in ("account", "region")} for a in found]})


def _key(self: Any, namespace: str, name: str, resource: str, dimension: str) -> tuple[str, ...]:
    return ("schedule", self.account_id, self.region_name, namespace, name, resource, dimension)


def _schedule(
    self: Any,
    service_namespace: str,
    schedule: str,
    timezone: str,
    scheduled_action_name: str,
    resource_id: str,
    scalable_dimension: str,
    start_time: float | None,
    end_time: float | None,
    scalable_target_action: dict[str, int],
) -> None:
    if resource_id not in self.targets.get(scalable_dimension, {}):
        raise error("ObjectNotFoundException", f"No scalable target found for resource ID: {resource_id}")
    args = (service_namespace, schedule, timezone, scheduled_action_name, resource_id, scalable_dimension, start_time, end_time)

    def act(_at: datetime) -> bool:
        target = self.targets[scalable_dimension][resource_id]
        target.update(scalable_target_action.get("MinCapacity"), scalable_target_action.get("MaxCapacity"), None)
        endpoint, variant = _variant(resource_id)
        count = endpoints.get(self.account_id, self.region_name, endpoint).variant(variant).count
        wanted = min(max(count, target.min_capacity or 0), target.max_capacity or count)
        cause = f"scheduled action name {scheduled_action_name} was triggered"
        return wanted == count or _resize(self.account_id, self.region_name, resource_id, wanted, cause)

    key = _key(self, service_namespace, scheduled_action_name, resource_id, scalable_dimension)
    follow(key, schedule, act, timezone=timezone, start=start_time, end=end_time)
    _moto_schedule(self, *args, scalable_target_action)  # type: ignore[arg-type]


def _unschedule(self: Any, service_namespace: str, scheduled_action_name: str, resource_id: str, scalable_dimension: str) -> None:
    clock.drop(_key(self, service_namespace, scheduled_action_name, resource_id, scalable_dimension))
    _moto_unschedule(self, service_namespace, scheduled_action_name, resource_id, scalable_dimension)
