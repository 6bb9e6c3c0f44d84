"""What CloudFormation's descriptions of resource types forbid is refused, and what never changes is replaced, or refused too."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from cloudformation_stacks import Template, deleted, deploy, reasons, refused, resource
from moto.cloudformation.exceptions import ValidationError

from localcloud.cloudformation import schemas
from localcloud.testing import REGION
from localcloud.testing.accounts import Accounts
from localcloud.testing.names import Name

GROUP, LOGS, BUCKET = "AWS::SageMaker::ModelPackageGroup", "AWS::Logs::LogGroup", "AWS::S3::Bucket"
pure = pytest.mark.laptop("one property each, looked at as a function: the schemas are CloudFormation's own")
properties_of_resources = pytest.mark.aws("properties of every resource of a stack")
create_only = pytest.mark.aws("create-only properties")
retained = pytest.mark.aws("`RetainExceptOnCreate`")
ALARM_OF_NOTHING = {"ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1, "Threshold": 1}


def schema(kind: str) -> schemas.Schema:
    described = schemas.of(kind, REGION)
    assert described
    return described


@pure
def test_a_type_without_a_description_is_not_judged() -> None:
    assert schemas.of("AWS::Odd::Thing", REGION) is None


@pure
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


@pure
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


@properties_of_resources
def test_a_property_that_is_not_accepted_fails_its_resource_before_anything_is_made(cloud: Accounts, name: Name) -> None:
    """The change set fails already, where CloudFormation looks at properties before the deployment."""
    group = {"Type": GROUP, "Properties": {"ModelPackageGroupName": name("group"), "Colour": "red"}}

    assert deploy(cloud, name("stack"), {"Resources": {"Group": group}}) in ("ROLLBACK_COMPLETE", "FAILED")

    listed = cloud.client("sagemaker").list_model_package_groups(NameContains=name("group"))
    assert listed["ModelPackageGroupSummaryList"] == []


@pytest.mark.laptop("where the reason is written, in the stack or the change set, is not known of AWS")
def test_a_property_that_is_not_accepted_is_named(cloud: Accounts, name: Name) -> None:
    group = {"Type": GROUP, "Properties": {"ModelPackageGroupName": name("group"), "Colour": "red"}}

    assert deploy(cloud, name("stack"), {"Resources": {"Group": group}}) == "ROLLBACK_COMPLETE"

    assert "validation failed for resource Group with message:\n#: extraneous key [Colour]" in reasons(cloud, name("stack"))


def described(group: str, description: str) -> Template:
    properties = {"ModelPackageGroupName": group, "ModelPackageGroupDescription": description}
    return {"Resources": {"Group": {"Type": GROUP, "Properties": properties}}}


@create_only
def test_a_named_resource_is_not_replaced_by_one_of_its_name(cloud: Accounts, name: Name) -> None:
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


@create_only
def test_what_has_no_update_is_replaced_but_for_its_tags(cloud: Accounts, name: Name, image: str) -> None:
    stack, sagemaker = name("stack"), cloud.client("sagemaker")

    def template(version: str, tag: str) -> Template:
        trust = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "sagemaker.amazonaws.com"}}]}
        everything = {"PolicyName": "all", "PolicyDocument": {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}}
        container = {"Image": image, "Environment": {"VERSION": version}}
        model = {"ExecutionRoleArn": {"Fn::GetAtt": ["Role", "Arn"]}, "PrimaryContainer": container, "Tags": [{"Key": tag, "Value": "1"}]}
        resources = {
            "Model": {"Type": "AWS::SageMaker::Model", "Properties": model},
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust, "Policies": [everything]}},
        }
        return {"Resources": resources}

    assert deploy(cloud, stack, template("a", "first")) == "CREATE_COMPLETE", reasons(cloud, stack)
    first = resource(cloud, stack, "Model")

    assert deploy(cloud, stack, template("a", "second"), "UPDATE") == "UPDATE_COMPLETE", reasons(cloud, stack)
    assert resource(cloud, stack, "Model") == first
    arn = sagemaker.describe_model(ModelName=first)["ModelArn"]
    assert [tag["Key"] for tag in sagemaker.list_tags(ResourceArn=arn)["Tags"] if not tag["Key"].startswith("aws:")] == ["second"]
    assert deploy(cloud, stack, template("b", "second"), "UPDATE") == "UPDATE_COMPLETE", reasons(cloud, stack)
    second = sagemaker.describe_model(ModelName=resource(cloud, stack, "Model"))
    assert second["PrimaryContainer"]["Environment"] == {"VERSION": "b"}
    with pytest.raises(ClientError, match="Could not find model"):
        sagemaker.describe_model(ModelName=first)


@pytest.mark.aws("tags on stacks and jobs")
def test_a_model_has_its_stacks_tags_beside_its_own_and_keeps_them_when_it_changes(cloud: Accounts, name: Name) -> None:
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


def buckets(cloud: Accounts) -> set[str]:
    return {b["Name"] for b in cloud.client("s3").list_buckets()["Buckets"]}


@retained
@pytest.mark.parametrize(
    ("policy", "stays"), [({}, False), ({"DeletionPolicy": "Retain"}, True), ({"DeletionPolicy": "RetainExceptOnCreate"}, False)]
)
def test_what_a_failed_creation_leaves(cloud: Accounts, name: Name, policy: dict[str, str], stays: bool) -> None:
    """A stack that is made again after that finds the name taken, where everything is retained."""
    bucket = {"Type": BUCKET, "Properties": {"BucketName": name("kept")}, **policy}

    assert deploy(cloud, name("stack"), {"Resources": {"Bucket": bucket, "Odd": refused(DependsOn="Bucket")}}) == "ROLLBACK_COMPLETE"

    assert (name("kept") in buckets(cloud)) == stays


@retained
def test_what_is_retained_but_on_creation_outlives_its_template_and_its_stack(cloud: Accounts, name: Name) -> None:
    """And an update that made it and is taken back takes it along."""
    first, second, added = ({"Type": BUCKET, "Properties": {"BucketName": name(n)}} for n in ("first", "second", "added"))
    for bucket in (first, second, added):
        bucket["DeletionPolicy"] = "RetainExceptOnCreate"
    deploy(cloud, name("stack"), {"Resources": {"First": first, "Second": second}})

    broken = {"Resources": {"First": first, "Second": second, "Added": added, "Odd": refused(DependsOn="Added")}}
    assert deploy(cloud, name("stack"), broken, "UPDATE") == "UPDATE_ROLLBACK_COMPLETE"
    assert deploy(cloud, name("stack"), {"Resources": {"First": first}}, "UPDATE") == "UPDATE_COMPLETE"
    assert deleted(cloud, name("stack"))["StackStatus"] == "DELETE_COMPLETE"

    assert buckets(cloud) & {name("first"), name("second"), name("added")} == {name("first"), name("second")}


@pytest.mark.aws("templates: conditions")
def test_what_its_condition_leaves_out_goes(cloud: Accounts, name: Name) -> None:
    bucket = {"Type": BUCKET, "Properties": {"BucketName": name("bucket")}, "Condition": "Wanted"}
    template = {
        "Parameters": {"Wanted": {"Type": "String"}},
        "Conditions": {"Wanted": {"Fn::Equals": [{"Ref": "Wanted"}, "yes"]}},
        "Resources": {"Bucket": bucket, "Logs": {"Type": LOGS}},
    }

    there = []
    for kind, wanted in (("CREATE", "yes"), ("UPDATE", "no"), ("UPDATE", "yes")):
        deploy(cloud, name("stack"), template, kind, Wanted=wanted)
        there.append(name("bucket") in buckets(cloud))

    assert there == [True, False, True]


@pytest.mark.aws("templates: conditions")
def test_what_has_no_value_is_no_element_of_a_list(cloud: Accounts, name: Name) -> None:
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
