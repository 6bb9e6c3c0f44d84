"""The stack that serves a model: what goes wrong on the real service is pinned here, hazard by hazard."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import naming
from pipelines.serving_stack import ServingOutputs
from tests import reference
from tests.reference import CONFIG, MODEL
from tests.support.layouts import HOME, STEADY, Layout, models, synth
from tests.support.layouts import PRODUCTION as LAST
from tests.support.layouts import STAGING as FIRST

pytestmark = pytest.mark.laptop("templates alone")

STAGING, PRODUCTION = naming.serving_stack(CONFIG, MODEL, FIRST), naming.serving_stack(CONFIG, MODEL, LAST)
STEADY_STAGING, STEADY_PRODUCTION = naming.serving_stack(CONFIG, STEADY, FIRST), naming.serving_stack(CONFIG, STEADY, LAST)
HOW = {  # one deployment is made
    "ModelVersion",
    "ModelSha256",
    "PreviousModelVersion",
    "Urgent",
    *(f"ExpectedShiftP{percent}" for percent in (10, 50, 90)),
}


ITS_OWN = {"MODEL_SHA256": {"Ref": "ModelSha256"}}  # a container serves no other model


def container(layout: Layout, stack: str) -> dict[str, Any]:
    """What the model runs; how it takes over is told apart by its environment, too."""
    made: dict[str, Any] = layout.only(stack, "AWS::SageMaker::Model")["PrimaryContainer"]
    return {**made, "Environment": {k: v for k, v in made["Environment"].items() if k != "DEPLOYMENT_POLICY"}}


def parameters(layout: Layout, stack: str) -> set[str]:
    return set(layout.templates[stack]["Parameters"]) - {"BootstrapVersion"}


def test_production_serves_the_package_itself(layout: Layout) -> None:
    assert container(layout, PRODUCTION) == {"ModelPackageName": {"Ref": "ModelPackageArn"}, "Environment": ITS_OWN}
    assert parameters(layout, PRODUCTION) == {"ModelPackageArn", *HOW}


def test_staging_serves_what_the_package_is_made_of(layout: Layout) -> None:
    assert container(layout, STAGING) == {
        "Image": {"Ref": "ImageUri"},
        "ModelDataUrl": {"Ref": "ModelDataUrl"},
        "Environment": ITS_OWN,
    }
    assert parameters(layout, STAGING) == {"ModelPackageArn", "ImageUri", "ModelDataUrl", *HOW}


def test_versions_are_named_as_containers_name_them(layout: Layout) -> None:
    for name in ("ModelVersion", "PreviousModelVersion"):
        declared = layout.templates[PRODUCTION]["Parameters"][name]
        for version, fits in (("none", True), ("0123456789ab", True), ("0123456789AB", False), ("", False), ("12", False)):
            assert bool(re.fullmatch(declared["AllowedPattern"], version)) is fits


def test_what_has_few_values_takes_no_other(three: Layout) -> None:
    urgent = three.templates[PRODUCTION]["Parameters"]["Urgent"]

    assert (urgent["AllowedValues"], urgent["Default"]) == (["yes", "no"], "no")


def test_images_are_known_by_their_digest(three: Layout) -> None:
    pattern = three.templates[STAGING]["Parameters"]["ImageUri"]["AllowedPattern"]

    assert re.fullmatch(pattern, "repository@sha256:" + "a" * 64)
    assert not re.fullmatch(pattern, "repository:latest")


def test_the_stack_says_what_a_live_check_needs(layout: Layout) -> None:
    outputs = {name: output["Value"] for name, output in layout.templates[PRODUCTION]["Outputs"].items()}
    (log,), (capture,) = (layout.all(PRODUCTION, kind) for kind in ("AWS::Logs::LogGroup", "AWS::S3::Bucket"))

    assert outputs.keys() == {
        *("EndpointName", "EndpointConfigName", "ModelPackage", "RollbackAlarms", "LogGroup", "CaptureBucket"),
        *("ModelVersion", "PreviousModelVersion"),
    }
    assert outputs.keys() == ServingOutputs.declared().keys() - {"QueueBucket"}, "that is of requests that wait"
    assert (outputs["LogGroup"], outputs["CaptureBucket"]) == ({"Ref": log}, {"Ref": capture})
    for name, parameter in (
        ("ModelPackage", "ModelPackageArn"),
        ("ModelVersion", "ModelVersion"),
        ("PreviousModelVersion", "PreviousModelVersion"),
    ):
        assert outputs[name] == {"Ref": parameter}


def test_only_versions_of_this_model_are_taken(three: Layout) -> None:
    pattern = three.templates[PRODUCTION]["Parameters"]["ModelPackageArn"]["AllowedPattern"]

    assert pattern == rf"arn:[\w-]+:sagemaker:[\w-]+:{HOME.id}:model-package/{naming.model_package_group(CONFIG, MODEL)}/\d+"


def test_the_container_has_no_network(layout: Layout) -> None:
    assert all(model["EnableNetworkIsolation"] for _, model in layout.every("AWS::SageMaker::Model"))


def test_what_is_replaced_has_a_generated_name_and_stays(layout: Layout) -> None:
    for template in layout.templates.values():
        for resource in template["Resources"].values():
            if resource["Type"] in ("AWS::SageMaker::Model", "AWS::SageMaker::EndpointConfig"):
                assert not {"ModelName", "EndpointConfigName"} & resource["Properties"].keys()
                assert resource["UpdateReplacePolicy"] == "Retain"


def test_the_endpoint_keeps_its_name(three: Layout) -> None:
    assert three.only(STAGING, "AWS::SageMaker::Endpoint")["EndpointName"] == naming.endpoint(CONFIG, MODEL, FIRST)


def test_requests_are_captured_under_our_key(three: Layout) -> None:
    capture = three.only(PRODUCTION, "AWS::SageMaker::EndpointConfig")["DataCaptureConfig"]

    assert (capture["EnableCapture"], capture["InitialSamplingPercentage"]) == (True, 100)
    assert "Fn::GetAtt" in capture["KmsKeyId"]


def test_capture_can_be_switched_off(three: Layout) -> None:
    capture = three.only(STEADY_STAGING, "AWS::SageMaker::EndpointConfig")["DataCaptureConfig"]

    assert capture["EnableCapture"] is False


def test_a_volume_key_only_where_sagemaker_takes_one(three: Layout) -> None:
    assert "KmsKeyId" in three.only(PRODUCTION, "AWS::SageMaker::EndpointConfig")
    assert "KmsKeyId" not in three.only(STEADY_PRODUCTION, "AWS::SageMaker::EndpointConfig")


def test_the_alarms_that_roll_back_watch_this_variant(layout: Layout) -> None:
    for stack, endpoint in layout.every("AWS::SageMaker::Endpoint"):
        alarms = layout.all(stack, "AWS::CloudWatch::Alarm")
        _, policy, _ = endpoint["DeploymentConfig"]["Fn::If"]
        for name in (alarm["AlarmName"]["Ref"] for alarm in policy["AutoRollbackConfiguration"]["Alarms"]):
            if "Dimensions" in alarms[name]:
                dimensions = {dimension["Name"]: dimension["Value"] for dimension in alarms[name]["Dimensions"]}
                assert dimensions["EndpointName"] == endpoint["EndpointName"]
                assert dimensions["VariantName"] == naming.VARIANT


def test_every_alarm_tells_somebody(layout: Layout) -> None:
    for stack in (STAGING, PRODUCTION, STEADY_PRODUCTION):
        (topic,) = layout.all(stack, "AWS::SNS::Topic")
        for alarm in layout.all(stack, "AWS::CloudWatch::Alarm").values():
            assert alarm["AlarmActions"] == [{"Ref": topic}]
            assert alarm["TreatMissingData"] == "notBreaching"


def test_alarms_may_use_the_key_and_the_topic(layout: Layout) -> None:
    for stack, _ in layout.every("AWS::SageMaker::Endpoint"):
        key = layout.only(stack, "AWS::KMS::Key")["KeyPolicy"]["Statement"]
        topic = layout.only(stack, "AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
        for policy, action in ((key, ["kms:Decrypt", "kms:GenerateDataKey*"]), (topic, "sns:Publish")):
            (allowed,) = [statement for statement in policy if statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}]
            assert allowed["Action"] == action
            assert allowed["Condition"] == {"StringEquals": {"aws:SourceAccount": layout.account_of[stack]}}


def test_owners_are_written_to_once_each(three: Layout) -> None:
    addresses = [subscription["Endpoint"] for subscription in three.all(PRODUCTION, "AWS::SNS::Subscription").values()]

    assert sorted(addresses) == sorted([*CONFIG.owners, reference.model().owner])


def test_scaling_only_where_asked_for(three: Layout) -> None:
    target = three.only(PRODUCTION, "AWS::ApplicationAutoScaling::ScalableTarget")

    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 6)
    assert three.all(STEADY_PRODUCTION, "AWS::ApplicationAutoScaling::ScalableTarget") == {}


def test_an_update_keeps_the_count_that_scaling_reached(three: Layout) -> None:
    def dropped(stack: str) -> list[str]:
        endpoint = three.only(stack, "AWS::SageMaker::Endpoint")
        assert endpoint["RetainAllVariantProperties"] is True
        return [excluded["VariantPropertyType"] for excluded in endpoint["ExcludeRetainedVariantProperties"]]

    assert dropped(PRODUCTION) == ["DataCaptureConfig"]
    assert dropped(STEADY_PRODUCTION) == ["DataCaptureConfig", "DesiredInstanceCount"]


def test_the_endpoint_may_read_the_alarms_that_guard_it(layout: Layout) -> None:
    for stack, _ in layout.every("AWS::SageMaker::Endpoint"):
        account = layout.account_of[stack]
        statements = [
            statement
            for role in layout.all(stack, "AWS::IAM::Role").values()
            for policy in role["Policies"]
            for statement in policy["PolicyDocument"]["Statement"]
        ]
        (alarms,) = [statement["Resource"] for statement in statements if statement["Action"] == "cloudwatch:DescribeAlarms"]
        assert f":cloudwatch:{HOME.region}:{account}:alarm:*" in str(alarms)


def test_the_verifier_trusts_the_stages_and_where_it_may_be_retrained_the_controller(layout: Layout) -> None:
    role = layout.role(PRODUCTION, naming.verifier_role(CONFIG, MODEL, LAST))
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    trusted = [
        naming.deploy_role(CONFIG, MODEL, LAST),
        naming.deploy_role(CONFIG, naming.PLATFORM, LAST),
        naming.stage_project(CONFIG, MODEL, naming.TRAIN),
        naming.controller_role(CONFIG, MODEL),
    ]

    assert trust["Condition"]["ArnEquals"]["aws:PrincipalArn"] == [f"arn:aws:iam::{HOME.id}:role/{name}" for name in trusted]
    first = str(layout.role(STAGING, naming.verifier_role(CONFIG, MODEL, FIRST)))
    assert not any(role in first for role in trusted[2:])


def test_the_endpoint_may_make_its_own_log_group_and_no_other(layout: Layout) -> None:
    """The stack makes the group, for how long it keeps; SageMaker's page on execution roles asks for the permission all the same."""
    for stack, endpoint in layout.every("AWS::SageMaker::Endpoint"):
        assert layout.only(stack, "AWS::Logs::LogGroup")["LogGroupName"] == f"/aws/sagemaker/Endpoints/{endpoint['EndpointName']}"
        makers = [
            statement["Resource"]
            for role in layout.all(stack, "AWS::IAM::Role").values()
            for policy in role.get("Policies", [])
            for statement in policy["PolicyDocument"]["Statement"]
            if "logs:CreateLogGroup" in statement["Action"]
        ]
        (log,) = layout.all(stack, "AWS::Logs::LogGroup")
        assert [made["Fn::Join"][1][-1] for made in makers] == [{"Ref": log}]


def test_synth_twice_gives_the_same_templates(three: Layout, tmp_path: Path) -> None:
    assert synth(three.config, models(), tmp_path).templates == three.templates
