"""By what a scalable target grows and shrinks: instances of an endpoint, copies of a component."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aws_cdk import aws_applicationautoscaling as autoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

GROW_SECONDS, SHRINK_SECONDS = 60, 300
NAMESPACE = "AWS/SageMaker"


@dataclass(frozen=True, kw_only=True)
class Signal:
    """That somebody asks while there is nothing to answer: a metric whose `statistic` over a minute is then one or more."""

    name: str
    description: str
    metric: str
    dimensions: Mapping[str, str]
    statistic: str


def track(scope: Construct, target: autoscaling.CfnScalableTarget, name: str, policy: str, value: int, metric: Mapping[str, Any]) -> None:
    """Keep a metric at a value for each instance or copy."""
    autoscaling.CfnScalingPolicy(
        scope,
        name,
        policy_name=policy,
        policy_type="TargetTrackingScaling",
        scaling_target_id=target.ref,
        target_tracking_scaling_policy_configuration={
            "targetValue": value,
            **metric,
            "scaleOutCooldown": GROW_SECONDS,
            "scaleInCooldown": SHRINK_SECONDS,
        },
    )


def wake(scope: Construct, target: autoscaling.CfnScalableTarget, asleep: Signal, *, cooldown: int) -> None:
    """Start the first at a signal: no metric counts by instance or copy where there is none."""
    policy = autoscaling.CfnScalingPolicy(
        scope,
        "Wake",
        policy_name="wake",
        policy_type="StepScaling",
        scaling_target_id=target.ref,
        step_scaling_policy_configuration={
            "adjustmentType": "ChangeInCapacity",
            "metricAggregationType": "Maximum",
            "cooldown": cooldown,
            "stepAdjustments": [{"metricIntervalLowerBound": 0, "scalingAdjustment": 1}],
        },
    )
    cloudwatch.CfnAlarm(
        scope,
        asleep.name,
        alarm_description=asleep.description,
        namespace=NAMESPACE,
        metric_name=asleep.metric,
        dimensions=[{"name": name, "value": value} for name, value in asleep.dimensions.items()],
        statistic=asleep.statistic,
        period=60,
        comparison_operator="GreaterThanOrEqualToThreshold",
        threshold=1,
        evaluation_periods=1,
        treat_missing_data="notBreaching",
        alarm_actions=[policy.ref],
    )
