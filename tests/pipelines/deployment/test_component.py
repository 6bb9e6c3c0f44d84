"""A model on an endpoint that it shares: its component is read back, asked, put back and kept as an endpoint of its own would be."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import naming
from config import Config, SharedEndpoint
from paved_runtime.spec import Component, Deployment, ModelSpec, Serving
from pipelines.deployment import live, readback, release, restore, toolchain
from pipelines.deployment.cdk import CdkFailed
from pipelines.deployment.endpoint import Endpoint
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.guard import Guard
from pipelines.deployment.place import Place
from pipelines.deployment.readback import Served, TakenBack
from pipelines.deployment.registry import Registry
from pipelines.deployment.stack import Stack
from pipelines.deployment.stack_events import Attempt
from pipelines.serving_stack import COMPONENT, ServingOutputs
from tests import reference
from tests.reference import CONFIG, MODEL
from tests.support.facts import FACTS
from tests.support.fakes import AT_ONCE, Fake, clients, refusal
from tests.support.packages import PACKAGE

PRODUCTION = CONFIG.environments[-1]
NAME = naming.endpoint(CONFIG, MODEL, PRODUCTION)
SHARED = naming.shared_endpoint(CONFIG, PRODUCTION, "small")
BEGAN = datetime(2026, 11, 30, 10, tzinfo=UTC)
OUTPUTS = ServingOutputs(
    endpoint_name=f"{COMPONENT}{NAME}",
    endpoint_config_name="model-2",
    model_package=PACKAGE.arn,
    rollback_alarms="",
    log_group="l",
    capture_bucket="b",
)


class SageMaker(Fake):
    """SageMaker with a component that runs `model`; `gone` where there is none."""

    def __init__(self, *, model: str = "model-2", status: str = "InService", on: str = SHARED, gone: bool = False) -> None:
        def describe(**_: Any) -> dict[str, Any]:
            if gone:
                raise refusal("ValidationException", f'Could not find inference component "{NAME}".')
            return {
                "InferenceComponentName": NAME,
                "EndpointName": on,
                "InferenceComponentStatus": status,
                "FailureReason": "an alarm",
                "CreationTime": BEGAN - timedelta(days=9),
                "Specification": {"ModelName": model},
                "RuntimeConfig": {"DesiredCopyCount": 2, "CurrentCopyCount": 1},
            }

        super().__init__(
            describe_inference_component=describe,
            describe_model=lambda **_: {"CreationTime": BEGAN, "PrimaryContainer": {"ModelPackageName": PACKAGE.arn}},
            create_inference_component=lambda **_: None,
            update_inference_component=lambda **_: None,
        )


def model() -> ModelSpec:
    component = Component(endpoint="small", memory_mb=1024, cores=0.5, copies=3)
    table = Serving(component=component, deployment=Deployment(policy="rolling", bake_minutes=5))
    lead = reference.model()
    return lead.model_copy(update={"serving": {**lead.serving, PRODUCTION.name: table}, "monitoring": None})


def place(sagemaker: Fake) -> Place:
    there = clients({"sagemaker": sagemaker, "sagemaker-runtime": sagemaker})
    registry = Registry(config=CONFIG, model=model(), facts=FACTS, clients=clients({}))
    return Place(registry=registry, environment=PRODUCTION, deployer=there, verifier=there)


def test_a_component_says_what_it_serves() -> None:
    now = live.live(SageMaker(), OUTPUTS.endpoint_name)

    assert now
    assert (now.status, now.endpoint_config, now.package, now.moving) == ("InService", "model-2", PACKAGE.arn, False)
    assert live.live(SageMaker(gone=True), OUTPUTS.endpoint_name) is None
    assert live.settled(SageMaker(gone=True), OUTPUTS.endpoint_name, AT_ONCE) == ""


def test_a_component_in_service_is_read_back() -> None:
    served = readback.served(SageMaker(), OUTPUTS, PACKAGE, AT_ONCE)

    name = OUTPUTS.endpoint_name
    assert served == Served(endpoint=name, endpoint_config="model-2", model="model-2", instances=2, began=BEGAN, first=False)
    assert readback.serves(SageMaker(), name) == {"ModelPackageName": PACKAGE.arn}


def test_a_version_that_was_taken_back_is_told() -> None:
    with pytest.raises(TakenBack, match="serves model-1, not model-2: the deployment was rolled back: an alarm"):
        readback.served(SageMaker(model="model-1"), OUTPUTS, PACKAGE, AT_ONCE)


def test_one_that_failed_names_its_log() -> None:
    with pytest.raises(DeploymentError, match=f"an alarm: see its log group /aws/sagemaker/InferenceComponents/{NAME}"):
        readback.served(SageMaker(status="Failed"), OUTPUTS, PACKAGE, AT_ONCE)


def test_it_is_asked_by_both_names() -> None:
    runtime = Fake(invoke_endpoint=lambda **_: {"Body": io.BytesIO(b"{}")})
    Endpoint(runtime, SHARED, component=NAME).ask("{}")
    (asked,) = runtime.asked("invoke_endpoint")

    assert (asked["EndpointName"], asked["InferenceComponentName"]) == (SHARED, NAME)
    assert place(runtime).endpoint == OUTPUTS.endpoint_name


@pytest.mark.parametrize("gone", [True, False])
def test_it_is_put_back_as_the_stack_has_it(gone: bool) -> None:
    sagemaker = SageMaker()
    restore.restore(place(sagemaker), OUTPUTS.endpoint_name, "model-1", AT_ONCE, gone=gone)
    (asked,) = sagemaker.asked("create_inference_component" if gone else "update_inference_component")

    assert asked["InferenceComponentName"] == NAME
    assert asked["Specification"]["ModelName"] == "model-1"
    assert asked["Specification"]["ComputeResourceRequirements"] == {"NumberOfCpuCoresRequired": 0.5, "MinMemoryRequiredInMb": 1024}
    assert asked["RuntimeConfig"] == {"CopyCount": 3}
    assert asked.get("EndpointName") == (SHARED if gone else None)


def test_who_may_not_put_it_back_is_told_what_somebody_else_types() -> None:
    def refuse(**_: Any) -> None:
        raise refusal("AccessDeniedException", "not you")

    sagemaker = Fake(update_inference_component=refuse)
    with pytest.raises(DeploymentError, match="aws sagemaker update-inference-component for"):
        restore.restore(place(sagemaker), OUTPUTS.endpoint_name, "model-1", AT_ONCE, gone=False)


@pytest.mark.parametrize(("on", "refused"), [(SHARED, False), ("another-endpoint", True)])
def test_it_moves_to_no_other_endpoint(on: str, refused: bool) -> None:
    stack = Stack(name="serving", status="UPDATE_COMPLETE", outputs=OUTPUTS.values(), parameters={})
    if refused:
        with pytest.raises(DeploymentError, match="is on endpoint another-endpoint, and SageMaker moves no component to another"):
            release._takes_shape(place(SageMaker(on=on)), stack)
    else:
        release._takes_shape(place(SageMaker(on=on)), stack)


def test_shared_endpoints_come_before_the_models_on_them() -> None:
    shared = SharedEndpoint(name="small", instance_type="ml.m7i.large", maximum_instances=2)
    config: Config = replace(CONFIG, environments=(*CONFIG.environments[:-1], replace(PRODUCTION, shared_endpoints=(shared,))))

    assert toolchain.of_environment(config, config.environments[-1]) == [naming.shared_stack(config, PRODUCTION)]
    assert toolchain.of_environment(CONFIG, PRODUCTION) == []


def test_an_update_that_cloudformation_calls_a_failure_is_known_as_a_version_taken_back() -> None:
    """AWS says nowhere whether it does: the component's events tell what was tried, and the component what serves."""
    why = f'inference component {NAME} is InService: an alarm" (HandlerErrorCode: NotStabilized)'
    events: list[Any] = [
        {"ResourceType": "AWS::SageMaker::Model", "PhysicalResourceId": "model-2", "ResourceStatus": "CREATE_COMPLETE"},
        {"ResourceType": "AWS::CloudWatch::Alarm", "PhysicalResourceId": "model-2-ServerErrors", "ResourceStatus": "CREATE_COMPLETE"},
        {"ResourceType": "AWS::SageMaker::InferenceComponent", "ResourceStatus": "UPDATE_FAILED", "ResourceStatusReason": why},
    ]
    outputs = [{"OutputKey": key, "OutputValue": value} for key, value in OUTPUTS.values().items()]
    stack = {"StackStatus": "UPDATE_ROLLBACK_COMPLETE", "Outputs": outputs, "Parameters": []}
    there = clients(
        {
            "sagemaker": SageMaker(model="model-1"),
            "cloudformation": Fake(describe_stacks=lambda **_: {"Stacks": [stack]}),
            "cloudwatch": Fake(describe_alarm_history=lambda **_: {"AlarmHistoryItems": []}),
        }
    )
    guarded = Guard(place=replace(place(Fake()), deployer=there, verifier=there), version=PACKAGE, writes=False, pace=AT_ONCE)
    line = str(guarded._not_deployed(CdkFailed("cdk failed"), Attempt(id="1", began=BEGAN, events=events)))

    assert line.startswith(f"endpoint {OUTPUTS.endpoint_name} serves model-1, not model-2: the deployment was rolled back: {why}")
