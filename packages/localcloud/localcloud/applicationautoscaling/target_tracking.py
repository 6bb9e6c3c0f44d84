"""Scaling policies that alarms call while they are in ALARM: those of target tracking make two alarms themselves."""

from __future__ import annotations

import math
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from moto.applicationautoscaling.models import ApplicationAutoscalingBackend, applicationautoscaling_backends
from moto.cloudwatch.models import cloudwatch_backends

from localcloud.applicationautoscaling import capacity, step_scaling
from localcloud.cloudwatch import alarm_actions, alarms
from localcloud.core.cloud import cloud
from localcloud.core.errors import invalid

# predefined metric → its name, statistic, and the period of the alarm that grows the fleet
METRICS = {
    "SageMakerVariantInvocationsPerInstance": ("InvocationsPerInstance", "Sum", 60),
    "SageMakerVariantConcurrentRequestsPerModelHighResolution": ("ConcurrentRequestsPerModel", "Maximum", 10),
    "SageMakerInferenceComponentInvocationsPerCopy": ("InvocationsPerCopy", "Sum", 60),
    "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution": ("ConcurrentRequestsPerCopy", "Maximum", 10),
}
GROW_AFTER, SHRINK_AFTER = 3, 15  # periods out of line; a fleet grows fast and shrinks slowly
SHRINK_BELOW = 0.9  # of the target
COOLDOWN = 300  # SageMaker's seconds, where the policy names none
_moto_put_policy = ApplicationAutoscalingBackend.put_scaling_policy
_scaled: dict[str, dict[str, float]] = defaultdict(dict)  # policy's ARN → when it last grew and shrank


def install() -> None:
    """Let policies act."""
    alarm_actions.actions["autoscaling"] = _scale
    backend: Any = ApplicationAutoscalingBackend
    backend.put_scaling_policy = _put_policy


def _put_policy(
    self: Any,
    policy_name: str,
    service_namespace: str,
    resource_id: str,
    scalable_dimension: str,
    policy_body: dict[str, Any],
    policy_type: str | None,
) -> Any:
    capacity.require_target(self, resource_id, scalable_dimension)
    metric = _metric(resource_id, policy_body or {}) if policy_type == "TargetTrackingScaling" else None
    if policy_type == "StepScaling":
        step_scaling.check(policy_body or {})
    elif metric is None:
        raise invalid(f"localcloud scales by StepScaling and TargetTrackingScaling: found {policy_type}")
    before = self.policies.get(f"{service_namespace}\t{resource_id}\t{scalable_dimension}\t{policy_name}")
    if before:
        before.delete_alarms(self.account_id, self.region_name)
    policy: Any = _moto_put_policy(self, policy_name, service_namespace, resource_id, scalable_dimension, policy_body, policy_type)
    policy.policy_arn = before.policy_arn if before else policy.policy_arn
    for alarm in _alarms(resource_id, policy.policy_arn, metric, float(policy_body["TargetValue"])) if metric else ():
        policy.alarms.append(cloudwatch_backends[self.account_id][self.region_name].put_metric_alarm(**alarm))
    return policy


@dataclass(frozen=True)
class Metric:
    """What a policy tracks. `period` is that of the alarm that grows the fleet, in seconds."""

    namespace: str
    name: str
    dimensions: list[dict[str, str]]
    statistic: str
    period: int


def _metric(resource_id: str, policy: dict[str, Any]) -> Metric:
    """The metric that a policy names by its kind, or itself. Raises an AWS error for what localcloud does not track."""
    own, kind = policy.get("CustomizedMetricSpecification"), policy.get("PredefinedMetricSpecification", {}).get("PredefinedMetricType")
    if own and {"Namespace", "MetricName", "Statistic"} <= own.keys():
        return Metric(own["Namespace"], own["MetricName"], own.get("Dimensions", []), own["Statistic"], 60)
    if kind not in METRICS:
        what = "CustomizedMetricSpecification without Namespace, MetricName and Statistic" if own else kind
        raise invalid(f"localcloud scales on {' or '.join(METRICS)}, or on a metric: found TargetTrackingScaling on {what}")
    if ("InferenceComponent" in kind) != resource_id.startswith("inference-component/"):
        raise invalid(f"{kind} is no metric of {resource_id}")
    name, statistic, period = METRICS[kind]
    return Metric("AWS/SageMaker", name, capacity.dimensions(resource_id), statistic, period)


def _alarms(resource_id: str, policy_arn: str, metric: Metric, target: float) -> Iterator[dict[str, Any]]:
    """The alarms of a policy, as moto's put_metric_alarm takes them: one that lets the fleet grow, and one that lets it shrink."""
    for which, comparison, threshold, periods, length in (
        ("AlarmHigh", "GreaterThanThreshold", target, GROW_AFTER, metric.period),
        ("AlarmLow", "LessThanThreshold", SHRINK_BELOW * target, SHRINK_AFTER, 60),
    ):
        yield {
            "name": f"TargetTracking-{resource_id}-{which}-{uuid.uuid4()}",
            "namespace": metric.namespace,
            "metric_name": metric.name,
            "metric_data_queries": [],
            "comparison_operator": comparison,
            "evaluation_periods": periods,
            "period": length,
            "threshold": threshold,
            "statistic": metric.statistic,
            "description": f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy_arn}.",
            "dimensions": metric.dimensions,
            "alarm_actions": [policy_arn],
        }


def _scale(change: alarm_actions.StateChange, arn: str) -> None:
    """Have the policy do what the alarm asks for."""
    account, region = arn.split(":")[4], arn.split(":")[3]
    backend = applicationautoscaling_backends[account][region]
    policy = next(p for p in backend.policies.values() if p.policy_arn == arn)
    target = backend.targets[policy.scalable_dimension][policy.resource_id]
    if policy.policy_type == "StepScaling":
        step_scaling.step(change, policy, target)
    else:
        _track(change, policy, target)


def _track(change: alarm_actions.StateChange, policy: Any, target: Any) -> None:
    """Instances in proportion to the metric, unless the fleet was just resized."""
    alarm, arn, account, region = change.alarm, policy.policy_arn, policy.account_id, policy.region_name
    config: Any = policy.target_tracking_scaling_policy_configuration
    grows = "-AlarmHigh-" in alarm.name
    suspended: Any = target.suspended_state or {}
    if suspended.get(f"DynamicScaling{'Out' if grows else 'In'}Suspended") or (not grows and config.get("DisableScaleIn")):
        return
    now, last = time.time(), _scaled[arn]
    cooldowns = [("out", "ScaleOutCooldown")] if grows else [("out", "ScaleOutCooldown"), ("in", "ScaleInCooldown")]
    if any(now < last.get(way, 0) + config.get(member, COOLDOWN) / cloud().speed for way, member in cooldowns):
        return
    count = capacity.count(account, region, policy.resource_id)
    measured = alarms.latest(alarm, now)
    if measured is None:
        return
    wanted = capacity.within(target, math.ceil(count * measured / config["TargetValue"]), count)
    cause = f"monitor alarm {alarm.name} in state ALARM triggered policy {policy.policy_name}"
    if (wanted > count if grows else wanted < count) and capacity.resize(account, region, policy.resource_id, wanted, cause):
        last["out" if grows else "in"] = now
