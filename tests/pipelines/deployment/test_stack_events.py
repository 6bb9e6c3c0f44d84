"""What a stack's events tell of an update whose endpoint SageMaker took back, in the world where CloudFormation calls that a failure.

On a localcloud that assumes so; `test_guard.py` has what a stage makes of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud.core.assumptions import Assumption
from localcloud.testing.running import Running
from localcloud.testing.waiting import until
from pipelines.deployment import alarms
from pipelines.deployment.stack_events import last_attempt
from tests.reference import CONFIG

pytestmark = pytest.mark.slow
HOME = CONFIG.toolchain
STACK = ENDPOINT = "taken-back"
TRUST = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "sagemaker.amazonaws.com"}}]}
SIZE = {"Type": "INSTANCE_COUNT", "Value": 1}
CANARY = {"TrafficRoutingConfiguration": {"Type": "CANARY", "CanarySize": SIZE, "WaitIntervalInSeconds": 3600}}
Template = dict[str, Any]


def attribute(resource: str, name: str) -> Template:
    return {"Fn::GetAtt": [resource, name]}


def template(image: str, version: str) -> Template:
    """An endpoint that an alarm guards which is named after its configuration, as those of the serving stack are."""
    everything = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    variant = {"VariantName": "live", "ModelName": attribute("Model", "ModelName"), "InstanceType": "ml.m5.large"}
    config = attribute("Config", "EndpointConfigName")
    alarm = {
        "AlarmName": {"Fn::Join": ["-", [config, "ServerErrors"]]},
        "Namespace": "AWS/SageMaker",
        "MetricName": "Invocation5XXErrors",
        "Statistic": "Average",
        "Period": 86_400,
        "EvaluationPeriods": 1,
        "Threshold": 0.5,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    }
    guarded = {"BlueGreenUpdatePolicy": CANARY, "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": {"Ref": "Guard"}}]}}
    resources = {
        "Role": ("AWS::IAM::Role", {"AssumeRolePolicyDocument": TRUST, "Policies": [{"PolicyName": "all", "PolicyDocument": everything}]}),
        "Model": (
            "AWS::SageMaker::Model",
            {"ExecutionRoleArn": attribute("Role", "Arn"), "PrimaryContainer": {"Image": image, "Environment": {"VERSION": version}}},
        ),
        "Config": (
            "AWS::SageMaker::EndpointConfig",
            {"ProductionVariants": [{**variant, "InitialInstanceCount": 2, "InitialVariantWeight": 1}]},
        ),
        "Guard": ("AWS::CloudWatch::Alarm", alarm),
        "Endpoint": ("AWS::SageMaker::Endpoint", {"EndpointName": ENDPOINT, "EndpointConfigName": config, "DeploymentConfig": guarded}),
    }
    return {"Resources": {name: {"Type": kind, "Properties": properties} for name, (kind, properties) in resources.items()}}


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Running]:
    """A localcloud that assumes the worse."""
    assumptions = [Assumption.ROLLBACK_FAILS_UPDATE]
    with Running(tmp_path / "cloud", accounts=[HOME.id], region=HOME.region, assumptions=assumptions) as running:
        yield running


def test_they_tell_what_was_tried_why_it_failed_and_which_alarms_guarded_it(cloud: Running) -> None:
    def client(service: str) -> Any:
        return cloud.client(service, HOME.id)

    def settled() -> str | None:
        status = client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"]
        return None if status.endswith("_IN_PROGRESS") else str(status)

    client("ecr").create_repository(repositoryName="team/guarded")
    image, capabilities = cloud.image("team/guarded", HOME.id), ["CAPABILITY_IAM"]
    client("cloudformation").create_stack(StackName=STACK, TemplateBody=json.dumps(template(image, "one")), Capabilities=capabilities)
    assert until(settled) == "CREATE_COMPLETE"
    first = last_attempt(client("cloudformation"), STACK)
    old = client("sagemaker").describe_endpoint(EndpointName=ENDPOINT)["EndpointConfigName"]
    client("cloudformation").update_stack(StackName=STACK, TemplateBody=json.dumps(template(image, "two")), Capabilities=capabilities)

    def tried() -> str | None:
        pending = client("sagemaker").describe_endpoint(EndpointName=ENDPOINT).get("PendingDeploymentSummary", {})
        baking = any(s["Status"] == "Baking" for v in pending.get("ProductionVariants", []) for s in v["VariantStatus"])
        return str(pending["EndpointConfigName"]) if baking and pending["EndpointConfigName"] != old else None

    new = str(until(tried))
    guard = f"{new}-ServerErrors"
    client("cloudwatch").set_alarm_state(AlarmName=guard, StateValue="ALARM", StateReason="by hand")
    assert until(settled) == "UPDATE_ROLLBACK_COMPLETE"
    attempt = last_attempt(client("cloudformation"), STACK)

    assert first
    assert attempt
    assert attempt.id != first.id
    assert first.failure("AWS::SageMaker::Endpoint") is None
    assert (attempt.made("AWS::SageMaker::EndpointConfig"), attempt.made("AWS::CloudWatch::Alarm")) == ([new], [guard])
    assert f"[{guard}]" in str(attempt.failure("AWS::SageMaker::Endpoint"))
    assert client("sagemaker").describe_endpoint(EndpointName=ENDPOINT)["EndpointConfigName"] == old
    assert client("cloudwatch").describe_alarms(AlarmNames=[guard])["MetricAlarms"] == []
    (loud,) = alarms.went_into_alarm(client("cloudwatch"), [guard], since=attempt.began)
    assert (loud.name, loud.reason) == (guard, "by hand")
