"""Variants grow and shrink with their traffic, within limits and cool-downs, and at set times; updates keep what was reached."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.applicationautoscaling import capacity, target_tracking
from localcloud.cloudformation.resource_type import Resource
from localcloud.cloudformation.resources import TYPES
from localcloud.cloudwatch import metrics
from localcloud.sagemaker import endpoints
from localcloud.testing import ACCOUNT, REGION
from localcloud.testing.endpoints import Json, ask, configured, described, load, serving
from localcloud.testing.in_process import Aws
from localcloud.testing.names import Name
from localcloud.testing.waiting import until

DIMENSION = {"ServiceNamespace": "sagemaker", "ScalableDimension": capacity.DIMENSION}
INVOCATIONS, CONCURRENCY = target_tracking.METRICS


def target(aws: Aws, endpoint: str, least: int = 1, most: int = 3) -> Json:
    """Register the endpoint's variant; returns what names it."""
    named = {**DIMENSION, "ResourceId": f"endpoint/{endpoint}/variant/live"}
    aws.client("application-autoscaling").register_scalable_target(**named, MinCapacity=least, MaxCapacity=most)
    return named


def track(aws: Aws, named: Json, metric: str, value: float, **members: Any) -> list[str]:
    """Put a policy; returns the names of its alarms."""
    config = {"TargetValue": value, "PredefinedMetricSpecification": {"PredefinedMetricType": metric}}
    config |= {"ScaleOutCooldown": 60, "ScaleInCooldown": 60, **members}
    answer = aws.client("application-autoscaling").put_scaling_policy(
        **named, PolicyName="p", PolicyType="TargetTrackingScaling", TargetTrackingScalingPolicyConfiguration=config
    )
    return [a["AlarmName"] for a in answer["Alarms"]]


def has(endpoint: str, instances: int) -> bool:
    return count(endpoint) == instances


def count(endpoint: str) -> int:
    return len(endpoints.find(ACCOUNT, REGION, endpoint).variant("live").instances)


@pytest.mark.slow
def test_a_variant_grows_with_its_invocations_shrinks_after_and_keeps_its_size_through_an_update(aws: Aws, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c")), name("e"))
    named = target(aws, endpoint, most=2)
    high, low = track(aws, named, INVOCATIONS, 4)
    with load(aws, endpoint, clients=4) as traffic:
        until(lambda: count(endpoint) == 2)
        new = configured(aws, image, name("new"), "two")
        endpoints.wait(ACCOUNT, REGION, endpoint)
        aws.client("sagemaker").update_endpoint(EndpointName=endpoint, EndpointConfigName=new, RetainAllVariantProperties=True)
        assert described(aws, endpoint)["ProductionVariants"][0]["CurrentInstanceCount"] == 2

    pause = threading.Event()

    def idle() -> bool:
        ask(aws, endpoint)  # without a request there is no metric, and AWS does not scale in
        pause.wait(0.2)
        return count(endpoint) == 1

    until(idle)
    endpoints.wait(ACCOUNT, REGION, endpoint)
    activities = aws.client("application-autoscaling").describe_scaling_activities(**named)["ScalingActivities"]
    assert not traffic.failures
    assert [a["Description"] for a in activities] == ["Setting desired instance count to 1.", "Setting desired instance count to 2."]
    assert [alarm in activity["Cause"] for alarm, activity in zip((low, high), activities, strict=True)] == [True, True]


def test_a_variant_grows_with_its_concurrency_but_not_in_its_cool_down(aws: Aws, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c"), BEHAVIOUR="slow"), name("e"))
    track(aws, target(aws, endpoint, most=2), CONCURRENCY, 1, ScaleOutCooldown=86_400)
    with load(aws, endpoint, clients=6):
        until(lambda: count(endpoint) == 2)
        named = target(aws, endpoint, most=3)
        dimensions = frozenset({("EndpointName", endpoint), ("VariantName", "live")})
        metric = metrics.Metric(ACCOUNT, REGION, "AWS/SageMaker", "ConcurrentRequestsPerModel", dimensions)
        later = datetime.now(UTC).timestamp() + 1  # ten evaluations of the alarm
        until(lambda: (metrics.values(metric, "Maximum", start=later, period=60, count=1)[0] or 0) > 1)
        assert count(endpoint) == 2, "the cool-down was not kept"
        track(aws, named, CONCURRENCY, 1, ScaleOutCooldown=0)
        until(lambda: count(endpoint) == 3)


def test_capacity_changes_at_set_times_in_scaled_time(aws: Aws, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c")), name("e"))
    named, client = target(aws, endpoint), aws.client("application-autoscaling")
    soon = datetime.now(UTC) + timedelta(seconds=60)
    for action, schedule, least, most in (("up", f"at({soon:%Y-%m-%dT%H:%M:%S})", 2, 3), ("down", "rate(1 minute)", 1, 1)):
        limits = {"MinCapacity": least, "MaxCapacity": most}
        client.put_scheduled_action(**named, ScheduledActionName=action, Schedule=schedule, ScalableTargetAction=limits)
        until(partial(has, endpoint, least))

    (scaled,) = client.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[named["ResourceId"]])["ScalableTargets"]
    assert (scaled["MinCapacity"], scaled["MaxCapacity"]) == (1, 1)
    causes = [a["Cause"] for a in client.describe_scaling_activities(**named)["ScalingActivities"]]
    assert causes == [f"scheduled action name {n} was triggered" for n in ("down", "up")]
    client.delete_scheduled_action(**named, ScheduledActionName="down")
    assert [a["ScheduledActionName"] for a in client.describe_scheduled_actions(ServiceNamespace="sagemaker")["ScheduledActions"]] == ["up"]


def test_what_scaling_holds_on_to_cannot_be_changed_and_goes_with_its_target(aws: Aws, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c")), name("e"))
    named, client = target(aws, endpoint), aws.client("application-autoscaling")
    alarms = track(aws, named, INVOCATIONS, 1000)
    track(aws, named, INVOCATIONS, 2000)
    variant = {"VariantName": "live", "ModelName": name("c"), "InitialInstanceCount": 1, "InstanceType": "ml.c5.xlarge"}
    aws.client("sagemaker").create_endpoint_config(EndpointConfigName=name("other"), ProductionVariants=[variant])
    with pytest.raises(ClientError, match="deregister its scalable target"):
        aws.client("sagemaker").update_endpoint(EndpointName=endpoint, EndpointConfigName=name("other"))
    assert aws.client("cloudwatch").describe_alarms(AlarmNames=alarms)["MetricAlarms"] == []
    (policy,) = client.describe_scaling_policies(ServiceNamespace="sagemaker", ResourceId=named["ResourceId"])["ScalingPolicies"]
    client.deregister_scalable_target(**named)

    assert aws.client("cloudwatch").describe_alarms(AlarmNames=[a["AlarmName"] for a in policy["Alarms"]])["MetricAlarms"] == []
    aws.client("sagemaker").update_endpoint(EndpointName=endpoint, EndpointConfigName=name("other"))
    assert described(aws, endpoint)["EndpointConfigName"] == name("other")


def test_what_cannot_be_honoured_is_refused(aws: Aws, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c")), name("e"))
    with pytest.raises(ClientError, match="No scalable target found"):
        track(aws, {**DIMENSION, "ResourceId": f"endpoint/{endpoint}/variant/live"}, INVOCATIONS, 1)
    with pytest.raises(ClientError, match="Could not find endpoint"):
        target(aws, "nowhere")
    named, client = target(aws, endpoint), aws.client("application-autoscaling")
    with pytest.raises(ClientError, match="found TargetTrackingScaling on ALBRequestCountPerTarget"):
        track(aws, named, "ALBRequestCountPerTarget", 1)
    with pytest.raises(ClientError, match="Timezone Europe/Nowhere is not known"):
        client.put_scheduled_action(**named, ScheduledActionName="a", Schedule="rate(1 day)", Timezone="Europe/Nowhere")


def test_a_template_sets_targets_policies_and_schedules(aws: Aws, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c")), name("e"))
    kinds = {t.kind.rpartition(":")[2]: t for t in TYPES if "AutoScaling" in t.kind}
    night = {
        "ScheduledActionName": "night",
        "Schedule": "cron(0 20 * * ? *)",
        "ScalableTargetAction": {"MinCapacity": "1", "MaxCapacity": "1"},
    }
    about = {**DIMENSION, "ResourceId": f"endpoint/{endpoint}/variant/live", "MinCapacity": "1", "MaxCapacity": "2"}
    scaled = Resource(ACCOUNT, REGION, "t", {**about, "ScheduledActions": [night]})
    scaled.id = kinds["ScalableTarget"].put(scaled, None)
    tracking = {"TargetValue": "5", "PredefinedMetricSpecification": {"PredefinedMetricType": INVOCATIONS}}
    wanted: Json = {"PolicyName": "p", "PolicyType": "TargetTrackingScaling", "ScalingTargetId": scaled.id}
    policy = Resource(ACCOUNT, REGION, "p", {**wanted, "TargetTrackingScalingPolicyConfiguration": tracking})
    policy.id = kinds["ScalingPolicy"].put(policy, None)
    client = aws.client("application-autoscaling")
    named = {"ServiceNamespace": "sagemaker", "ResourceId": about["ResourceId"]}

    assert [a["ScheduledActionName"] for a in client.describe_scheduled_actions(**named)["ScheduledActions"]] == ["night"]
    kinds["ScalableTarget"].put(Resource(ACCOUNT, REGION, "t", about), scaled)
    assert client.describe_scheduled_actions(**named)["ScheduledActions"] == []
    assert len(client.describe_scaling_policies(**named)["ScalingPolicies"]) == 1
    kinds["ScalingPolicy"].delete(policy)
    assert client.describe_scaling_policies(**named)["ScalingPolicies"] == []
    kinds["ScalableTarget"].delete(scaled)
    assert client.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[about["ResourceId"]])["ScalableTargets"] == []
