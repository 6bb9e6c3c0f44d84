"""A model on an endpoint that several share: its component, what guards it there, and what is refused because SageMaker has it not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import naming
from cli.deployability import findings
from config import Config, SharedEndpoint
from paved_runtime.spec import Batch, Component, Deployment, ModelSpec, Monitoring, Serving
from stacks.layout import check
from tests import reference
from tests.reference import CONFIG, MODEL
from tests.support.layouts import PRODUCTION, Layout, joined, synth

pytestmark = pytest.mark.laptop("templates alone")

SMALL = SharedEndpoint(name="small", instance_type="ml.m7i.large", minimum_instances=0, maximum_instances=4)
SERVING, MONITORING = naming.serving_stack(CONFIG, MODEL, PRODUCTION), naming.monitoring_stack(CONFIG, MODEL, PRODUCTION)
SHARED = naming.shared_stack(CONFIG, PRODUCTION)
ENDPOINT, NAME = naming.shared_endpoint(CONFIG, PRODUCTION, SMALL.name), naming.endpoint(CONFIG, MODEL, PRODUCTION)
FILE = f"model_code/{MODEL}/model.toml"


def table(**changes: Any) -> Serving:
    component: dict[str, Any] = {
        "endpoint": SMALL.name,
        "memory_mb": 1024,
        "copies": 2,
        "maximum_copies": 4,
        "scale_to_zero": True,
    } | changes
    return Serving(component=Component(**component), deployment=Deployment(policy="rolling", bake_minutes=5))


def model(serving: Serving | None = None, name: str = MODEL, monitoring: Monitoring | None = None) -> ModelSpec:
    """The reference's, a component in production."""
    lead = reference.model()
    changes = {"name": name, "serving": {**lead.serving, PRODUCTION.name: serving or table()}, "monitoring": monitoring}
    return lead.model_copy(update=changes)


def config(shared: SharedEndpoint = SMALL) -> Config:
    return replace(CONFIG, environments=(*CONFIG.environments[:-1], replace(CONFIG.environments[-1], shared_endpoints=(shared,))))


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return synth(
        config(), [model(), model(name="other"), reference.model().model_copy(update={"name": "alone"})], tmp_path_factory.mktemp("c")
    )


def test_the_shared_endpoint_names_no_model_and_has_as_many_instances_as_copies_need(layout: Layout) -> None:
    declared = layout.only(SHARED, "AWS::SageMaker::EndpointConfig")
    (variant,) = declared["ProductionVariants"]

    assert "ModelName" not in variant
    assert variant["ManagedInstanceScaling"] == {"Status": "ENABLED", "MinInstanceCount": 0, "MaxInstanceCount": 4}
    assert declared["EnableNetworkIsolation"]
    assert {"ExecutionRoleArn", "KmsKeyId"} <= declared.keys()
    assert layout.only(SHARED, "AWS::SageMaker::Endpoint")["EndpointName"] == ENDPOINT


def test_each_model_lets_the_role_read_what_it_is_made_of_itself(layout: Layout) -> None:
    role = naming.shared_role(CONFIG, PRODUCTION, SMALL.name)
    own = json.dumps(layout.statements(SHARED, role))
    policy = layout.only(SERVING, "AWS::IAM::Policy")
    (name,) = layout.all(SERVING, "AWS::IAM::Policy")

    assert naming.image_repository(CONFIG, MODEL) not in own
    assert "/aws/sagemaker/InferenceComponents/" in own
    assert policy["Roles"] == [role]
    assert naming.image_repository(CONFIG, MODEL) in json.dumps(policy["PolicyDocument"])
    assert naming.image_repository(CONFIG, "other") not in json.dumps(policy["PolicyDocument"])
    (component,) = [
        each for each in layout.templates[SERVING]["Resources"].values() if each["Type"] == "AWS::SageMaker::InferenceComponent"
    ]
    assert name in component["DependsOn"]


def test_a_model_has_a_component_and_no_endpoint(layout: Layout) -> None:
    component = layout.only(SERVING, "AWS::SageMaker::InferenceComponent")

    assert (component["EndpointName"], component["InferenceComponentName"], component["VariantName"]) == (ENDPOINT, NAME, naming.VARIANT)
    assert component["RuntimeConfig"] == {"CopyCount": 2}
    assert component["Specification"]["ComputeResourceRequirements"] == {"NumberOfCpuCoresRequired": 1, "MinMemoryRequiredInMb": 1024}
    assert not layout.all(SERVING, "AWS::SageMaker::Endpoint")


def test_versions_come_in_batches_under_alarms_of_the_component_alone(layout: Layout) -> None:
    _, guarded, urgent = layout.only(SERVING, "AWS::SageMaker::InferenceComponent")["DeploymentConfig"]["Fn::If"]
    alarms = layout.all(SERVING, "AWS::CloudWatch::Alarm")
    rollback = [alarms[one["AlarmName"]["Ref"]] for one in guarded["AutoRollbackConfiguration"]["Alarms"]]
    of_requests = [alarm for alarm in rollback if alarm.get("Namespace") == "AWS/SageMaker"]

    assert guarded["RollingUpdatePolicy"]["WaitIntervalInSeconds"] == 300
    assert {joined(alarm["AlarmName"]).rpartition("-")[2] for alarm in rollback} == {
        *("ServerErrors", "ClientErrors", "ModelLatency", "OverheadLatency", "ScoreShift")
    }
    assert {dimension["Name"] for alarm in of_requests for dimension in alarm["Dimensions"]} == {"InferenceComponentName"}
    assert urgent["RollingUpdatePolicy"]["WaitIntervalInSeconds"] == 0
    assert "AutoRollbackConfiguration" not in urgent


def test_a_request_that_finds_no_copy_starts_one(layout: Layout) -> None:
    target = layout.only(SERVING, "AWS::ApplicationAutoScaling::ScalableTarget")
    policies = layout.all(SERVING, "AWS::ApplicationAutoScaling::ScalingPolicy")
    wake = {name: policy for name, policy in policies.items() if policy["PolicyType"] == "StepScaling"}
    asleep = [
        each for each in layout.all(SERVING, "AWS::CloudWatch::Alarm").values() if each.get("MetricName") == "NoCapacityInvocationFailures"
    ]

    assert (target["ResourceId"], target["MinCapacity"], target["MaxCapacity"]) == (f"inference-component/{NAME}", 0, 4)
    assert target["ScalableDimension"] == "sagemaker:inference-component:DesiredCopyCount"
    assert [[action["Ref"] for action in alarm["AlarmActions"]] for alarm in asleep] == [[*wake]]


def test_one_that_does_not_scale_has_no_target(tmp_path: Path) -> None:
    layout = synth(config(), [model(table(maximum_copies=None, scale_to_zero=False))], tmp_path)

    assert not layout.all(SERVING, "AWS::ApplicationAutoScaling::ScalableTarget")


def test_the_verifier_asks_the_component_and_the_registry_lets_the_shared_role_read(layout: Layout) -> None:
    verifier = json.dumps(layout.statements(SERVING, naming.verifier_role(CONFIG, MODEL, PRODUCTION)))
    registry = json.dumps(layout.templates[naming.registry_stack(CONFIG, MODEL)])

    assert f"inference-component/{NAME}" in verifier
    assert f"endpoint/{ENDPOINT}" in verifier
    assert naming.shared_role(CONFIG, PRODUCTION, SMALL.name) in registry


def test_the_dashboard_shows_copies_and_no_alarm_waits_for_idle_instances(layout: Layout) -> None:
    body = json.dumps(layout.only(MONITORING, "AWS::CloudWatch::Dashboard"))

    assert "CPUUtilizationNormalized" in body
    assert "InferenceComponentName" in body
    assert not [alarm for alarm in layout.all(MONITORING, "AWS::CloudWatch::Alarm").values() if "Gone" in joined(alarm["AlarmName"])]


def test_the_rules_find_nothing_wrong_with_it(layout: Layout) -> None:
    assert [finding for stack in layout.templates for finding in findings(layout.folder / f"{stack}.template.json")] == []


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"instance_type": "ml.m5.large"}, "instance_type is not for a component: the instances are those of the shared endpoint"),
        ({"capture_percent": 50}, "capture_percent is not for a component"),
        ({"serverless": {"memory_mb": 1024, "maximum_concurrency": 1}}, "serverless is not for a component"),
        ({"asynchronous": {}}, "asynchronous is not for a component"),
        ({"alarms": {"cpu_percent": 80}}, "alarms.cpu_percent is not for a component: it would see the other models"),
        ({"deployment": {"policy": "canary"}}, "has no canary shift: policy must be 'rolling'"),
        ({"component": {"endpoint": "small", "memory_mb": 512, "copies": 1}}, "greater than or equal to 2"),
        ({"component": {"endpoint": "small", "memory_mb": 512, "copies": 3, "maximum_copies": 2}}, "maximum_copies is smaller than copies"),
        ({"component": {"endpoint": "small", "memory_mb": 512, "scale_to_zero": True}}, "give maximum_copies, too"),
    ],
)
def test_what_sagemaker_has_not_for_components_is_refused(changes: dict[str, Any], why: str) -> None:
    known = {"component": {"endpoint": "small", "memory_mb": 512}, "deployment": {"policy": "rolling", "bake_minutes": 5}}
    with pytest.raises(ValidationError, match=why):
        Serving.model_validate(known | changes)


def refusal(*arguments: Any) -> str:
    with pytest.raises(ValueError, match=r"model_code/|config\.py") as refused:
        check(*arguments)
    return str(refused.value)


def test_an_endpoint_that_config_py_does_not_have_is_refused() -> None:
    assert refusal(CONFIG, [model()]) == (
        f"{FILE}: serving.production.component.endpoint: found 'small'; accepted is one of the shared_endpoints of 'production' in"
        " config.py: none"
    )


def test_a_copy_must_fit_on_an_instance() -> None:
    assert refusal(config(), [model(table(cores=3, accelerators=1))]) == (
        f"{FILE}: serving.production.component.cores: found 3; accepted are up to 2, as many as ml.m7i.large has, on which 'small' runs\n"
        f"{FILE}: serving.production.component.accelerators: found 1; accepted are up to 0, as many as ml.m7i.large has, on which 'small'"
        " runs"
    )


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"name": "a_b"}, "accepted are letters and digits"),
        ({"minimum_instances": 5}, "found 5 to 4 instances"),
        ({"maximum_instances": 0}, "found 0 to 0 instances"),
        ({"instance_type": "m7i.large"}, "found instance_type 'm7i.large'"),
    ],
)
def test_a_shared_endpoint_that_cannot_be_is_refused(changes: dict[str, Any], why: str) -> None:
    assert why in refusal(config(replace(SMALL, **changes)), [])


def test_monitoring_needs_rows_of_batches() -> None:
    with_batch = table().model_copy(update={"batch": Batch(instance_type="ml.m5.large")})
    check(config(), [model(with_batch, monitoring=Monitoring())])

    assert refusal(config(), [model(monitoring=Monitoring())]) == (
        f"{FILE}: monitoring: found it with serving.production.component, of which nobody says whether SageMaker captures requests;"
        " accepted is it with batch, whose rows are what is looked at, or no table monitoring"
    )
