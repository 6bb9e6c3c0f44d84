"""Stacks deploy in the order of references, replace what must be replaced, and roll back on failure."""

from __future__ import annotations

import json
from typing import Any

import pytest
from answers import answer
from botocore.exceptions import ClientError
from cloudformation_stacks import Template, deploy, made, reasons, refused, resource, stack

from localcloud.testing.accounts import Accounts
from localcloud.testing.names import Name
from localcloud.testing.waiting import until

deployments = pytest.mark.aws("stacks: change sets, updates and rollbacks")


def parameter(name: str, value: Any, **more: Any) -> Template:
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Name": name, "Type": "String", "Value": value}, **more}


def value(cloud: Accounts, name: str) -> str:
    return str(cloud.client("ssm").get_parameter(Name=name)["Parameter"]["Value"])


def reaches(cloud: Accounts, name: str, status: str) -> None:
    """Wait until a stack is in that status, whichever it is in before."""
    until(lambda: stack(cloud, name)["StackStatus"] == status)


@pytest.mark.laptop("AWS has the types that localcloud has not")
def test_an_unknown_resource_type_fails_by_name_and_leaves_nothing(cloud: Accounts, name: Name) -> None:
    kept = f"/{name('kept')}"
    resources = {"Kept": parameter(kept, "1"), "Odd": {"Type": "AWS::Odd::Thing"}}

    assert deploy(cloud, name("s"), {"Resources": resources}) == "ROLLBACK_COMPLETE"

    assert "AWS::Odd::Thing" in reasons(cloud, name("s"))
    assert cloud.client("ssm").get_parameters(Names=[kept])["InvalidParameters"] == [kept]


@deployments
def test_a_creation_that_fails_leaves_nothing(cloud: Accounts, name: Name) -> None:
    kept = f"/{name('kept')}"

    assert deploy(cloud, name("s"), {"Resources": {"Kept": parameter(kept, "1"), "Odd": refused(DependsOn="Kept")}}) == "ROLLBACK_COMPLETE"

    assert "Could not find model" in reasons(cloud, name("s"))
    assert cloud.client("ssm").get_parameters(Names=[kept])["InvalidParameters"] == [kept]


def config(image: str) -> Template:
    variant = {
        "ModelName": {"Fn::GetAtt": ["Model", "ModelName"]},
        "VariantName": "live",
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
    }
    trust = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "sagemaker.amazonaws.com"}}]}
    everything = {"PolicyName": "all", "PolicyDocument": {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}}
    container = {"Image": image, "Environment": {"VERSION": {"Ref": "Version"}}}
    resources = {
        "Config": {
            "Type": "AWS::SageMaker::EndpointConfig",
            "Properties": {"ProductionVariants": [{"InitialVariantWeight": 1, **variant}]},
        },
        "Model": {
            "Type": "AWS::SageMaker::Model",
            "Properties": {"ExecutionRoleArn": {"Fn::GetAtt": ["Role", "Arn"]}, "PrimaryContainer": container},
        },
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust, "Policies": [everything]}},
    }
    return {"Resources": resources, "Parameters": {"Version": {"Type": "String"}}}


@deployments
def test_a_changed_parameter_reaches_every_resource_that_depends_on_it(cloud: Accounts, name: Name, image: str) -> None:
    """A new version replaces the model, and so the configuration that names the model, though its own lines did not change."""
    sagemaker = cloud.client("sagemaker")
    assert deploy(cloud, name("s"), config(image), Version="one") == "CREATE_COMPLETE", reasons(cloud, name("s"))
    before = resource(cloud, name("s"), "Config")

    assert deploy(cloud, name("s"), config(image), "UPDATE", Version="two") == "UPDATE_COMPLETE"

    after = resource(cloud, name("s"), "Config")
    assert after != before
    model = sagemaker.describe_endpoint_config(EndpointConfigName=after)["ProductionVariants"][0]["ModelName"]
    assert sagemaker.describe_model(ModelName=model)["PrimaryContainer"]["Environment"] == {"VERSION": "two"}


@deployments
def test_a_failed_update_goes_back_to_the_template_before(cloud: Accounts, name: Name) -> None:
    called = f"/{name('x')}"
    assert deploy(cloud, name("s"), {"Resources": {"P": parameter(called, "old")}}) == "CREATE_COMPLETE"
    broken = {"P": parameter(called, "new"), "Z": refused(DependsOn="P")}

    assert deploy(cloud, name("s"), {"Resources": broken}, "UPDATE") == "UPDATE_ROLLBACK_COMPLETE"

    assert value(cloud, called) == "old"


@deployments
def test_an_update_with_the_template_before_changes_the_parameters_that_are_named(cloud: Accounts, name: Name) -> None:
    """As a rollback asks for; UpdateStack answers before the work is done."""
    cloudformation, called = cloud.client("cloudformation"), f"/{name('x')}"
    words = {"Fn::Join": ["-", [{"Ref": "A"}, {"Ref": "B"}, {"Ref": "C"}]]}
    slots = {slot: {"Type": "String", "Default": slot.lower()} for slot in "ABC"}
    template = json.dumps({"Parameters": slots, "Resources": {"P": parameter(called, words)}})
    cloudformation.create_stack(StackName=name("s"), TemplateBody=template, Parameters=[{"ParameterKey": "B", "ParameterValue": "mine"}])
    assert stack(cloud, name("s"))["StackStatus"] == "CREATE_COMPLETE"
    values = [{"ParameterKey": "A", "ParameterValue": "z"}, *({"ParameterKey": slot, "UsePreviousValue": True} for slot in "BC")]

    cloudformation.update_stack(StackName=name("s"), UsePreviousTemplate=True, Parameters=values)
    reaches(cloud, name("s"), "UPDATE_COMPLETE")

    assert value(cloud, called) == "z-mine-c"
    with pytest.raises(ClientError, match="No updates are to be performed"):
        cloudformation.update_stack(StackName=name("s"), UsePreviousTemplate=True, Parameters=values)


@deployments
def test_a_kept_parameter_that_is_read_from_ssm_is_read_again(cloud: Accounts, name: Name) -> None:
    """As CDK's BootstrapVersion in every stack."""
    version, called = f"/{name('version')}", f"/{name('x')}"
    cloud.client("ssm").put_parameter(Name=version, Value="33", Type="String")
    slot = {"V": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": version}}
    cloudformation = cloud.client("cloudformation")

    for kind, values, word in (("CREATE", [], "one"), ("UPDATE", [{"ParameterKey": "V", "UsePreviousValue": True}], "two")):
        template = {"Parameters": slot, "Resources": {"P": parameter(called, {"Fn::Join": ["-", [{"Ref": "V"}, word]]})}}
        change = {"StackName": name("s"), "ChangeSetName": f"change-{word}"}
        cloudformation.create_change_set(**change, ChangeSetType=kind, TemplateBody=json.dumps(template), Parameters=values)
        made(cloud, change)
        cloudformation.execute_change_set(**change)
        reaches(cloud, name("s"), f"{kind}_COMPLETE")
        cloud.client("ssm").put_parameter(Name=version, Value="34", Type="String", Overwrite=True)

    assert value(cloud, called) == "34-two", reasons(cloud, name("s"))


@deployments
def test_a_parameter_of_ssm_that_is_not_there_is_named(cloud: Accounts, name: Name) -> None:
    nowhere = f"/{name('nowhere')}"
    slot = {"V": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": nowhere}}
    template = json.dumps({"Parameters": slot, "Resources": {"P": parameter(f"/{name('x')}", "1")}})

    with pytest.raises(ClientError, match=rf"Unable to fetch parameters \[{nowhere}\]"):
        cloud.client("cloudformation").create_stack(StackName=name("s"), TemplateBody=template)


@deployments
def test_change_sets_of_the_same_name_belong_to_their_stacks(cloud: Accounts, name: Name) -> None:
    """The CDK CLI calls every change set alike, and waits until its own is gone."""
    cloudformation = cloud.client("cloudformation")
    template = json.dumps({"Resources": {"P": parameter(f"/{name('x')}", "1")}})
    one, two = ({"StackName": name(kind), "ChangeSetName": "change"} for kind in ("one", "two"))
    for change in (one, two):
        cloudformation.create_change_set(**change, ChangeSetType="CREATE", TemplateBody=template)
        made(cloud, change)

    cloudformation.delete_change_set(**one)
    cloudformation.delete_change_set(**one)

    until(lambda: answer(cloudformation.describe_change_set, **one) == "ChangeSetNotFound")
    assert cloudformation.describe_change_set(**two)["StackName"] == name("two")


TEXT = """# sum of <all> "and" more & sundry: kept as it was written
Resources:
    P:   {{Type: AWS::SSM::Parameter, Properties: {{Name: /{name}, Type: String, Value: "a  b\\tc"}}}}

"""


@deployments
def test_the_original_template_is_the_text_that_was_deployed(cloud: Accounts, name: Name) -> None:
    """Whichever way it came: in a request, by a change set, or from a bucket."""
    cloudformation, s3, called = cloud.client("cloudformation"), cloud.client("s3"), name("s")
    first = TEXT.format(name=name("p"))
    changed = [first.replace("a  b", word) for word in ("one", "two")]
    bucket = cloud.create_bucket(name("texts"))
    s3.put_object(Bucket=bucket, Key="t.yaml", Body=changed[1].encode())
    ways = [{"TemplateBody": changed[0]}, {"TemplateURL": f"{s3.meta.endpoint_url}/{bucket}/t.yaml"}]

    cloudformation.create_stack(StackName=called, TemplateBody=first)
    assert stack(cloud, called)["StackStatus"] == "CREATE_COMPLETE"
    originals = [original(cloud, called)]
    for number, way in enumerate(ways):
        change = {"StackName": called, "ChangeSetName": f"change-{number}"}
        cloudformation.create_change_set(**change, ChangeSetType="UPDATE", **way)
        made(cloud, change)
        cloudformation.execute_change_set(**change)
        reaches(cloud, called, "UPDATE_COMPLETE")
        originals.append(original(cloud, called))

    assert originals == [first, *changed]


def original(cloud: Accounts, name: str) -> str:
    return str(cloud.client("cloudformation").get_template(StackName=name, TemplateStage="Original")["TemplateBody"])


@deployments
def test_a_protected_stack_cannot_be_deleted(cloud: Accounts, name: Name) -> None:
    cloudformation = cloud.client("cloudformation")
    assert deploy(cloud, name("s"), {"Resources": {"P": parameter(f"/{name('x')}", "1")}}) == "CREATE_COMPLETE"
    cloudformation.update_termination_protection(StackName=name("s"), EnableTerminationProtection=True)

    with pytest.raises(ClientError, match="TerminationProtection"):
        cloudformation.delete_stack(StackName=name("s"))
