"""Variants grow and shrink with their traffic, within limits and cool-downs, and at set times; updates keep what was reached."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from answers import answer
from botocore.exceptions import ClientError

from localcloud.applicationautoscaling import capacity, target_tracking
from localcloud.cloudformation.resource_type import Resource
from localcloud.cloudformation.resources import TYPES
from localcloud.cloudwatch import metrics
from localcloud.testing import ACCOUNT, REGION
from localcloud.testing.accounts import Accounts
from localcloud.testing.endpoints import Json, ask, configured, described, load, serving
from localcloud.testing.names import Name
from localcloud.testing.waiting import until

DIMENSION = {"ServiceNamespace": "sagemaker", "ScalableDimension": capacity.DIMENSION}
INVOCATIONS, CONCURRENCY, *_ = target_tracking.METRICS
MANY = 20  # invocations of an instance in a minute: fewer than several clients make, more than a test that asks now and then
autoscaling = pytest.mark.aws("autoscaling")
wording = pytest.mark.laptop("the wording is localcloud's")


def target(aws: Accounts, endpoint: str, least: int = 1, most: int = 3) -> Json:
    """Register the endpoint's variant; returns what names it."""
    named = {**DIMENSION, "ResourceId": f"endpoint/{endpoint}/variant/live"}
    aws.client("application-autoscaling").register_scalable_target(**named, MinCapacity=least, MaxCapacity=most)
    return named


def track(aws: Accounts, named: Json, metric: str, value: float, **members: Any) -> list[str]:
    """Put a policy; returns the names of its alarms."""
    config = {"TargetValue": value, "PredefinedMetricSpecification": {"PredefinedMetricType": metric}}
    config |= {"ScaleOutCooldown": 60, "ScaleInCooldown": 60, **members}
    answer = aws.client("application-autoscaling").put_scaling_policy(
        **named, PolicyName="p", PolicyType="TargetTrackingScaling", TargetTrackingScalingPolicyConfiguration=config
    )
    return [a["AlarmName"] for a in answer["Alarms"]]


def has(aws: Accounts, endpoint: str, instances: int) -> bool:
    return count(aws, endpoint) == instances


def count(aws: Accounts, endpoint: str) -> int:
    variants = aws.client("sagemaker").describe_endpoint(EndpointName=endpoint)["ProductionVariants"]
    return int(variants[0]["CurrentInstanceCount"])


@autoscaling
@pytest.mark.slow
def test_a_variant_grows_with_its_invocations_shrinks_after_and_keeps_its_size_through_an_update(
    aws: Accounts, image: str, name: Name
) -> None:
    endpoint = serving(aws, configured(aws, image, name("c")), name("e"))
    scaled = target(aws, endpoint, most=2)
    high, low = track(aws, scaled, INVOCATIONS, MANY)
    with load(aws, endpoint, clients=4) as traffic:
        until(lambda: count(aws, endpoint) == 2)
        new = configured(aws, image, name("new"), "two")
        described(aws, endpoint)
        aws.client("sagemaker").update_endpoint(EndpointName=endpoint, EndpointConfigName=new, RetainAllVariantProperties=True)
        assert described(aws, endpoint)["ProductionVariants"][0]["CurrentInstanceCount"] == 2

    pause = threading.Event()

    def idle() -> bool:
        ask(aws, endpoint)  # without a request there is no metric, and AWS does not scale in
        pause.wait(0.2)
        return count(aws, endpoint) == 1

    until(idle)
    described(aws, endpoint)
    activities = aws.client("application-autoscaling").describe_scaling_activities(**scaled)["ScalingActivities"]
    assert not traffic.failures
    assert [a["Description"] for a in activities] == ["Setting desired instance count to 1.", "Setting desired instance count to 2."]
    assert [alarm in activity["Cause"] for alarm, activity in zip((low, high), activities, strict=True)] == [True, True]


@pytest.mark.laptop("that the alarm was evaluated in vain is seen in localcloud's own metrics")
def test_a_variant_grows_with_its_concurrency_but_not_in_its_cool_down(aws: Accounts, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c"), BEHAVIOUR="slow"), name("e"))
    track(aws, target(aws, endpoint, most=2), CONCURRENCY, 1, ScaleOutCooldown=86_400)
    with load(aws, endpoint, clients=6):
        until(lambda: count(aws, endpoint) == 2)
        named = target(aws, endpoint, most=3)
        dimensions = frozenset({("EndpointName", endpoint), ("VariantName", "live")})
        metric = metrics.Metric(ACCOUNT, REGION, "AWS/SageMaker", "ConcurrentRequestsPerModel", dimensions)
        later = datetime.now(UTC).timestamp() + 1  # ten evaluations of the alarm
        until(lambda: (metrics.values(metric, "Maximum", start=later, period=60, count=1)[0] or 0) > 1)
        assert count(aws, endpoint) == 2, "the cool-down was not kept"
        track(aws, named, CONCURRENCY, 1, ScaleOutCooldown=0)
        until(lambda: count(aws, endpoint) == 3)


@autoscaling
def test_capacity_changes_at_set_times(aws: Accounts, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c")), name("e"))
    scaled, client = target(aws, endpoint), aws.client("application-autoscaling")
    soon = datetime.now(UTC) + timedelta(seconds=120)
    for action, schedule, least, most in (("up", f"at({soon:%Y-%m-%dT%H:%M:%S})", 2, 3), ("down", "rate(1 minute)", 1, 1)):
        limits = {"MinCapacity": least, "MaxCapacity": most}
        client.put_scheduled_action(**scaled, ScheduledActionName=action, Schedule=schedule, ScalableTargetAction=limits)
        until(partial(has, aws, endpoint, least))

    (after,) = client.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[scaled["ResourceId"]])["ScalableTargets"]
    assert (after["MinCapacity"], after["MaxCapacity"]) == (1, 1)
    causes = dict.fromkeys(a["Cause"] for a in client.describe_scaling_activities(**scaled)["ScalingActivities"])
    scheduled = [cause for cause in causes if "scheduled action" in cause]
    assert scheduled == [f"scheduled action name {action} was triggered" for action in ("down", "up")]
    client.delete_scheduled_action(**scaled, ScheduledActionName="down")
    assert "down" not in [a["ScheduledActionName"] for a in client.describe_scheduled_actions(**scaled)["ScheduledActions"]]


def larger(aws: Accounts, name: Name) -> str:
    """A configuration of the model `name("c")` on another type of instance."""
    variant = {"VariantName": "live", "ModelName": name("c"), "InitialInstanceCount": 1, "InstanceType": "ml.c5.xlarge"}
    aws.client("sagemaker").create_endpoint_config(EndpointConfigName=name("other"), ProductionVariants=[variant])
    return name("other")


@autoscaling
def test_what_scaling_holds_on_to_cannot_be_changed_and_goes_with_its_target(aws: Accounts, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c")), name("e"))
    scaled, client, update = target(aws, endpoint), aws.client("application-autoscaling"), aws.client("sagemaker").update_endpoint
    track(aws, scaled, INVOCATIONS, 1000)
    track(aws, scaled, INVOCATIONS, 2000)
    other = larger(aws, name)
    assert answer(update, EndpointName=endpoint, EndpointConfigName=other) == "ValidationException"
    (policy,) = client.describe_scaling_policies(ServiceNamespace="sagemaker", ResourceId=scaled["ResourceId"])["ScalingPolicies"]
    alarms = [a["AlarmName"] for a in policy["Alarms"]]
    assert len(aws.client("cloudwatch").describe_alarms(AlarmNames=alarms)["MetricAlarms"]) == 2

    client.deregister_scalable_target(**scaled)

    until(lambda: aws.client("cloudwatch").describe_alarms(AlarmNames=alarms)["MetricAlarms"] == [])
    update(EndpointName=endpoint, EndpointConfigName=other)
    assert described(aws, endpoint)["EndpointConfigName"] == other


@pytest.mark.laptop("whether a policy that is put again keeps its alarms is not documented; the wording is localcloud's")
def test_a_policy_that_is_put_again_has_other_alarms(aws: Accounts, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c")), name("e"))
    scaled = target(aws, endpoint)
    alarms = track(aws, scaled, INVOCATIONS, 1000)
    track(aws, scaled, INVOCATIONS, 2000)

    assert aws.client("cloudwatch").describe_alarms(AlarmNames=alarms)["MetricAlarms"] == []
    with pytest.raises(ClientError, match="deregister its scalable target"):
        aws.client("sagemaker").update_endpoint(EndpointName=endpoint, EndpointConfigName=larger(aws, name))


@autoscaling
@pytest.mark.parametrize(
    ("kind", "steps", "instances"),
    [
        ("ChangeInCapacity", [(0, 5, 1), (5, None, 2)], 3),
        ("ExactCapacity", [(0, None, 2)], 2),
        ("PercentChangeInCapacity", [(0, None, 100)], 2),
    ],
)
def test_an_alarm_takes_the_step_that_its_metric_is_in(
    aws: Accounts, image: str, name: Name, kind: str, steps: list[tuple[int, int | None, int]], instances: int
) -> None:
    endpoint = serving(aws, configured(aws, image, name("c")), name("e"))
    cloudwatch, member = aws.client("cloudwatch"), "ScalingAdjustment"
    bounds = [{"MetricIntervalLowerBound": low, "MetricIntervalUpperBound": high, member: by} for low, high, by in steps]
    adjustments = [{key: value for key, value in step.items() if value is not None} for step in bounds]
    config = {"AdjustmentType": kind, "StepAdjustments": adjustments, "Cooldown": 86_400}
    policy = {"PolicyName": "p", "PolicyType": "StepScaling", "StepScalingPolicyConfiguration": config}
    arn = aws.client("application-autoscaling").put_scaling_policy(**target(aws, endpoint, most=4), **policy)["PolicyARN"]
    about = {"Namespace": name("metrics"), "MetricName": "Waiting"}
    high = {"Threshold": 10, "ComparisonOperator": "GreaterThanOrEqualToThreshold", "EvaluationPeriods": 1, "Period": 60}
    cloudwatch.put_metric_alarm(AlarmName=name("high"), **about, **high, Statistic="Maximum", AlarmActions=[arn])

    def grown() -> bool:
        cloudwatch.put_metric_data(Namespace=about["Namespace"], MetricData=[{"MetricName": "Waiting", "Value": 17}])
        return count(aws, endpoint) == instances

    until(grown)


@autoscaling
def test_what_is_not_there_does_not_scale(aws: Accounts, name: Name) -> None:
    client = aws.client("application-autoscaling")
    nowhere = {**DIMENSION, "ResourceId": f"endpoint/{name('nowhere')}/variant/live"}
    config = {"TargetValue": 1, "PredefinedMetricSpecification": {"PredefinedMetricType": INVOCATIONS}}
    policy = {"PolicyName": "p", "PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": config}

    assert answer(client.put_scaling_policy, **nowhere, **policy) == "ObjectNotFoundException"
    assert answer(client.register_scalable_target, **nowhere, MinCapacity=1, MaxCapacity=2) == "ValidationException"


@wording
def test_what_cannot_be_honoured_is_refused(aws: Accounts, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c")), name("e"))
    with pytest.raises(ClientError, match="No scalable target found"):
        track(aws, {**DIMENSION, "ResourceId": f"endpoint/{endpoint}/variant/live"}, INVOCATIONS, 1)
    with pytest.raises(ClientError, match="Could not find endpoint"):
        target(aws, "nowhere")
    scaled, client = target(aws, endpoint), aws.client("application-autoscaling")
    with pytest.raises(ClientError, match="found TargetTrackingScaling on ALBRequestCountPerTarget"):
        track(aws, scaled, "ALBRequestCountPerTarget", 1)
    steps = {"PolicyName": "s", "PolicyType": "StepScaling", "StepScalingPolicyConfiguration": {"AdjustmentType": "ChangeInCapacity"}}
    with pytest.raises(ClientError, match="StepAdjustments are needed by StepScaling"):
        client.put_scaling_policy(**scaled, **steps)
    with pytest.raises(ClientError, match="Timezone Europe/Nowhere is not known"):
        client.put_scheduled_action(**scaled, ScheduledActionName="a", Schedule="rate(1 day)", Timezone="Europe/Nowhere")


@pytest.mark.laptop("CloudFormation's handlers are called by hand")
def test_a_template_sets_targets_policies_and_schedules(aws: Accounts, image: str, name: Name) -> None:
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
