"""What CloudFormation's descriptions of resource types forbid is refused, and what never changes is replaced, or refused too."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from cloudformation_stacks import Template, deploy, reasons
from moto.cloudformation.exceptions import ValidationError

from localcloud.cloudformation import schemas
from localcloud.testing import REGION
from localcloud.testing.names import Name
from localcloud.testing.running import Running

GROUP, LOGS, BUCKET = "AWS::SageMaker::ModelPackageGroup", "AWS::Logs::LogGroup", "AWS::S3::Bucket"
ALARM_OF_NOTHING = {"ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1, "Threshold": 1}


def schema(kind: str) -> schemas.Schema:
    described = schemas.of(kind, REGION)
    assert described
    return described


def test_a_type_without_a_description_is_not_judged() -> None:
    assert schemas.of("AWS::Odd::Thing", REGION) is None


@pytest.mark.parametrize(
    ("kind", "properties", "words"),
    [
        (GROUP, {}, "#: required key [ModelPackageGroupName] not found"),
        (GROUP, {"ModelPackageGroupName": "a", "Colour": "red"}, "#: extraneous key [Colour] is not permitted"),
        (GROUP, {"ModelPackageGroupName": "a_b"}, "#/ModelPackageGroupName: failed validation constraint for keyword [pattern]"),
        (GROUP, {"ModelPackageGroupName": "a" * 64}, "#/ModelPackageGroupName: expected maxLength: 63, actual: 64"),
        (GROUP, {"ModelPackageGroupName": {"a": 1}}, "#/ModelPackageGroupName: expected type: String, found: JSONObject"),
        (GROUP, {"ModelPackageGroupName": "a", "CreationTime": "now"}, "#/CreationTime: a read-only property cannot be set"),
        (LOGS, {"RetentionInDays": 42}, "#/RetentionInDays: 42 is not a valid enum value"),
        (BUCKET, {"VersioningConfiguration": {"Status": "On"}}, "#/VersioningConfiguration/Status: On is not a valid enum value"),
        (BUCKET, {"ObjectLockEnabled": "maybe"}, "#/ObjectLockEnabled: expected type: Boolean, found: String"),
        ("AWS::KMS::Key", {"PendingWindowInDays": "6"}, "#/PendingWindowInDays: failed validation constraint for keyword [minimum]"),
        ("AWS::CloudWatch::Alarm", ALARM_OF_NOTHING, "#: failed validation constraint for keyword [requiredXor]"),
    ],
)
def test_what_a_description_forbids_is_said_in_cloudformations_words(kind: str, properties: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        schema(kind).require("It", properties)

    assert caught.value.message.splitlines() == ["Properties validation failed for resource It with message:", words]


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        (LOGS, {"RetentionInDays": "7"}),
        (BUCKET, {"ObjectLockEnabled": "true"}),
        ("AWS::SSM::Parameter", {"Type": "String", "Value": 1}),
        ("AWS::IAM::Role", {"AssumeRolePolicyDocument": "{}"}),
    ],
)
def test_text_numbers_and_booleans_stand_for_each_other(kind: str, properties: dict[str, Any]) -> None:
    schema(kind).require("It", properties)


def test_a_property_that_is_not_accepted_fails_its_resource_before_anything_is_made(cloud: Running, name: Name) -> None:
    group = {"Type": GROUP, "Properties": {"ModelPackageGroupName": name("group"), "Colour": "red"}}

    assert deploy(cloud, name("stack"), {"Resources": {"Group": group}}) == "ROLLBACK_COMPLETE"

    assert "validation failed for resource Group with message:\n#: extraneous key [Colour]" in reasons(cloud, name("stack"))
    assert name("group") not in str(cloud.client("sagemaker").list_model_package_groups())


def described(group: str, description: str) -> Template:
    properties = {"ModelPackageGroupName": group, "ModelPackageGroupDescription": description}
    return {"Resources": {"Group": {"Type": GROUP, "Properties": properties}}}


def test_a_named_resource_is_not_replaced_by_one_of_its_name(cloud: Running, name: Name) -> None:
    """A group's description is written once. Under another name the new group comes first, then the old one goes."""
    sagemaker, stack, group = cloud.client("sagemaker"), name("stack"), name("group")
    assert deploy(cloud, stack, described(group, "old")) == "CREATE_COMPLETE", reasons(cloud, stack)

    assert deploy(cloud, stack, described(group, "new"), "UPDATE") == "UPDATE_ROLLBACK_COMPLETE"

    refused = "CloudFormation cannot update a stack when a custom-named resource requires replacing."
    assert f"{refused} Rename {group} and update the stack again." in reasons(cloud, stack)
    assert sagemaker.describe_model_package_group(ModelPackageGroupName=group)["ModelPackageGroupDescription"] == "old"
    assert deploy(cloud, stack, described(f"{group}-2", "new"), "UPDATE") == "UPDATE_COMPLETE", reasons(cloud, stack)
    groups = [g["ModelPackageGroupName"] for g in sagemaker.list_model_package_groups(NameContains=group)["ModelPackageGroupSummaryList"]]
    assert groups == [f"{group}-2"]


def test_what_has_no_update_is_replaced_but_for_its_tags(cloud: Running, name: Name) -> None:
    stack, sagemaker = name("stack"), cloud.client("sagemaker")

    def model() -> str:
        described = cloud.client("cloudformation").describe_stack_resource(StackName=stack, LogicalResourceId="Model")
        return str(described["StackResourceDetail"]["PhysicalResourceId"])

    def template(image: str, tag: str) -> Template:
        trust = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "sagemaker.amazonaws.com"}}]}
        container = {"Image": f"123456789012.dkr.ecr.{REGION}.amazonaws.com/x@sha256:{64 * image}"}
        model = {"ExecutionRoleArn": {"Fn::GetAtt": ["Role", "Arn"]}, "PrimaryContainer": container, "Tags": [{"Key": tag, "Value": "1"}]}
        resources = {
            "Model": {"Type": "AWS::SageMaker::Model", "Properties": model},
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust}},
        }
        return {"Resources": resources}

    assert deploy(cloud, stack, template("a", "first")) == "CREATE_COMPLETE", reasons(cloud, stack)
    first = model()

    assert deploy(cloud, stack, template("a", "second"), "UPDATE") == "UPDATE_COMPLETE", reasons(cloud, stack)
    assert model() == first
    arn = sagemaker.describe_model(ModelName=first)["ModelArn"]
    assert [tag["Key"] for tag in sagemaker.list_tags(ResourceArn=arn)["Tags"]] == ["second"]
    assert deploy(cloud, stack, template("b", "second"), "UPDATE") == "UPDATE_COMPLETE", reasons(cloud, stack)
    assert sagemaker.describe_model(ModelName=model())["PrimaryContainer"]["Image"].endswith(64 * "b")
    with pytest.raises(ClientError, match="Could not find model"):
        sagemaker.describe_model(ModelName=first)


def test_a_model_has_its_stacks_tags_beside_its_own_and_keeps_them_when_it_changes(cloud: Running, name: Name) -> None:
    stack, sagemaker = name("stack"), cloud.client("sagemaker")
    trust = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "sagemaker.amazonaws.com"}}]}

    def template(own: str) -> Template:
        container = {"Image": f"123456789012.dkr.ecr.{REGION}.amazonaws.com/x@sha256:{64 * 'a'}"}
        tags = [{"Key": "own", "Value": own}, {"Key": "owner", "Value": "model"}]
        model = {"ExecutionRoleArn": {"Fn::GetAtt": ["Role", "Arn"]}, "PrimaryContainer": container, "Tags": tags}
        role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust}}
        return {"Resources": {"Model": {"Type": "AWS::SageMaker::Model", "Properties": model}, "Role": role}}

    def tags() -> dict[str, str]:
        described = cloud.client("cloudformation").describe_stack_resource(StackName=stack, LogicalResourceId="Model")
        arn = sagemaker.describe_model(ModelName=described["StackResourceDetail"]["PhysicalResourceId"])["ModelArn"]
        return {tag["Key"]: tag["Value"] for tag in sagemaker.list_tags(ResourceArn=arn)["Tags"]}

    assert deploy(cloud, stack, template("1"), tags={"project": "p", "owner": "stack"}) == "CREATE_COMPLETE", reasons(cloud, stack)
    assert tags() == {"project": "p", "own": "1", "owner": "model"}
    assert deploy(cloud, stack, template("2"), "UPDATE") == "UPDATE_COMPLETE", reasons(cloud, stack)
    assert tags() == {"project": "p", "own": "2", "owner": "model"}


@pytest.mark.parametrize(
    ("policy", "stays"), [({}, False), ({"DeletionPolicy": "Retain"}, True), ({"DeletionPolicy": "RetainExceptOnCreate"}, False)]
)
def test_what_a_failed_creation_leaves(cloud: Running, name: Name, policy: dict[str, str], stays: bool) -> None:
    """A stack that is made again after that finds the name taken, where everything is retained."""
    bucket = {"Type": BUCKET, "Properties": {"BucketName": name("kept")}, **policy}
    odd = {"Type": "AWS::Odd::Thing", "DependsOn": "Bucket"}

    assert deploy(cloud, name("stack"), {"Resources": {"Bucket": bucket, "Odd": odd}}) == "ROLLBACK_COMPLETE"

    assert (name("kept") in {b["Name"] for b in cloud.client("s3").list_buckets()["Buckets"]}) == stays


def test_what_is_retained_but_on_creation_outlives_its_template_and_its_stack(cloud: Running, name: Name) -> None:
    """And an update that made it and is taken back takes it along."""
    first, second, added = ({"Type": BUCKET, "Properties": {"BucketName": name(n)}} for n in ("first", "second", "added"))
    for resource in (first, second, added):
        resource["DeletionPolicy"] = "RetainExceptOnCreate"
    deploy(cloud, name("stack"), {"Resources": {"First": first, "Second": second}})
    odd = {"Type": "AWS::Odd::Thing", "DependsOn": "Added"}

    broken = {"Resources": {"First": first, "Second": second, "Added": added, "Odd": odd}}
    assert deploy(cloud, name("stack"), broken, "UPDATE") == "UPDATE_ROLLBACK_COMPLETE"
    assert deploy(cloud, name("stack"), {"Resources": {"First": first}}, "UPDATE") == "UPDATE_COMPLETE"
    cloud.client("cloudformation").delete_stack(StackName=name("stack"))

    there = {b["Name"] for b in cloud.client("s3").list_buckets()["Buckets"]}
    assert there & {name("first"), name("second"), name("added")} == {name("first"), name("second")}


def test_what_its_condition_leaves_out_goes(cloud: Running, name: Name) -> None:
    bucket = {"Type": BUCKET, "Properties": {"BucketName": name("bucket")}, "Condition": "Wanted"}
    template = {
        "Parameters": {"Wanted": {"Type": "String"}},
        "Conditions": {"Wanted": {"Fn::Equals": [{"Ref": "Wanted"}, "yes"]}},
        "Resources": {"Bucket": bucket, "Logs": {"Type": LOGS}},
    }

    there = []
    for kind, wanted in (("CREATE", "yes"), ("UPDATE", "no"), ("UPDATE", "yes")):
        deploy(cloud, name("stack"), template, kind, Wanted=wanted)
        there.append(name("bucket") in {b["Name"] for b in cloud.client("s3").list_buckets()["Buckets"]})

    assert there == [True, False, True]


def test_what_has_no_value_is_no_element_of_a_list(cloud: Running, name: Name) -> None:
    """As GetRole shows the trust policy of CDK's bootstrap where nobody else is trusted."""
    trusted = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "events.amazonaws.com"}}
    left_out = {"Fn::If": ["Never", {**trusted, "Sid": "Other"}, {"Ref": "AWS::NoValue"}]}
    role = {"RoleName": name("r"), "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trusted, left_out]}}
    template: Template = {
        "Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": role}},
        "Conditions": {"Never": {"Fn::Equals": ["a", "b"]}},
    }
    deploy(cloud, name("s"), template)

    assert cloud.client("iam").get_role(RoleName=name("r"))["Role"]["AssumeRolePolicyDocument"]["Statement"] == [trusted]
