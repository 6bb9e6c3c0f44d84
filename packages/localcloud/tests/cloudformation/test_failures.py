"""Updates that fail, and cannot go back: stacks say so by a state of theirs, and have the ways on that CloudFormation's guide names."""

from __future__ import annotations

import json
from typing import Any

import pytest
from answers import answer
from botocore.exceptions import ClientError
from cloudformation_stacks import Template, deleted, deploy, reasons, refused, resource, stack

from localcloud.testing.accounts import Accounts
from localcloud.testing.endpoints import described
from localcloud.testing.names import Name

ROLE = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "sagemaker.amazonaws.com"}}]}
EVERYTHING = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
cannot_go_back = pytest.mark.aws("an update of a stack that cannot go back")
by_hand = pytest.mark.aws("an endpoint or its configuration deleted or changed by hand")


def serving(name: str, image: str, version: str = "one", *, endpoint: bool = True, **environment: str) -> Template:
    """A role, a model, its configuration and, where wanted, its endpoint."""
    variant = {
        "ModelName": {"Fn::GetAtt": ["Model", "ModelName"]},
        "VariantName": "live",
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
        "InitialVariantWeight": 1,
    }
    model = {
        "ExecutionRoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
        "PrimaryContainer": {"Image": image, "Environment": {"VERSION": version, **environment}},
    }
    policies = [{"PolicyName": "all", "PolicyDocument": EVERYTHING}]
    resources = {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": ROLE, "Policies": policies}},
        "Model": {"Type": "AWS::SageMaker::Model", "Properties": model},
        "Config": {"Type": "AWS::SageMaker::EndpointConfig", "Properties": {"ProductionVariants": [variant]}},
    }
    if endpoint:
        members = {"EndpointName": name, "EndpointConfigName": {"Fn::GetAtt": ["Config", "EndpointConfigName"]}}
        resources["Endpoint"] = {"Type": "AWS::SageMaker::Endpoint", "Properties": members}
    return {"Resources": resources}


def states(cloud: Accounts, name: str) -> dict[str, str]:
    """Logical id → status of the stack's resources."""
    listed = cloud.client("cloudformation").describe_stack_resources(StackName=name)["StackResources"]
    return {r["LogicalResourceId"]: r["ResourceStatus"] for r in listed}


def version(cloud: Accounts, configuration: str) -> str:
    """The version that a configuration's model is of."""
    sagemaker = cloud.client("sagemaker")
    name = sagemaker.describe_endpoint_config(EndpointConfigName=configuration)["ProductionVariants"][0]["ModelName"]
    return str(sagemaker.describe_model(ModelName=name)["PrimaryContainer"]["Environment"]["VERSION"])


def without_its_endpoint(cloud: Accounts, name: str, image: str) -> str:
    """A stack whose endpoint somebody deleted, and which could not be updated since; returns the configuration that it had."""
    sagemaker = cloud.client("sagemaker")
    assert deploy(cloud, name, serving(name, image)) == "CREATE_COMPLETE", reasons(cloud, name)
    before = resource(cloud, name, "Config")
    sagemaker.delete_endpoint(EndpointName=name)

    assert deploy(cloud, name, serving(name, image, "two"), "UPDATE") == "UPDATE_ROLLBACK_FAILED"
    return before


def continued(cloud: Accounts, name: str, **more: Any) -> str:
    """Continue a rollback; the status that the stack comes to."""
    cloud.client("cloudformation").continue_update_rollback(StackName=name, **more)
    return str(stack(cloud, name)["StackStatus"])


@cannot_go_back
def test_a_stack_whose_endpoint_was_deleted_by_hand_cannot_go_back(cloud: Accounts, name: Name, image: str) -> None:
    """CloudFormation's guide, "Update rollback failed": it goes back to what it believes to be there."""
    cloudformation, called = cloud.client("cloudformation"), name("e")
    without_its_endpoint(cloud, called, image)

    assert stack(cloud, called)["StackStatusReason"].strip() == "The following resource(s) failed to update: [Endpoint]."
    assert "Could not find endpoint" in reasons(cloud, called)
    assert states(cloud, called)["Endpoint"] == "UPDATE_FAILED"
    change = {"StackName": called, "TemplateBody": json.dumps(serving(called, image, "three")), "Capabilities": ["CAPABILITY_IAM"]}
    words = "is in UPDATE_ROLLBACK_FAILED state and can not be updated"
    with pytest.raises(ClientError, match=words):
        cloudformation.update_stack(**change)
    with pytest.raises(ClientError, match=words):
        cloudformation.create_change_set(**change, ChangeSetName="change", ChangeSetType="UPDATE")

    assert continued(cloud, called) == "UPDATE_ROLLBACK_FAILED"
    assert answer(cloudformation.continue_update_rollback, StackName=called, ResourcesToSkip=["Config"]) == "ValidationError"


@pytest.mark.laptop("the wording is localcloud's")
def test_a_resource_that_did_not_fail_is_not_skipped(cloud: Accounts, name: Name, image: str) -> None:
    without_its_endpoint(cloud, name("e"), image)

    with pytest.raises(ClientError, match=r"ResourcesToSkip has \[Config\]"):
        continued(cloud, name("e"), ResourcesToSkip=["Config"])
    with pytest.raises(ClientError, match="mutually exclusive"):
        continued(cloud, name("e"), ResourcesToSkip=["Endpoint"], ForceRollback=True)
    assert continued(cloud, name("e"), ResourcesToSkip=["Endpoint"]) == "UPDATE_ROLLBACK_COMPLETE"
    with pytest.raises(ClientError, match="is in UPDATE_ROLLBACK_COMPLETE state and can not continue"):
        continued(cloud, name("e"))


@cannot_go_back
def test_a_rollback_continues_without_what_is_gone(cloud: Accounts, name: Name, image: str) -> None:
    """And leaves one configuration. The endpoint comes back only as a new resource: CloudFormation does not look whether it is there."""
    cloudformation, sagemaker, called = cloud.client("cloudformation"), cloud.client("sagemaker"), name("e")
    before = without_its_endpoint(cloud, called, image)

    assert continued(cloud, called, ResourcesToSkip=["Endpoint"]) == "UPDATE_ROLLBACK_COMPLETE"

    assert states(cloud, called)["Endpoint"] == "UPDATE_COMPLETE"
    assert resource(cloud, called, "Config") == before
    with pytest.raises(ClientError, match="Could not find endpoint"):
        sagemaker.describe_endpoint(EndpointName=called)
    assert answer(cloudformation.continue_update_rollback, StackName=called) == "ValidationError"
    assert deploy(cloud, called, serving(called, image, endpoint=False), "UPDATE") == "UPDATE_COMPLETE", reasons(cloud, called)
    assert deploy(cloud, called, serving(called, image), "UPDATE") == "UPDATE_COMPLETE", reasons(cloud, called)
    assert described(cloud, called)["EndpointStatus"] == "InService"


@cannot_go_back
def test_a_stack_that_cannot_go_back_is_deleted_and_made_anew(cloud: Accounts, name: Name, image: str) -> None:
    called = name("e")
    before = without_its_endpoint(cloud, called, image)

    assert deleted(cloud, called)["StackStatus"] == "DELETE_COMPLETE"

    with pytest.raises(ClientError, match="Could not find endpoint configuration"):
        version(cloud, before)
    assert deploy(cloud, called, serving(called, image, "two")) == "CREATE_COMPLETE", reasons(cloud, called)
    assert described(cloud, called)["EndpointStatus"] == "InService"


@cannot_go_back
def test_a_rollback_is_forced(cloud: Accounts, name: Name, image: str) -> None:
    cloudformation, called = cloud.client("cloudformation"), name("e")
    without_its_endpoint(cloud, called, image)

    both = {"ResourcesToSkip": ["Endpoint"], "ForceRollback": True}
    assert answer(cloudformation.continue_update_rollback, StackName=called, **both) == "ValidationError"
    assert continued(cloud, called, ForceRollback=True) == "UPDATE_ROLLBACK_COMPLETE"


@cannot_go_back
def test_a_rollback_continues_once_what_failed_is_mended(cloud: Accounts, name: Name, image: str) -> None:
    called = name("e")
    configuration = without_its_endpoint(cloud, called, image)

    cloud.client("sagemaker").create_endpoint(EndpointName=called, EndpointConfigName=configuration)
    assert described(cloud, called)["EndpointStatus"] == "InService"

    assert continued(cloud, called) == "UPDATE_ROLLBACK_COMPLETE"
    assert (resource(cloud, called, "Config"), version(cloud, configuration)) == (configuration, "one")


@cannot_go_back
def test_an_update_goes_back_to_the_very_resources_that_were_there(cloud: Accounts, name: Name, image: str) -> None:
    """What the update replaced was still there; what it made is deleted."""
    called = name("e")
    assert deploy(cloud, called, serving(called, image)) == "CREATE_COMPLETE", reasons(cloud, called)
    before = resource(cloud, called, "Config")
    broken = serving(called, image, "two")
    broken["Resources"]["Odd"] = refused(DependsOn="Endpoint")

    assert deploy(cloud, called, broken, "UPDATE") == "UPDATE_ROLLBACK_COMPLETE"

    assert resource(cloud, called, "Config") == before == described(cloud, called)["EndpointConfigName"]


@by_hand
def test_a_stack_takes_over_an_endpoint_that_was_updated_by_hand(cloud: Accounts, name: Name, image: str) -> None:
    """CloudFormation does not look what serves: an update that changes nothing leaves it, the next that changes it takes it over."""
    called, sagemaker = name("e"), cloud.client("sagemaker")
    assert deploy(cloud, called, serving(called, image)) == "CREATE_COMPLETE", reasons(cloud, called)
    own = sagemaker.describe_endpoint_config(EndpointConfigName=resource(cloud, called, "Config"))
    sagemaker.create_endpoint_config(EndpointConfigName=name("hand"), ProductionVariants=own["ProductionVariants"])
    sagemaker.update_endpoint(EndpointName=called, EndpointConfigName=name("hand"))

    assert described(cloud, called)["EndpointConfigName"] == name("hand")
    assert deploy(cloud, called, serving(called, image, "two"), "UPDATE") == "UPDATE_COMPLETE", reasons(cloud, called)
    assert version(cloud, described(cloud, called)["EndpointConfigName"]) == "two"


@cannot_go_back
def test_what_was_to_be_replaced_stays_where_the_new_one_fails(cloud: Accounts, name: Name, image: str) -> None:
    """A configuration that SageMaker refuses leaves the endpoint alone: no deployment on the way back."""
    called = name("e")
    assert deploy(cloud, called, serving(called, image)) == "CREATE_COMPLETE", reasons(cloud, called)
    before = described(cloud, called)
    odd = serving(called, image)
    odd["Resources"]["Config"] = refused()

    assert deploy(cloud, called, odd, "UPDATE") == "UPDATE_ROLLBACK_COMPLETE"

    after = described(cloud, called)
    assert [after[k] for k in ("EndpointConfigName", "LastModifiedTime")] == [before[k] for k in ("EndpointConfigName", "LastModifiedTime")]
    assert resource(cloud, called, "Config") == before["EndpointConfigName"]


@pytest.mark.aws("an endpoint that a guardrail took back")
def test_cloudformation_calls_an_endpoint_that_was_taken_back_a_success(cloud: Accounts, name: Name, image: str) -> None:
    """The new model dies at once, the old one serves on: what localcloud assumes where nobody says otherwise."""
    called = name("e")
    assert deploy(cloud, called, serving(called, image)) == "CREATE_COMPLETE", reasons(cloud, called)
    before = described(cloud, called)["EndpointConfigName"]

    assert deploy(cloud, called, serving(called, image, "two", BEHAVIOUR="crash"), "UPDATE") == "UPDATE_COMPLETE"

    after = described(cloud, called)
    assert (after["EndpointStatus"], after["EndpointConfigName"]) == ("InService", before)
