"""Step scaling: an alarm of somebody's own names a policy, whose steps say by how much the fleet changes."""

from __future__ import annotations

import math
import time
from typing import Any

from localcloud.applicationautoscaling import capacity
from localcloud.cloudwatch import alarms
from localcloud.cloudwatch.alarm_actions import StateChange
from localcloud.core.cloud import cloud
from localcloud.core.errors import invalid

COOLDOWN = 300  # AWS's seconds, where the policy names none
_scaled: dict[str, float] = {}  # policy's ARN → when it last changed the fleet


def check(config: dict[str, Any]) -> None:
    """Raise an AWS error for a configuration that cannot be carried out."""
    if config.get("AdjustmentType") not in ("ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity"):
        raise invalid(f"AdjustmentType is needed by StepScaling: found {config.get('AdjustmentType')}")
    if not config.get("StepAdjustments"):
        raise invalid("StepAdjustments are needed by StepScaling")


def step(change: StateChange, policy: Any, target: Any) -> None:
    """What an alarm asks for: the step that the metric's distance from the threshold lies in, unless the fleet was just changed."""
    config, now = policy.step_scaling_policy_configuration, time.time()
    if now < _scaled.get(policy.policy_arn, 0) + config.get("Cooldown", COOLDOWN) / cloud().speed:
        return
    measured = alarms.latest(change.alarm, now)
    if measured is None:
        return
    count = capacity.count(policy.account_id, policy.region_name, policy.resource_id)
    adjusted = _adjusted(config, count, measured - float(change.alarm.threshold))
    wanted = capacity.within(target, count if adjusted is None else adjusted, count)
    suspended: Any = target.suspended_state or {}
    if wanted == count or suspended.get(f"DynamicScaling{'Out' if wanted > count else 'In'}Suspended"):
        return
    cause = f"monitor alarm {change.alarm.name} in state ALARM triggered policy {policy.policy_name}"
    if capacity.resize(policy.account_id, policy.region_name, policy.resource_id, wanted, cause):
        _scaled[policy.policy_arn] = now


def _adjusted(config: dict[str, Any], count: int, distance: float) -> int | None:
    for each in config["StepAdjustments"]:
        low, high = each.get("MetricIntervalLowerBound", -math.inf), each.get("MetricIntervalUpperBound", math.inf)
        if low <= distance < high:
            by = int(each["ScalingAdjustment"])
            more = {"ChangeInCapacity": count + by, "ExactCapacity": by, "PercentChangeInCapacity": count + math.ceil(count * by / 100)}
            return more[config["AdjustmentType"]]
    return None
