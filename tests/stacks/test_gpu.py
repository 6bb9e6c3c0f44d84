"""A model whose jobs and endpoints have GPUs: what in its stacks and its training pipeline looks at the machine, looks at those, too."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

import naming
from cli.deployability import findings
from paved_runtime.spec import ModelSpec
from pipelines.training import definition
from tests import reference
from tests.reference import CONFIG, MODEL, ROOT
from tests.support.layouts import PRODUCTION, STAGING, Layout, serving, synth
from tests.support.runs import CHAMPIONED

pytestmark = pytest.mark.laptop("templates alone")

AMI = "al2023-ami-sagemaker-inference-gpu-4-1"
SERVING, MONITORING = naming.serving_stack(CONFIG, MODEL, PRODUCTION), naming.monitoring_stack(CONFIG, MODEL, PRODUCTION)


def on_gpus() -> ModelSpec:
    """Four GPUs and disks of its own in production, one GPU and none of these in staging."""
    lead = reference.model()
    canary = serving("canary", instances=2, maximum_instances=4, deployment={"bake_minutes": 10})
    first = serving("all-at-once", instances=1, deployment={"bake_minutes": 1})
    tables = {
        PRODUCTION.name: canary.model_copy(update={"instance_type": "ml.g5.12xlarge", "inference_ami": AMI}),
        STAGING.name: first.model_copy(update={"instance_type": "ml.p3.2xlarge"}),
    }
    training = lead.training.model_copy(update={"instance_type": "ml.g5.xlarge"})
    return ModelSpec.model_validate(lead.model_copy(update={"serving": tables, "training": training}).model_dump())


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return synth(CONFIG, [on_gpus()], tmp_path_factory.mktemp("gpus"))


def alarms(layout: Layout, stack: str) -> dict[str, dict[str, Any]]:
    declared = layout.all(stack, "AWS::CloudWatch::Alarm").values()
    return {alarm["MetricName"]: alarm for alarm in declared if "GPU" in alarm.get("MetricName", "")}


@pytest.mark.parametrize(("stack", "count"), [(SERVING, 4), (naming.serving_stack(CONFIG, MODEL, STAGING), 1)])
def test_alarms_are_measured_against_all_gpus_of_an_instance(layout: Layout, stack: str, count: int) -> None:
    found = alarms(layout, stack)

    assert {name: alarm["Threshold"] for name, alarm in found.items()} == {"GPUUtilization": 95 * count, "GPUMemoryUtilization": 95 * count}
    assert {(alarm["Namespace"], alarm["Statistic"]) for alarm in found.values()} == {("/aws/sagemaker/Endpoints", "Maximum")}
    assert {dimension["Name"] for alarm in found.values() for dimension in alarm["Dimensions"]} == {"EndpointName", "VariantName"}


def test_they_take_a_deployment_back_and_are_not_too_many(layout: Layout) -> None:
    (config,) = layout.all(SERVING, "AWS::SageMaker::Endpoint").values()
    rolled_back = json.dumps(config["DeploymentConfig"]["Fn::If"][1]["AutoRollbackConfiguration"]["Alarms"])

    assert "-GpuMemory" in json.dumps(layout.templates[SERVING]["Resources"])
    assert rolled_back.count("AlarmName") == 9  # of ten that SageMaker takes


def test_where_there_is_no_gpu_nothing_asks_for_one(tmp_path: Path) -> None:
    plain = synth(CONFIG, [reference.model()], tmp_path)

    assert not any("GPU" in json.dumps(template) for template in plain.templates.values())


def test_disks_of_their_own_have_no_key_and_the_machine_image_is_the_one_that_was_asked_for(layout: Layout) -> None:
    (production,) = layout.all(SERVING, "AWS::SageMaker::EndpointConfig").values()
    (staging,) = layout.all(naming.serving_stack(CONFIG, MODEL, STAGING), "AWS::SageMaker::EndpointConfig").values()

    assert "KmsKeyId" not in production
    assert "KmsKeyId" in staging
    assert production["ProductionVariants"][0]["InferenceAmiVersion"] == AMI
    assert "InferenceAmiVersion" not in staging["ProductionVariants"][0]


def test_the_page_shows_them_as_a_share_of_the_instance(layout: Layout) -> None:
    body = json.dumps(layout.all(MONITORING, "AWS::CloudWatch::Dashboard"))

    assert "GPUUtilization" in body
    assert "GPUMemoryUtilization" in body
    assert "alarm: memory of GPUs" in body
    assert len(re.findall(r" / 4\b", body)) == 2


def test_jobs_get_no_key_for_disks_of_their_own() -> None:
    steps = json.loads(definition(CONFIG, on_gpus(), CHAMPIONED))["Steps"]
    by_type = {step["Type"]: step["Arguments"] for step in steps}

    assert by_type["Training"]["ResourceConfig"]["InstanceType"] == "ml.g5.xlarge"
    assert "VolumeKmsKeyId" not in by_type["Training"]["ResourceConfig"]
    assert "VolumeKmsKeyId" not in by_type["Processing"]["ProcessingResources"]["ClusterConfig"]


def test_nothing_breaks_a_deployability_rule(layout: Layout) -> None:
    assert {stack: rules for stack in layout.templates if (rules := findings(layout.folder / f"{stack}.template.json"))} == {}


@pytest.mark.slow
def test_cfn_lint_finds_nothing(layout: Layout) -> None:
    files = [str(layout.folder / f"{stack}.template.json") for stack in (SERVING, MONITORING)]
    lint = subprocess.run(["cfn-lint", *files], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (lint.returncode, lint.stdout) == (0, "")
