"""Creations and deletions that fail: what stays, which state says so, and the ways on."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from cloudformation_stacks import Template, deleted, deploy, reasons, refused, stack

from localcloud.testing.accounts import Accounts
from localcloud.testing.names import Name
from localcloud.testing.waiting import until

pytestmark = pytest.mark.aws("an update of a stack that cannot go back")


def states(cloud: Accounts, name: str) -> dict[str, str]:
    """Logical id → status of the stack's resources that are there."""
    listed = cloud.client("cloudformation").describe_stack_resources(StackName=name)["StackResources"]
    return {r["LogicalResourceId"]: r["ResourceStatus"] for r in listed if r["ResourceStatus"] != "DELETE_COMPLETE"}


def bucket(name: str) -> Template:
    return {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}}


def buckets(cloud: Accounts) -> set[str]:
    return {b["Name"] for b in cloud.client("s3").list_buckets()["Buckets"]}


def test_a_stack_whose_bucket_is_not_empty_is_not_deleted(cloud: Accounts, name: Name) -> None:
    cloudformation, s3, called = cloud.client("cloudformation"), cloud.client("s3"), name("full")
    parameter = {"Type": "AWS::SSM::Parameter", "Properties": {"Name": f"/{called}", "Type": "String", "Value": {"Ref": "Bucket"}}}
    deploy(cloud, called, {"Resources": {"Bucket": bucket(called), "Parameter": parameter}})
    s3.put_object(Bucket=called, Key="a", Body=b"1")

    with pytest.raises(ClientError, match="Specify resources to retain only when the current stack state is DELETE_FAILED"):
        cloudformation.delete_stack(StackName=called, RetainResources=["Bucket"])
    described = deleted(cloud, called)

    assert (described["StackStatus"], "[Bucket]" in described["StackStatusReason"]) == ("DELETE_FAILED", True)
    assert "not empty" in reasons(cloud, called)
    assert states(cloud, called) == {"Bucket": "DELETE_FAILED"}
    with pytest.raises(ClientError, match="is in DELETE_FAILED state and can not be updated"):
        cloudformation.update_stack(StackName=called, TemplateBody=json.dumps({"Resources": {"Bucket": bucket(called)}}))
    assert deleted(cloud, called, RetainResources=["Bucket"])["StackStatus"] == "DELETE_COMPLETE"
    with pytest.raises(ClientError, match="does not exist"):
        cloudformation.describe_stacks(StackName=called)
    assert s3.get_object(Bucket=called, Key="a")["Body"].read() == b"1"


def test_a_stack_is_deleted_once_nothing_is_in_its_way(cloud: Accounts, name: Name) -> None:
    """What somebody deleted already is deleted."""
    cloudformation, s3, called = cloud.client("cloudformation"), cloud.client("s3"), name("full")
    deploy(cloud, called, {"Resources": {"Bucket": bucket(called), "Gone": bucket(f"{called}-gone")}})
    s3.put_object(Bucket=called, Key="a", Body=b"1")
    s3.delete_bucket(Bucket=f"{called}-gone")
    assert deleted(cloud, called)["StackStatus"] == "DELETE_FAILED"

    s3.delete_object(Bucket=called, Key="a")

    assert deleted(cloud, called)["StackStatus"] == "DELETE_COMPLETE"
    cloudformation.delete_stack(StackName=called)
    assert called not in buckets(cloud)


def test_a_creation_that_cannot_be_undone_says_so(cloud: Accounts, name: Name, image: str) -> None:
    """Somebody fills the bucket while an endpoint starts: what was made stays, and the stack can only be deleted."""
    cloudformation, s3, called = cloud.client("cloudformation"), cloud.client("s3"), name("half")
    sagemaker = cloud.client("sagemaker")
    sagemaker.create_model(ModelName=called, ExecutionRoleArn=cloud.worker(), PrimaryContainer={"Image": image})
    variant = {"ModelName": called, "VariantName": "live", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName=called, ProductionVariants=[variant])
    endpoint = {"EndpointName": called, "EndpointConfigName": called}
    slow = {"Type": "AWS::SageMaker::Endpoint", "Properties": endpoint, "DependsOn": "Bucket"}
    template = {"Resources": {"Bucket": bucket(called), "Slow": slow, "Odd": refused(DependsOn="Slow")}}
    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(cloudformation.create_stack, StackName=called, TemplateBody=json.dumps(template))
        until(lambda: called in buckets(cloud))
        s3.put_object(Bucket=called, Key="a", Body=b"1")

    described = stack(cloud, called)
    assert described["StackStatus"] == "ROLLBACK_FAILED", reasons(cloud, called)
    assert described["StackStatusReason"].strip() == "The following resource(s) failed to delete: [Bucket]."
    assert states(cloud, called)["Bucket"] == "DELETE_FAILED"
    with pytest.raises(ClientError, match="is in ROLLBACK_FAILED state and can not be updated"):
        cloudformation.update_stack(StackName=called, TemplateBody=json.dumps({"Resources": {"Bucket": bucket(called)}}))
    s3.delete_object(Bucket=called, Key="a")
    assert deleted(cloud, called)["StackStatus"] == "DELETE_COMPLETE"
    assert called not in buckets(cloud)


def test_a_stack_that_was_not_created_is_neither_updated_nor_created_again(cloud: Accounts, name: Name) -> None:
    cloudformation, called = cloud.client("cloudformation"), name("odd")
    outputs = {"Outputs": {"Name": {"Value": {"Ref": "Bucket"}}}}
    template = {"Resources": {"Bucket": bucket(called), "Odd": refused(DependsOn="Bucket")}, **outputs}
    body = {"StackName": called, "TemplateBody": json.dumps(template)}
    cloudformation.create_stack(**body)

    described = stack(cloud, called)
    assert (described["StackStatus"], described.get("Outputs", [])) == ("ROLLBACK_COMPLETE", [])
    assert states(cloud, called) == {}
    with pytest.raises(ClientError, match="is in ROLLBACK_COMPLETE state and can not be updated"):
        cloudformation.update_stack(**body)
    with pytest.raises(ClientError, match="already exists and cannot be created again with the changeSet"):
        cloudformation.create_change_set(**body, ChangeSetName="again", ChangeSetType="CREATE")
    assert called not in buckets(cloud)
