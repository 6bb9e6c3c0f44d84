"""A serverless endpoint: what SageMaker has for it is declared, what it has not is left out or refused, and the way back stays."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import naming
from cli.deployability import findings
from config import ExistingNetwork
from paved_runtime.spec import Batch, Deployment, ModelSpec, Monitoring, Retraining, Serverless, Serving
from stacks.layout import check
from tests import reference
from tests.reference import CONFIG, MODEL
from tests.support.layouts import PRODUCTION, Layout, configuration, joined, synth

pytestmark = pytest.mark.laptop("templates alone")

HOME = configuration("one")
SERVING, MONITORING = naming.serving_stack(CONFIG, MODEL, PRODUCTION), naming.monitoring_stack(CONFIG, MODEL, PRODUCTION)
TABLE = Serving(
    serverless=Serverless(memory_mb=4096, maximum_concurrency=8, provisioned_concurrency=2, setup_seconds=20),
    deployment=Deployment(policy="all-at-once", bake_minutes=10),
)
FILE = f"model_code/{MODEL}/model.toml"


def model(table: Serving = TABLE, monitoring: Monitoring | None = None) -> ModelSpec:
    """The reference's, serverless in production."""
    lead = reference.model()
    return lead.model_copy(update={"serving": {**lead.serving, PRODUCTION.name: table}, "monitoring": monitoring})


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return synth(HOME, [model()], tmp_path_factory.mktemp("serverless"))


def test_the_variant_has_containers_on_demand_and_nothing_of_instances(layout: Layout) -> None:
    config = layout.only(SERVING, "AWS::SageMaker::EndpointConfig")
    (variant,) = config["ProductionVariants"]

    assert variant.keys() == {"VariantName", "ModelName", "InitialVariantWeight", "ServerlessConfig"}
    assert variant["ServerlessConfig"] == {"MemorySizeInMB": 4096, "MaxConcurrency": 8, "ProvisionedConcurrency": 2}
    assert "DataCaptureConfig" not in config
    assert "KmsKeyId" in config


def test_its_model_is_neither_isolated_nor_in_a_network_and_has_one_worker(layout: Layout) -> None:
    declared = layout.only(SERVING, "AWS::SageMaker::Model")

    assert not {"EnableNetworkIsolation", "VpcConfig"} & declared.keys()
    assert declared["PrimaryContainer"]["Environment"]["SAGEMAKER_MODEL_SERVER_WORKERS"] == "1"


def test_a_version_takes_over_all_at_once_under_alarms_that_sagemaker_has_metrics_for(layout: Layout) -> None:
    endpoint = layout.only(SERVING, "AWS::SageMaker::Endpoint")
    (_, guarded, _) = endpoint["DeploymentConfig"]["Fn::If"]
    alarms = layout.all(SERVING, "AWS::CloudWatch::Alarm")
    rollback = [alarms[one["AlarmName"]["Ref"]] for one in guarded["AutoRollbackConfiguration"]["Alarms"]]
    kinds = {joined(alarm["AlarmName"]).rpartition("-")[2] for alarm in rollback}
    (setup,) = [alarm for alarm in rollback if alarm.get("MetricName") == "ModelSetupTime"]

    assert guarded["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"] == {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 600}
    assert not {"RetainAllVariantProperties", "ExcludeRetainedVariantProperties"} & endpoint.keys()
    assert kinds == {"ServerErrors", "ClientErrors", "ModelLatency", "ModelSetup", "Memory", "ScoreShift"}
    assert (setup["Namespace"], setup["ExtendedStatistic"], setup["Threshold"]) == ("AWS/SageMaker", "p99", 20_000_000)
    assert {dimension["Name"] for dimension in setup["Dimensions"]} == {"EndpointName", "VariantName", "EndpointConfigName"}


def test_its_role_may_write_no_capture(layout: Layout) -> None:
    actions = {
        action
        for statement in layout.statements(SERVING, naming.execution_role(HOME, MODEL, HOME.environments[-1]))
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }

    assert "s3:GetObject" in actions
    assert "s3:PutObject" not in actions


def test_the_dashboard_shows_starts_and_what_is_paid_for_and_no_alarm_waits_for_idle_instances(layout: Layout) -> None:
    body = json.dumps(layout.only(MONITORING, "AWS::CloudWatch::Dashboard"))

    assert "ModelSetupTime" in body
    assert "GB x seconds" in body
    assert "CPUUtilization" not in body
    assert not [alarm for alarm in layout.all(MONITORING, "AWS::CloudWatch::Alarm").values() if "Gone" in joined(alarm["AlarmName"])]


def test_the_rules_find_nothing_wrong_with_it(layout: Layout) -> None:
    assert [finding for stack in layout.templates for finding in findings(layout.folder / f"{stack}.template.json")] == []


def with_monitoring(**changes: Any) -> ModelSpec:
    return model(TABLE.model_copy(update=changes), Monitoring(retraining=Retraining(on=("drift",))))


def refusal(*arguments: Any) -> str:
    with pytest.raises(ValueError, match="model_code/") as refused:
        check(*arguments)
    return str(refused.value)


def test_monitoring_needs_rows_of_batches() -> None:
    check(HOME, [with_monitoring(batch=Batch(instance_type="ml.m5.large"))])

    assert refusal(HOME, [with_monitoring()]) == (
        f"{FILE}: monitoring: found it with serving.production.serverless, of which SageMaker captures no requests; accepted is it with"
        " batch, whose rows are what is looked at, or no table monitoring"
    )


def test_the_image_must_lie_in_the_endpoints_own_account() -> None:
    account = CONFIG.environments[-1].account.id

    assert refusal(CONFIG, [model()]) == (
        f"{FILE}: serving.production.serverless: found it in account {account}, and images lie in the toolchain's, {CONFIG.toolchain.id};"
        " accepted is it where both are one account: SageMaker takes a serverless endpoint's image from its own account only"
    )


def test_an_account_with_a_network_of_its_own_has_none() -> None:
    network = ExistingNetwork(
        vpc_id="vpc-0123456789abcdef0",
        subnet_ids=("subnet-0123456789abcdef0", "subnet-1123456789abcdef0"),
        security_group_ids=("sg-0123456789abcdef0",),
    )
    account = replace(HOME.toolchain, network=network)
    inside = replace(HOME, toolchain=account, environments=tuple(replace(place, account=account) for place in HOME.environments))

    assert refusal(inside, [model()]).endswith("accepted is it where there is none: SageMaker puts no serverless endpoint into a VPC")


def test_a_model_that_is_serverless_everywhere_names_no_instance_types(tmp_path: Path) -> None:
    lead = reference.model()
    everywhere = lead.model_copy(update={"serving": dict.fromkeys(lead.serving, TABLE), "monitoring": None})

    assert everywhere.serving_types == []
    assert synth(HOME, [everywhere], tmp_path).templates
