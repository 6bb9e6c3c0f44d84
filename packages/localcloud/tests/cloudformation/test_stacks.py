"""Stacks deploy in the order of references, replace what must be replaced, and roll back on failure."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cloudformation_stacks import Template, deploy, reasons

from localcloud.testing import REGION
from localcloud.testing.running import Running
from localcloud.testing.waiting import until


def parameter(value: Any, **more: Any) -> Template:
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value}, **more}


def test_an_unknown_resource_type_fails_by_name_and_leaves_nothing(cloud: Running) -> None:
    resources = {
        "Kept": parameter("1", Properties={"Name": "/unknown/kept", "Type": "String", "Value": "1"}),
        "Odd": {"Type": "AWS::Odd::Thing"},
    }

    status = deploy(cloud, "unknown", {"Resources": resources})

    assert status == "ROLLBACK_COMPLETE"
    assert "AWS::Odd::Thing" in reasons(cloud, "unknown")
    assert cloud.client("ssm").get_parameters(Names=["/unknown/kept"])["InvalidParameters"] == ["/unknown/kept"]


def config(model: str) -> Template:
    variant = {
        "ModelName": {"Fn::GetAtt": ["Model", "ModelName"]},
        "VariantName": "live",
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
    }
    trust = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "sagemaker.amazonaws.com"}}]}
    role = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "serve", "AssumeRolePolicyDocument": trust}}
    container = {"Image": {"Ref": "Image"}, "ModelDataUrl": f"s3://b/{model}"}
    resources = {
        "Config": {
            "Type": "AWS::SageMaker::EndpointConfig",
            "Properties": {"ProductionVariants": [{"InitialVariantWeight": 1, **variant}]},
        },
        "Model": {
            "Type": "AWS::SageMaker::Model",
            "Properties": {"ExecutionRoleArn": {"Fn::GetAtt": ["Role", "Arn"]}, "PrimaryContainer": container},
        },
        "Role": role,
    }
    return {"Resources": resources, "Parameters": {"Image": {"Type": "String"}}}


def test_a_changed_parameter_reaches_every_resource_that_depends_on_it(cloud: Running) -> None:
    """A new image replaces the model, and so the configuration that names the model, though its own lines did not change."""
    sagemaker = cloud.client("sagemaker")
    image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/x@sha256:" + 64 * "a"
    assert deploy(cloud, "cascade", config("m"), Image=image) == "CREATE_COMPLETE", reasons(cloud, "cascade")
    before = {c["EndpointConfigName"] for c in sagemaker.list_endpoint_configs()["EndpointConfigs"]}

    assert deploy(cloud, "cascade", config("m"), "UPDATE", Image=image.replace("a", "b")) == "UPDATE_COMPLETE"

    (after,) = {c["EndpointConfigName"] for c in sagemaker.list_endpoint_configs()["EndpointConfigs"]} - before
    model = sagemaker.describe_endpoint_config(EndpointConfigName=after)["ProductionVariants"][0]["ModelName"]
    assert sagemaker.describe_model(ModelName=model)["PrimaryContainer"]["Image"].endswith(64 * "b")


def test_a_failed_update_goes_back_to_the_template_before(cloud: Running) -> None:
    named = {"Name": "/rollback/x", "Type": "String"}
    sound = {"P": parameter("", Properties={**named, "Value": "old"})}
    assert deploy(cloud, "rollback", {"Resources": sound}) == "CREATE_COMPLETE"
    broken = {"P": parameter("", Properties={**named, "Value": "new"}), "Z": {"Type": "AWS::Odd::Thing", "DependsOn": "P"}}

    status = deploy(cloud, "rollback", {"Resources": broken}, "UPDATE")

    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert cloud.client("ssm").get_parameter(Name="/rollback/x")["Parameter"]["Value"] == "old"


def test_an_update_with_the_template_before_changes_the_parameters_that_are_given(cloud: Running) -> None:
    """As a rollback asks for; UpdateStack answers before the work is done."""
    cloudformation, ssm = cloud.client("cloudformation"), cloud.client("ssm")
    words = {"Name": "/before/x", "Type": "String", "Value": {"Fn::Join": ["-", [{"Ref": "A"}, {"Ref": "B"}, {"Ref": "C"}]]}}
    slots = {name: {"Type": "String", "Default": name.lower()} for name in "ABC"}
    template = json.dumps({"Parameters": slots, "Resources": {"P": parameter("", Properties=words)}})
    cloudformation.create_stack(StackName="before", TemplateBody=template, Parameters=[{"ParameterKey": "B", "ParameterValue": "given"}])
    values = [{"ParameterKey": "A", "ParameterValue": "z"}, *({"ParameterKey": name, "UsePreviousValue": True} for name in "BC")]

    cloudformation.update_stack(StackName="before", UsePreviousTemplate=True, Parameters=values)
    cloudformation.get_waiter("stack_update_complete").wait(StackName="before", WaiterConfig={"Delay": 0.05})

    assert ssm.get_parameter(Name="/before/x")["Parameter"]["Value"] == "z-given-c"
    with pytest.raises(ClientError, match="No updates are to be performed"):
        cloudformation.update_stack(StackName="before", UsePreviousTemplate=True, Parameters=values)


def test_a_kept_parameter_that_is_read_from_ssm_is_read_again(cloud: Running) -> None:
    """As CDK's BootstrapVersion in every stack."""
    cloud.client("ssm").put_parameter(Name="/kept/version", Value="33", Type="String")
    slot = {"V": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/kept/version"}}
    cloudformation = cloud.client("cloudformation")

    for kind, values, word in (("CREATE", [], "one"), ("UPDATE", [{"ParameterKey": "V", "UsePreviousValue": True}], "two")):
        named = {"Name": "/kept/x", "Type": "String", "Value": {"Fn::Join": ["-", [{"Ref": "V"}, word]]}}
        template = json.dumps({"Parameters": slot, "Resources": {"P": parameter("", Properties=named)}})
        change = {"StackName": "kept", "ChangeSetName": f"change-{word}"}
        cloudformation.create_change_set(**change, ChangeSetType=kind, TemplateBody=template, Parameters=values)
        cloudformation.execute_change_set(**change)
        until(lambda: cloudformation.describe_stacks(StackName="kept")["Stacks"][0]["StackStatus"].endswith("_COMPLETE"))
        cloud.client("ssm").put_parameter(Name="/kept/version", Value="34", Type="String", Overwrite=True)

    assert cloud.client("ssm").get_parameter(Name="/kept/x")["Parameter"]["Value"] == "34-two", reasons(cloud, "kept")
    slot["V"]["Default"] = "/kept/nowhere"
    with pytest.raises(ClientError, match=r"Unable to fetch parameters \[/kept/nowhere\]"):
        cloudformation.create_stack(StackName="lost", TemplateBody=json.dumps({"Parameters": slot, "Resources": {"P": parameter("1")}}))


def test_change_sets_of_the_same_name_belong_to_their_stacks(cloud: Running) -> None:
    """The CDK CLI calls every change set alike, and waits until its own is gone."""
    cloudformation = cloud.client("cloudformation")
    template = json.dumps({"Resources": {"P": parameter("1")}})
    for name in ("one", "two"):
        cloudformation.create_change_set(StackName=name, ChangeSetName="change", ChangeSetType="CREATE", TemplateBody=template)

    cloudformation.delete_change_set(StackName="one", ChangeSetName="change")
    cloudformation.delete_change_set(StackName="one", ChangeSetName="change")

    with pytest.raises(ClientError) as caught:
        cloudformation.describe_change_set(StackName="one", ChangeSetName="change")
    assert caught.value.response["Error"]["Code"] == "ChangeSetNotFound"
    assert cloudformation.describe_change_set(StackName="two", ChangeSetName="change")["StackName"] == "two"


ODD_TEXT = """# résumé <of> "all" & sundry: kept as it was written
Resources:
    P:   {Type: AWS::SSM::Parameter, Properties: {Name: /text/p, Type: String, Value: "a  b\\tc"}}

"""


def test_the_original_template_is_the_text_that_was_deployed(cloud: Running) -> None:
    """Whichever way it came: in a request, by a change set, or from a bucket."""
    cloudformation, s3 = cloud.client("cloudformation"), cloud.client("s3")
    s3.create_bucket(Bucket="texts", CreateBucketConfiguration={"LocationConstraint": REGION})
    changed = [ODD_TEXT.replace("a  b", word) for word in ("one", "two")]
    s3.put_object(Bucket="texts", Key="t.yaml", Body=changed[1].encode())
    ways = [{"TemplateBody": changed[0]}, {"TemplateURL": f"{cloud.state['url']}/texts/t.yaml"}]

    cloudformation.create_stack(StackName="text", TemplateBody=ODD_TEXT)
    originals = [original(cloud)]
    for number, way in enumerate(ways):
        change = {"StackName": "text", "ChangeSetName": f"change-{number}"}
        cloudformation.create_change_set(**change, ChangeSetType="UPDATE", **way)
        cloudformation.execute_change_set(**change)
        until(lambda: cloudformation.describe_stacks(StackName="text")["Stacks"][0]["StackStatus"] == "UPDATE_COMPLETE")
        originals.append(original(cloud))

    assert originals == [ODD_TEXT, *changed]


def original(cloud: Running) -> str:
    """The template of the stack text."""
    return str(cloud.client("cloudformation").get_template(StackName="text", TemplateStage="Original")["TemplateBody"])


def test_a_protected_stack_cannot_be_deleted(cloud: Running) -> None:
    cloudformation = cloud.client("cloudformation")
    deploy(cloud, "protected", {"Resources": {"P": parameter("1")}})
    cloudformation.update_termination_protection(StackName="protected", EnableTerminationProtection=True)

    with pytest.raises(ClientError, match="TerminationProtection"):
        cloudformation.delete_stack(StackName="protected")
