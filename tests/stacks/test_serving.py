"""The stack that serves a model: what goes wrong on the real service is pinned here, hazard by hazard."""

from __future__ import annotations

from typing import Any

import pytest

from stacks.constructs.blue_green import blue_green
from tests.stacks.conftest import Layout, synth

STAGING, PRODUCTION = "PavedRoad-lead-scoring-Serving-staging", "PavedRoad-lead-scoring-Serving-production"
STEADY = "PavedRoad-credit-risk-Serving-production"


def deployment(layout: Layout, stack: str) -> Any:
    return layout.only(stack, "AWS::SageMaker::Endpoint")["DeploymentConfig"]["BlueGreenUpdatePolicy"]


def parameters(layout: Layout, stack: str) -> set[str]:
    return set(layout.templates[stack]["Parameters"]) - {"BootstrapVersion"}


def test_production_serves_the_package_itself(layout: Layout) -> None:
    model = layout.only(PRODUCTION, "AWS::SageMaker::Model")

    assert model["PrimaryContainer"] == {"ModelPackageName": {"Ref": "ModelPackageArn"}}
    assert parameters(layout, PRODUCTION) == {"ModelPackageArn"}


def test_staging_serves_what_the_package_is_made_of(layout: Layout) -> None:
    model = layout.only(STAGING, "AWS::SageMaker::Model")

    assert model["PrimaryContainer"] == {"Image": {"Ref": "ImageUri"}, "ModelDataUrl": {"Ref": "ModelDataUrl"}}
    assert parameters(layout, STAGING) == {"ModelPackageArn", "ImageUri", "ModelDataUrl"}


def test_only_versions_of_this_model_are_taken(three: Layout) -> None:
    pattern = three.templates[PRODUCTION]["Parameters"]["ModelPackageArn"]["AllowedPattern"]

    assert pattern == r"arn:[\w-]+:sagemaker:[\w-]+:111111111111:model-package/paved-road-lead-scoring/\d+"


def test_the_container_has_no_network(layout: Layout) -> None:
    assert all(model["EnableNetworkIsolation"] for _, model in layout.every("AWS::SageMaker::Model"))


def test_what_is_replaced_has_a_generated_name_and_stays(layout: Layout) -> None:
    for template in layout.templates.values():
        for resource in template["Resources"].values():
            if resource["Type"] in ("AWS::SageMaker::Model", "AWS::SageMaker::EndpointConfig"):
                assert not {"ModelName", "EndpointConfigName"} & resource["Properties"].keys()
                assert resource["UpdateReplacePolicy"] == "Retain"


def test_the_endpoint_keeps_its_name(three: Layout) -> None:
    assert three.only(STAGING, "AWS::SageMaker::Endpoint")["EndpointName"] == "paved-road-lead-scoring-staging"


def test_requests_are_captured_under_our_key(three: Layout) -> None:
    capture = three.only(PRODUCTION, "AWS::SageMaker::EndpointConfig")["DataCaptureConfig"]

    assert (capture["EnableCapture"], capture["InitialSamplingPercentage"]) == (True, 100)
    assert "Fn::GetAtt" in capture["KmsKeyId"]


def test_capture_can_be_switched_off(three: Layout) -> None:
    capture = three.only("PavedRoad-credit-risk-Serving-staging", "AWS::SageMaker::EndpointConfig")["DataCaptureConfig"]

    assert capture["EnableCapture"] is False


def test_a_volume_key_only_where_sagemaker_takes_one(three: Layout) -> None:
    assert "KmsKeyId" in three.only(PRODUCTION, "AWS::SageMaker::EndpointConfig")
    assert "KmsKeyId" not in three.only(STEADY, "AWS::SageMaker::EndpointConfig")


def test_a_canary_moves_half_and_is_watched_twice(three: Layout) -> None:
    policy = deployment(three, PRODUCTION)

    assert policy["TrafficRoutingConfiguration"] == {
        "Type": "CANARY",
        "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 50},
        "WaitIntervalInSeconds": 600,
    }
    assert policy["MaximumExecutionTimeoutInSeconds"] > 2 * 600 + policy["TerminationWaitInSeconds"]


def test_all_at_once_and_linear(three: Layout) -> None:
    assert deployment(three, STAGING)["TrafficRoutingConfiguration"] == {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 60}
    assert deployment(three, STEADY)["TrafficRoutingConfiguration"] == {
        "Type": "LINEAR",
        "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 25},
        "WaitIntervalInSeconds": 300,
    }


@pytest.mark.parametrize("policy", ["all-at-once", "canary", "linear"])
@pytest.mark.parametrize("minutes", [0, 10, 40])
def test_the_timeout_is_within_sagemakers_limits_and_over_the_waits(policy: str, minutes: int) -> None:
    made = blue_green(policy=policy, size_percent=10, bake_seconds=60 * minutes)
    moves = {"all-at-once": 1, "canary": 2, "linear": 10}[policy]

    assert 600 <= made["maximumExecutionTimeoutInSeconds"] <= 28800
    assert made["maximumExecutionTimeoutInSeconds"] > moves * 60 * minutes + made["terminationWaitInSeconds"]


def test_waits_that_sagemaker_would_refuse() -> None:
    with pytest.raises(ValueError, match="10 linear moves of 60 minutes take longer than the 8 hours SageMaker allows"):
        blue_green(policy="linear", size_percent=10, bake_seconds=3600)


def test_the_alarms_that_roll_back_exist_and_watch_this_variant(layout: Layout) -> None:
    for stack, endpoint in layout.every("AWS::SageMaker::Endpoint"):
        alarms = layout.all(stack, "AWS::CloudWatch::Alarm")
        named = [alarm["AlarmName"]["Ref"] for alarm in endpoint["DeploymentConfig"]["AutoRollbackConfiguration"]["Alarms"]]
        assert len(named) == 2
        for name in named:
            dimensions = {one["Name"]: one["Value"] for one in alarms[name]["Dimensions"]}
            assert dimensions == {"EndpointName": endpoint["EndpointName"], "VariantName": "live"}
            assert alarms[name]["MetricName"] in ("Invocation5XXErrors", "ModelLatency")


def test_every_alarm_tells_somebody(layout: Layout) -> None:
    for stack, alarm in layout.every("AWS::CloudWatch::Alarm"):
        (topic,) = layout.all(stack, "AWS::SNS::Topic")
        assert alarm["AlarmActions"] == [{"Ref": topic}]
        assert alarm["TreatMissingData"] == "notBreaching"


def test_alarms_may_use_the_key_and_the_topic(layout: Layout) -> None:
    for stack, _ in layout.every("AWS::SageMaker::Endpoint"):
        key = layout.only(stack, "AWS::KMS::Key")["KeyPolicy"]["Statement"]
        topic = layout.only(stack, "AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
        for policy, action in ((key, ["kms:Decrypt", "kms:GenerateDataKey*"]), (topic, "sns:Publish")):
            (allowed,) = [one for one in policy if one["Principal"] == {"Service": "cloudwatch.amazonaws.com"}]
            assert allowed["Action"] == action
            assert allowed["Condition"] == {"StringEquals": {"aws:SourceAccount": layout.account_of[stack]}}


def test_owners_are_told_once_each(three: Layout) -> None:
    addresses = [one["Endpoint"] for one in three.all(PRODUCTION, "AWS::SNS::Subscription").values()]

    assert sorted(addresses) == ["lead-scoring@example.com", "ml-platform@example.com"]


def test_scaling_only_where_asked_for(three: Layout) -> None:
    target = three.only(PRODUCTION, "AWS::ApplicationAutoScaling::ScalableTarget")

    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 6)
    assert three.all(STEADY, "AWS::ApplicationAutoScaling::ScalableTarget") == {}


def test_an_update_keeps_the_count_that_scaling_reached(three: Layout) -> None:
    def dropped(stack: str) -> list[str]:
        endpoint = three.only(stack, "AWS::SageMaker::Endpoint")
        assert endpoint["RetainAllVariantProperties"] is True
        return [one["VariantPropertyType"] for one in endpoint["ExcludeRetainedVariantProperties"]]

    assert dropped(PRODUCTION) == ["DataCaptureConfig"]
    assert dropped(STEADY) == ["DataCaptureConfig", "DesiredInstanceCount"]


def test_the_verifier_trusts_two_roles_of_the_toolchain(layout: Layout) -> None:
    (role,) = [one for one in layout.all(PRODUCTION, "AWS::IAM::Role").values() if one["RoleName"].endswith("-verifier")]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]

    assert trust["Condition"]["ArnEquals"]["aws:PrincipalArn"] == [
        "arn:aws:iam::111111111111:role/paved-road-lead-scoring-deploy-production",
        "arn:aws:iam::111111111111:role/paved-road-platform-deploy-production",
    ]


def test_the_endpoint_may_not_make_log_groups(layout: Layout) -> None:
    for stack, endpoint in layout.every("AWS::SageMaker::Endpoint"):
        assert layout.only(stack, "AWS::Logs::LogGroup")["LogGroupName"] == f"/aws/sagemaker/Endpoints/{endpoint['EndpointName']}"
        for role in layout.all(stack, "AWS::IAM::Role").values():
            assert "logs:CreateLogGroup" not in str(role["Policies"])


def test_synth_twice_gives_the_same_templates(three: Layout, tmp_path: Any) -> None:
    assert synth(three.config, tmp_path).templates == three.templates
