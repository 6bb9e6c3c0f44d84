"""A firm's service control policy that demands networks, isolation and encryption: all that the road runs passes it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from localcloud.iam import policies
from localcloud.iam.permissions import of_place
from pipelines.training import definition
from tests.reference import model
from tests.support.layouts import Layout, models, synth
from tests.support.networks import EXISTING, GROUPS, SUBNETS, with_networks
from tests.support.runs import CHAMPIONED

pytestmark = pytest.mark.laptop("templates and definitions, held to a policy of an organisation")

JOBS = ["sagemaker:CreateTrainingJob", "sagemaker:CreateProcessingJob"]
POLICY = [  # a service control policy allows nothing: what it denies is denied whatever else is allowed
    {"Effect": "Deny", "Action": actions, "Resource": "*", "Condition": condition}
    for actions, condition in (
        ([*JOBS, "sagemaker:CreateModel"], {"Null": {"sagemaker:VpcSubnets": "true"}}),
        ([*JOBS, "sagemaker:CreateModel"], {"ForAnyValue:StringNotEquals": {"sagemaker:VpcSubnets": list(SUBNETS)}}),
        ([*JOBS, "sagemaker:CreateModel"], {"ForAnyValue:StringNotEquals": {"sagemaker:VpcSecurityGroupIds": list(GROUPS)}}),
        (JOBS, {"BoolIfExists": {"sagemaker:InterContainerTrafficEncryption": "false"}}),
        (JOBS, {"Null": {"sagemaker:InterContainerTrafficEncryption": "true"}}),
        (["sagemaker:CreateTrainingJob", "sagemaker:CreateModel"], {"BoolIfExists": {"sagemaker:NetworkIsolation": "false"}}),
        (["sagemaker:CreateTrainingJob", "sagemaker:CreateModel"], {"Null": {"sagemaker:NetworkIsolation": "true"}}),
    )
]
CALLS = {"Training": "sagemaker:CreateTrainingJob", "Processing": "sagemaker:CreateProcessingJob"}
Requests = list[tuple[str, dict[str, Any]]]


def of_pipeline(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(action, request) of each job of a pipeline."""
    for step in json.loads(text)["Steps"]:
        if step["Type"] in CALLS:
            yield CALLS[step["Type"]], step["Arguments"]


def of_stacks(layout: Layout) -> Iterator[tuple[str, dict[str, Any]]]:
    """The same of all models, and of the monitor's jobs."""
    for _, properties in layout.every("AWS::SageMaker::Model"):
        yield "sagemaker:CreateModel", properties
    for _, pipeline in layout.every("AWS::SageMaker::Pipeline"):
        text = pipeline["PipelineDefinition"]["PipelineDefinitionBody"]["Fn::Join"][1]
        yield from of_pipeline("".join(part for part in text if isinstance(part, str)))


def denied(asked: Requests) -> list[str]:
    """The actions that the policy denies."""
    return [action for action, request in asked if policies.denies(POLICY, action=action, resource="*", context=of_place(request))]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Requests:
    """All that the road asks SageMaker to run, in accounts with a network."""
    config, lead = with_networks("three", EXISTING, EXISTING), model()
    separate = lead.model_copy(update={"training": lead.training.model_copy(update={"steps": "separate"})})
    run = replace(CHAMPIONED, subnets=",".join(SUBNETS), security_groups=",".join(GROUPS))
    layout = synth(config, models()[:1], tmp_path_factory.mktemp("placed"))
    return [*of_pipeline(definition(config, separate, run)), *of_stacks(layout)]


def test_every_job_and_model_passes(asked: Requests) -> None:
    assert Counter(action for action, _ in asked) == {**dict(zip(CALLS.values(), (1, 4), strict=True)), "sagemaker:CreateModel": 2}
    assert denied(asked) == []


def test_none_passes_without_a_network(asked: Requests) -> None:
    elsewhere = [(action, json.loads(json.dumps(request).replace('"VpcConfig"', '"NoVpc"'))) for action, request in asked]

    assert denied(elsewhere) == [action for action, _ in asked]


@pytest.mark.parametrize("setting", ["EnableInterContainerTrafficEncryption", "EnableNetworkIsolation"])
def test_each_demand_is_judged_by_itself(asked: Requests, setting: str) -> None:
    (action, request), *_ = [each for each in asked if each[0] == "sagemaker:CreateTrainingJob"]
    without = {name: value for name, value in request.items() if name != setting}

    assert denied([(action, without)]) == [action]
    assert denied([(action, {**request, setting: False})]) == [action]
