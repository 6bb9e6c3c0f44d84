"""Inference components: several models on one endpoint, each updated, taken back and scaled by itself, to zero and from it."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.cloudformation.resource_type import Resource
from localcloud.cloudformation.resources import TYPES
from localcloud.sagemaker import components, deployment_policies
from localcloud.sagemaker import shared as hosts
from localcloud.testing import ACCOUNT, REGION
from localcloud.testing.accounts import Accounts
from localcloud.testing.components import SMALL, component, instances, rolling, settled, shared, specified, version_of
from localcloud.testing.endpoints import Json, alarm, ask, configured, serving
from localcloud.testing.in_process import HOUR, Aws
from localcloud.testing.names import Name
from localcloud.testing.waiting import until

ROW = "inference components:"
wording = pytest.mark.laptop("the wording is localcloud's")


def update(aws: Accounts, name: str, specification: Json, **more: Any) -> None:
    aws.client("sagemaker").update_inference_component(InferenceComponentName=name, Specification=specification, **more)


def copies(aws: Accounts, name: str, count: int) -> Json:
    aws.client("sagemaker").update_inference_component_runtime_config(
        InferenceComponentName=name, DesiredRuntimeConfig={"CopyCount": count}
    )
    return settled(aws, name)


def alarm_of(aws: Accounts, name: str, component: str, metric: str = "Invocation5XXErrors", **more: Any) -> str:
    return alarm(aws, name, "", metric, Dimensions=[{"Name": "InferenceComponentName", "Value": component}], **more)


def has_instances(aws: Accounts, endpoint: str, count: int) -> bool:
    return instances(aws, endpoint) == count


@pytest.mark.aws(ROW)
def test_components_of_one_endpoint_answer_by_their_names(aws: Accounts, image: str, name: Name) -> None:
    endpoint = shared(aws, name("e"))
    one, two = (component(aws, endpoint, name(v), specified(aws, image, v)) for v in ("one", "two"))
    assert (version_of(aws, endpoint, one), version_of(aws, endpoint, two)) == ("one", "two")

    described = settled(aws, two)
    assert described["RuntimeConfig"]["CurrentCopyCount"] == 1
    assert described["Specification"]["ComputeResourceRequirements"] == SMALL
    listed = aws.client("sagemaker").list_inference_components(EndpointNameEquals=endpoint)["InferenceComponents"]
    assert {each["InferenceComponentName"] for each in listed} == {one, two}
    with pytest.raises(ClientError, match="Inference Component Name header is required"):
        ask(aws, endpoint)


@pytest.mark.aws(ROW)
def test_an_endpoint_with_a_model_of_its_own_takes_no_components(aws: Accounts, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c")), name("e"))

    with pytest.raises(ClientError, match="Inference Component Name header is not allowed"):
        version_of(aws, endpoint, name("nobody"))
    with pytest.raises(ClientError, match="ValidationException"):
        component(aws, endpoint, name("i"), specified(aws, image))


@pytest.mark.aws(ROW)
def test_more_copies_take_more_instances_and_too_many_have_no_room(aws: Accounts, image: str, name: Name) -> None:
    endpoint = shared(aws, name("e"), most=2)
    held = component(aws, endpoint, name("i"), specified(aws, image, requirements={**SMALL, "NumberOfCpuCoresRequired": 2}))
    assert instances(aws, endpoint) == 1
    copies(aws, held, 2)
    assert instances(aws, endpoint) == 2

    third = settled(aws, component(aws, endpoint, name("third"), specified(aws, image)))
    assert third["InferenceComponentStatus"] == "Failed"
    assert third["FailureReason"].startswith("There is not enough hardware resources on the instances")
    assert copies(aws, held, 3)["RuntimeConfig"] == {"DesiredCopyCount": 2, "CurrentCopyCount": 2}


@pytest.mark.laptop("an hour passes when the test says so")
def test_copies_are_replaced_batch_by_batch(aws: Aws, image: str, name: Name) -> None:
    endpoint = shared(aws, name("e"), most=4)
    updated = component(aws, endpoint, name("i"), specified(aws, image), copies=2)
    update(aws, updated, specified(aws, image, "two"), DeploymentConfig=rolling(50, HOUR, alarm_of(aws, name("a"), updated)))
    parts = components.find(ACCOUNT, REGION, updated)
    until(lambda: [len(part.running) for part, _ in parts.shares] == [1, 2])
    assert {version_of(aws, endpoint, updated) for _ in range(8)} == {"one", "two"}
    aws.cloud.pass_an_hour()
    until(lambda: [len(part.running) for part, _ in parts.shares] == [2, 1])
    aws.cloud.pass_an_hour()
    after = settled(aws, updated)

    assert (after["InferenceComponentStatus"], after["RuntimeConfig"]["CurrentCopyCount"]) == ("InService", 2)
    assert after["LastDeploymentConfig"]["RollingUpdatePolicy"]["WaitIntervalInSeconds"] == HOUR
    assert {version_of(aws, endpoint, updated) for _ in range(4)} == {"two"}


@pytest.mark.aws(ROW)
def test_an_alarm_takes_an_update_back_and_costs_no_other_component(aws: Accounts, image: str, name: Name) -> None:
    endpoint = shared(aws, name("e"), most=3)
    neighbour = component(aws, endpoint, name("n"), specified(aws, image, "neighbour"))
    updated = component(aws, endpoint, name("i"), specified(aws, image), copies=2)
    broken = specified(aws, image, "two", BEHAVIOUR="broken")
    update(aws, updated, broken, DeploymentConfig=rolling(50, HOUR, alarm_of(aws, name("a"), updated)))

    def asked() -> bool:
        with contextlib.suppress(ClientError):  # those of the new version are broken
            version_of(aws, endpoint, updated)
        description = aws.client("sagemaker").describe_inference_component(InferenceComponentName=updated)
        return bool(description["InferenceComponentStatus"] == "InService")

    until(asked)
    after = settled(aws, updated)
    assert "went into ALARM state" in after["FailureReason"]
    assert {version_of(aws, endpoint, updated) for _ in range(4)} == {"one"}
    assert version_of(aws, endpoint, neighbour) == "neighbour"


@pytest.mark.aws(ROW)
def test_a_version_that_does_not_start_leaves_the_old_one(aws: Accounts, image: str, name: Name) -> None:
    endpoint = shared(aws, name("e"))
    updated = component(aws, endpoint, name("i"), specified(aws, image))
    update(aws, updated, specified(aws, image, "two", BEHAVIOUR="crash"))
    after = settled(aws, updated)

    assert after["InferenceComponentStatus"] == "InService"
    assert "did not pass the ping health check" in after["FailureReason"]
    assert version_of(aws, endpoint, updated) == "one"


@pytest.mark.aws(ROW)
def test_a_component_without_copies_says_so(aws: Accounts, image: str, name: Name) -> None:
    endpoint = shared(aws, name("e"))
    idle = component(aws, endpoint, name("i"), specified(aws, image))
    copies(aws, idle, 0)

    with pytest.raises(ClientError, match="Inference Component has no capacity to process this request"):
        version_of(aws, endpoint, idle)
    copies(aws, idle, 1)
    assert version_of(aws, endpoint, idle) == "one"


@pytest.mark.aws(ROW)
@pytest.mark.slow
def test_a_request_wakes_a_component_by_an_alarm_and_idleness_sends_it_to_sleep(aws: Accounts, image: str, name: Name) -> None:
    endpoint = shared(aws, name("e"))
    scaled = component(aws, endpoint, name("i"), specified(aws, image), copies=0)
    named = {
        "ServiceNamespace": "sagemaker",
        "ScalableDimension": "sagemaker:inference-component:DesiredCopyCount",
        "ResourceId": f"inference-component/{scaled}",
    }
    autoscaling = aws.client("application-autoscaling")
    autoscaling.register_scalable_target(**named, MinCapacity=0, MaxCapacity=1)
    tracked = {"PredefinedMetricType": "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution"}
    autoscaling.put_scaling_policy(
        **named,
        PolicyName="load",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={"TargetValue": 5, "PredefinedMetricSpecification": tracked},
    )
    steps = [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}]
    policy = autoscaling.put_scaling_policy(
        **named,
        PolicyName="wake",
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration={"AdjustmentType": "ChangeInCapacity", "Cooldown": 60, "StepAdjustments": steps},
    )["PolicyARN"]
    wake = {"Statistic": "Sum", "Threshold": 1, "ComparisonOperator": "GreaterThanOrEqualToThreshold", "AlarmActions": [policy]}
    alarm_of(aws, name("a"), scaled, "NoCapacityInvocationFailures", **wake)

    def answers() -> str | None:
        try:
            return version_of(aws, endpoint, scaled)
        except ClientError:
            return None

    assert until(answers) == "one"
    until(lambda: settled(aws, scaled)["RuntimeConfig"]["DesiredCopyCount"] == 0)
    until(partial(has_instances, aws, endpoint, 0))


@pytest.mark.aws(ROW)
def test_components_are_deleted_before_their_endpoint_goes(aws: Accounts, image: str, name: Name) -> None:
    endpoint = shared(aws, name("e"))
    gone, left = (component(aws, endpoint, name(each), specified(aws, image)) for each in ("gone", "left"))
    sagemaker = aws.client("sagemaker")

    def names() -> list[str]:
        listed = sagemaker.list_inference_components(EndpointNameEquals=endpoint)["InferenceComponents"]
        return [each["InferenceComponentName"] for each in listed]

    sagemaker.delete_inference_component(InferenceComponentName=gone)
    until(lambda: names() == [left])
    sagemaker.delete_endpoint(EndpointName=endpoint)
    assert settled(aws, left)["InferenceComponentStatus"] == "InService"
    sagemaker.delete_inference_component(InferenceComponentName=left)
    until(lambda: names() == [])


@pytest.mark.laptop("CloudFormation's handlers by themselves")
def test_cloudformation_makes_updates_and_deletes_a_component(aws: Aws, image: str, name: Name) -> None:
    endpoint = shared(aws, name("e"))
    kind = next(each for each in TYPES if each.kind == "AWS::SageMaker::InferenceComponent")
    more = {"EndpointName": endpoint, "VariantName": "live", "RuntimeConfig": {"CopyCount": 1}, "DeploymentConfig": rolling(50, 0)}

    def wanted(version: str) -> Resource:
        return Resource(ACCOUNT, REGION, name("i"), {**more, "Specification": specified(aws, image, version)})

    first = wanted("one")
    first.id = kind.put(first, None)
    assert version_of(aws, endpoint, name("i")) == "one"
    assert first.id.endswith(f":inference-component/{name('i')}")
    second = wanted("two")
    second.id = kind.put(second, first)
    assert version_of(aws, endpoint, name("i")) == "two"
    kind.delete(second)
    assert not components.exists(ACCOUNT, REGION, name("i"))


@wording
@pytest.mark.parametrize(
    ("size", "copies", "steps"),
    [
        ({"Type": "CAPACITY_PERCENT", "Value": 50}, 1, (0.5, 1.0)),
        ({"Type": "CAPACITY_PERCENT", "Value": 25}, 4, (0.25, 0.5, 0.75, 1.0)),
        ({"Type": "COPY_COUNT", "Value": 1}, 2, (0.5, 1.0)),
        ({"Type": "COPY_COUNT", "Value": 1}, 1, "MaximumBatchSize is 100% of 1 copies"),
        ({"Type": "CAPACITY_PERCENT", "Value": 60}, 4, "MaximumBatchSize is 60% of 4 copies"),
    ],
)
def test_a_batch_is_a_part_of_the_copies(size: Json, copies: int, steps: Any) -> None:
    config = {"RollingUpdatePolicy": {"MaximumBatchSize": size, "WaitIntervalInSeconds": 60}}
    if isinstance(steps, str):
        with pytest.raises(Exception, match=steps):
            deployment_policies.of_component(config, copies)
    else:
        assert deployment_policies.of_component(config, copies).steps == steps


@wording
@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"ExecutionRoleArn": ""}, "ExecutionRoleArn is needed"),
        ({"DataCaptureConfig": {"EnableCapture": True}}, "DataCaptureConfig"),
        ({"AsyncInferenceConfig": {"OutputConfig": {}}}, "does not queue"),
    ],
)
def test_what_an_endpoint_of_components_cannot_have_is_refused(more: Json, words: str) -> None:
    variant = {"VariantName": "live", "InstanceType": "ml.m7i.large", "InitialInstanceCount": 1}
    with pytest.raises(Exception, match=words):
        hosts.check({"ProductionVariants": [variant], "ExecutionRoleArn": "role", **more})
