"""Stacks fail as on AWS: by a state that says so, and with the ways on that its guide names."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cloudformation_stacks import Template, deploy, reasons

from localcloud.testing import ACCOUNT, REGION
from localcloud.testing.names import Name
from localcloud.testing.running import Running
from localcloud.testing.waiting import until

IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team/failing:test"


def stack(cloud: Running, name: str) -> dict[str, Any]:
    """The stack, once nothing is under way."""

    def settled() -> dict[str, Any] | None:
        (described,) = cloud.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        return None if described["StackStatus"].endswith("_IN_PROGRESS") else dict(described)

    return dict(until(settled))


def states(cloud: Running, name: str) -> dict[str, str]:
    """Logical id → status of the stack's resources."""
    listed = cloud.client("cloudformation").describe_stack_resources(StackName=name)["StackResources"]
    return {r["LogicalResourceId"]: r["ResourceStatus"] for r in listed}


@pytest.fixture(scope="module")
def image(cloud: Running) -> str:
    """The image of `localcloud.testing`, by digest, and the data of a model that it serves."""
    cloud.client("ecr").create_repository(repositoryName="team/failing")
    return cloud.image("team/failing")


def serving(name: str, image: str, version: str = "one", *, endpoint: bool = True) -> Template:
    """A role, a model, its configuration and, where wanted, its endpoint."""
    trust = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "sagemaker.amazonaws.com"}}]}
    everything = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    role = {"AssumeRolePolicyDocument": trust, "Policies": [{"PolicyName": "all", "PolicyDocument": everything}]}
    container = {"Image": image, "Environment": {"VERSION": version}}
    variant = {
        "ModelName": {"Fn::GetAtt": ["Model", "ModelName"]},
        "VariantName": "live",
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
        "InitialVariantWeight": 1,
    }
    resources = {
        "Role": {"Type": "AWS::IAM::Role", "Properties": role},
        "Model": {
            "Type": "AWS::SageMaker::Model",
            "Properties": {"ExecutionRoleArn": {"Fn::GetAtt": ["Role", "Arn"]}, "PrimaryContainer": container},
        },
        "Config": {"Type": "AWS::SageMaker::EndpointConfig", "Properties": {"ProductionVariants": [variant]}},
    }
    configuration = {"Fn::GetAtt": ["Config", "EndpointConfigName"]}
    if endpoint:
        members = {"EndpointName": name, "EndpointConfigName": configuration}
        resources["Endpoint"] = {"Type": "AWS::SageMaker::Endpoint", "Properties": members}
    return {"Resources": resources}


def configurations(cloud: Running, name: str) -> list[str]:
    """The endpoint configurations that a stack made."""
    listed = cloud.client("sagemaker").list_endpoint_configs(NameContains=name, MaxResults=100)["EndpointConfigs"]
    return [c["EndpointConfigName"] for c in listed]


def without_its_endpoint(cloud: Running, name: str, image: str) -> None:
    """A stack whose endpoint somebody deleted, and which could not be updated since."""
    sagemaker = cloud.client("sagemaker")
    assert deploy(cloud, name, serving(name, image)) == "CREATE_COMPLETE", reasons(cloud, name)
    sagemaker.delete_endpoint(EndpointName=name)

    assert deploy(cloud, name, serving(name, image, "two"), "UPDATE") == "UPDATE_ROLLBACK_FAILED"


def test_a_stack_whose_endpoint_was_deleted_by_hand_cannot_go_back(cloud: Running, name: Name, image: str) -> None:
    """CloudFormation's guide, "Update rollback failed": it goes back to what it believes to be there."""
    cloudformation, called = cloud.client("cloudformation"), name("e")
    without_its_endpoint(cloud, called, image)

    assert stack(cloud, called)["StackStatusReason"] == "The following resource(s) failed to update: [Endpoint]. "
    assert "Could not find endpoint" in reasons(cloud, called)
    assert states(cloud, called)["Endpoint"] == "UPDATE_FAILED"
    change = {"StackName": called, "TemplateBody": json.dumps(serving(called, image, "three"))}
    words = "is in UPDATE_ROLLBACK_FAILED state and can not be updated"
    with pytest.raises(ClientError, match=words):
        cloudformation.update_stack(**change)
    with pytest.raises(ClientError, match=words):
        cloudformation.create_change_set(**change, ChangeSetName="change", ChangeSetType="UPDATE")

    cloudformation.continue_update_rollback(StackName=called)
    assert stack(cloud, called)["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    with pytest.raises(ClientError, match=r"ResourcesToSkip has \[Config\]"):
        cloudformation.continue_update_rollback(StackName=called, ResourcesToSkip=["Config"])


def test_a_rollback_continues_without_what_is_gone(cloud: Running, name: Name, image: str) -> None:
    """And leaves one configuration. The endpoint comes back only as a new resource: CloudFormation does not look whether it is there."""
    cloudformation, sagemaker, called = cloud.client("cloudformation"), cloud.client("sagemaker"), name("e")
    without_its_endpoint(cloud, called, image)

    cloudformation.continue_update_rollback(StackName=called, ResourcesToSkip=["Endpoint"])

    assert stack(cloud, called)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert states(cloud, called)["Endpoint"] == "UPDATE_COMPLETE"
    assert len(configurations(cloud, called)) == 1
    with pytest.raises(ClientError, match="Could not find endpoint"):
        sagemaker.describe_endpoint(EndpointName=called)
    with pytest.raises(ClientError, match="is in UPDATE_ROLLBACK_COMPLETE state and can not continue"):
        cloudformation.continue_update_rollback(StackName=called)
    assert deploy(cloud, called, serving(called, image, endpoint=False), "UPDATE") == "UPDATE_COMPLETE", reasons(cloud, called)
    assert deploy(cloud, called, serving(called, image), "UPDATE") == "UPDATE_COMPLETE", reasons(cloud, called)
    assert sagemaker.describe_endpoint(EndpointName=called)["EndpointStatus"] == "InService"


def test_a_stack_that_cannot_go_back_is_deleted_and_made_anew(cloud: Running, name: Name, image: str) -> None:
    called = name("e")
    without_its_endpoint(cloud, called, image)

    cloud.client("cloudformation").delete_stack(StackName=called)

    assert configurations(cloud, called) == []
    assert deploy(cloud, called, serving(called, image, "two")) == "CREATE_COMPLETE", reasons(cloud, called)
    assert cloud.client("sagemaker").describe_endpoint(EndpointName=called)["EndpointStatus"] == "InService"


def test_a_rollback_is_forced(cloud: Running, name: Name, image: str) -> None:
    cloudformation, called = cloud.client("cloudformation"), name("e")
    without_its_endpoint(cloud, called, image)

    with pytest.raises(ClientError, match="mutually exclusive"):
        cloudformation.continue_update_rollback(StackName=called, ResourcesToSkip=["Endpoint"], ForceRollback=True)
    cloudformation.continue_update_rollback(StackName=called, ForceRollback=True)

    assert stack(cloud, called)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"


def test_a_rollback_continues_once_what_failed_is_mended(cloud: Running, name: Name, image: str) -> None:
    called, sagemaker = name("e"), cloud.client("sagemaker")
    without_its_endpoint(cloud, called, image)
    (configuration,) = (c for c in configurations(cloud, called) if "one" in model(cloud, c))

    sagemaker.create_endpoint(EndpointName=called, EndpointConfigName=configuration)
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=called, WaiterConfig={"Delay": 1})
    cloud.client("cloudformation").continue_update_rollback(StackName=called)

    assert stack(cloud, called)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert configurations(cloud, called) == [configuration]


def model(cloud: Running, configuration: str) -> str:
    """The version that a configuration's model is of."""
    sagemaker = cloud.client("sagemaker")
    name = sagemaker.describe_endpoint_config(EndpointConfigName=configuration)["ProductionVariants"][0]["ModelName"]
    return str(sagemaker.describe_model(ModelName=name)["PrimaryContainer"]["Environment"]["VERSION"])


def test_an_update_goes_back_to_the_very_resources_that_were_there(cloud: Running, name: Name, image: str) -> None:
    """What the update replaced was still there; what it made is deleted."""
    called, sagemaker = name("e"), cloud.client("sagemaker")
    assert deploy(cloud, called, serving(called, image)) == "CREATE_COMPLETE", reasons(cloud, called)
    before = configurations(cloud, called)
    broken = serving(called, image, "two")
    broken["Resources"]["Odd"] = {"Type": "AWS::Odd::Thing", "DependsOn": "Endpoint"}

    assert deploy(cloud, called, broken, "UPDATE") == "UPDATE_ROLLBACK_COMPLETE"

    assert configurations(cloud, called) == before == [sagemaker.describe_endpoint(EndpointName=called)["EndpointConfigName"]]


def test_a_stack_takes_over_an_endpoint_that_was_updated_by_hand(cloud: Running, name: Name, image: str) -> None:
    """CloudFormation does not look what serves: an update that changes nothing leaves it, the next that changes it takes it over."""
    called, sagemaker = name("e"), cloud.client("sagemaker")
    assert deploy(cloud, called, serving(called, image)) == "CREATE_COMPLETE", reasons(cloud, called)
    (own,) = configurations(cloud, called)
    variants = sagemaker.describe_endpoint_config(EndpointConfigName=own)["ProductionVariants"]
    sagemaker.create_endpoint_config(EndpointConfigName=name("hand"), ProductionVariants=variants)
    sagemaker.update_endpoint(EndpointName=called, EndpointConfigName=name("hand"))
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=called, WaiterConfig={"Delay": 1})

    assert sagemaker.describe_endpoint(EndpointName=called)["EndpointConfigName"] == name("hand")
    assert deploy(cloud, called, serving(called, image, "two"), "UPDATE") == "UPDATE_COMPLETE", reasons(cloud, called)
    assert model(cloud, sagemaker.describe_endpoint(EndpointName=called)["EndpointConfigName"]) == "two"


def bucket(name: str) -> Template:
    return {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}}


def test_a_stack_whose_bucket_is_not_empty_is_not_deleted(cloud: Running, name: Name) -> None:
    cloudformation, s3, called = cloud.client("cloudformation"), cloud.client("s3"), name("full")
    parameter = {"Type": "AWS::SSM::Parameter", "Properties": {"Name": f"/{called}", "Type": "String", "Value": {"Ref": "Bucket"}}}
    deploy(cloud, called, {"Resources": {"Bucket": bucket(called), "Parameter": parameter}})
    s3.put_object(Bucket=called, Key="a", Body=b"1")

    with pytest.raises(ClientError, match="Specify resources to retain only when the current stack state is DELETE_FAILED"):
        cloudformation.delete_stack(StackName=called, RetainResources=["Bucket"])
    cloudformation.delete_stack(StackName=called)

    described = stack(cloud, called)
    assert (described["StackStatus"], "[Bucket]" in described["StackStatusReason"]) == ("DELETE_FAILED", True)
    assert "not empty" in reasons(cloud, called)
    assert states(cloud, called) == {"Bucket": "DELETE_FAILED"}
    with pytest.raises(ClientError, match="is in DELETE_FAILED state and can not be updated"):
        cloudformation.update_stack(StackName=called, TemplateBody=json.dumps({"Resources": {"Bucket": bucket(called)}}))
    cloudformation.delete_stack(StackName=called, RetainResources=["Bucket"])
    with pytest.raises(ClientError, match="does not exist"):
        cloudformation.describe_stacks(StackName=called)
    assert s3.get_object(Bucket=called, Key="a")["Body"].read() == b"1"


def test_a_stack_is_deleted_once_nothing_is_in_its_way(cloud: Running, name: Name) -> None:
    """What somebody deleted already is deleted."""
    cloudformation, s3, called = cloud.client("cloudformation"), cloud.client("s3"), name("full")
    deploy(cloud, called, {"Resources": {"Bucket": bucket(called), "Gone": bucket(f"{called}-gone")}})
    s3.put_object(Bucket=called, Key="a", Body=b"1")
    s3.delete_bucket(Bucket=f"{called}-gone")
    cloudformation.delete_stack(StackName=called)
    identity = stack(cloud, called)["StackId"]

    s3.delete_object(Bucket=called, Key="a")
    cloudformation.delete_stack(StackName=called)
    cloudformation.delete_stack(StackName=called)

    assert stack(cloud, identity)["StackStatus"] == "DELETE_COMPLETE"
    assert called not in {b["Name"] for b in s3.list_buckets()["Buckets"]}


def test_a_creation_that_cannot_be_undone_says_so(cloud: Running, name: Name, image: str) -> None:
    """Somebody fills the bucket while the endpoint starts: what was made stays, and the stack can only be deleted."""
    cloudformation, s3, called = cloud.client("cloudformation"), cloud.client("s3"), name("half")
    template = serving(called, image)
    template["Resources"] |= {"Bucket": bucket(called), "Odd": {"Type": "AWS::Odd::Thing", "DependsOn": "Endpoint"}}
    template["Resources"]["Endpoint"]["DependsOn"] = "Bucket"
    change = {"StackName": called, "ChangeSetName": "change"}
    cloudformation.create_change_set(**change, ChangeSetType="CREATE", TemplateBody=json.dumps(template))
    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(cloudformation.execute_change_set, **change)
        until(lambda: called in {b["Name"] for b in s3.list_buckets()["Buckets"]})
        s3.put_object(Bucket=called, Key="a", Body=b"1")

    described = stack(cloud, called)
    assert described["StackStatus"] == "ROLLBACK_FAILED", reasons(cloud, called)
    assert described["StackStatusReason"] == "The following resource(s) failed to delete: [Bucket]. "
    assert states(cloud, called) == {"Bucket": "DELETE_FAILED"}
    with pytest.raises(ClientError, match="is in ROLLBACK_FAILED state and can not be updated"):
        cloudformation.update_stack(StackName=called, TemplateBody=json.dumps({"Resources": {"Bucket": bucket(called)}}))
    s3.delete_object(Bucket=called, Key="a")
    cloudformation.delete_stack(StackName=called)
    assert called not in {b["Name"] for b in s3.list_buckets()["Buckets"]}


def test_a_stack_that_was_not_created_is_neither_updated_nor_created_again(cloud: Running, name: Name) -> None:
    cloudformation, called = cloud.client("cloudformation"), name("odd")
    outputs = {"Outputs": {"Name": {"Value": {"Ref": "Bucket"}}}}
    template = {"Resources": {"Bucket": bucket(called), "Odd": {"Type": "AWS::Odd::Thing", "DependsOn": "Bucket"}}, **outputs}
    cloudformation.create_stack(StackName=called, TemplateBody=json.dumps(template))
    body = {"StackName": called, "TemplateBody": json.dumps(template)}

    described = stack(cloud, called)
    assert (described["StackStatus"], described.get("Outputs", [])) == ("ROLLBACK_COMPLETE", [])
    assert states(cloud, called) == {}
    with pytest.raises(ClientError, match="is in ROLLBACK_COMPLETE state and can not be updated"):
        cloudformation.update_stack(**body)
    with pytest.raises(ClientError, match="already exists and cannot be created again with the changeSet"):
        cloudformation.create_change_set(**body, ChangeSetName="again", ChangeSetType="CREATE")
    assert called not in {b["Name"] for b in cloud.client("s3").list_buckets()["Buckets"]}


def test_what_was_to_be_replaced_stays_where_the_new_one_fails(cloud: Running, name: Name, image: str) -> None:
    """A configuration that SageMaker refuses leaves the endpoint alone: no deployment on the way back."""
    called, sagemaker = name("e"), cloud.client("sagemaker")
    assert deploy(cloud, called, serving(called, image)) == "CREATE_COMPLETE", reasons(cloud, called)
    before = sagemaker.describe_endpoint(EndpointName=called)
    refused = serving(called, image)
    refused["Resources"]["Config"]["Properties"]["ProductionVariants"][0]["InstanceType"] = "ml.none"

    assert deploy(cloud, called, refused, "UPDATE") == "UPDATE_ROLLBACK_COMPLETE"

    after = sagemaker.describe_endpoint(EndpointName=called)
    assert [after[k] for k in ("EndpointConfigName", "LastModifiedTime")] == [before[k] for k in ("EndpointConfigName", "LastModifiedTime")]
    assert configurations(cloud, called) == [before["EndpointConfigName"]]
