"""How new versions take over: every policy as SageMaker reads it, and nothing that SageMaker would refuse."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from hypothesis import assume, event, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import naming
from cli.deployability import findings
from localcloud.sagemaker import deployment_policies
from paved_runtime.spec import Serving
from stacks.constructs.deployment import urgent
from tests.support.deployment_limits import Table, deployment_config, fleets, played, refusals
from tests.support.layouts import Layout, production, serving

pytestmark = pytest.mark.laptop("templates alone")

POLICIES = ("all-at-once", "canary", "linear", "rolling", "shadow")


@pytest.fixture(scope="module")
def each(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """A stack for each policy, with the policy's name."""
    shift = {"size_percent": 25, "bake_minutes": 6}
    return production(tmp_path_factory.mktemp("each"), **{policy: serving(policy, instances=4, deployment=shift) for policy in POLICIES})


def deployment_configs(layout: Layout, stack: str) -> tuple[Any, Any]:
    """What the policy makes of a deployment, and what it is when it is urgent."""
    condition, policy, urgently = layout.only(stack, "AWS::SageMaker::Endpoint")["DeploymentConfig"]["Fn::If"]
    assert layout.templates[stack]["Conditions"][condition] == {"Fn::Equals": [{"Ref": "Urgent"}, "no"]}
    return policy, urgently


def test_another_way_to_take_over_is_another_endpoint_configuration(each: Layout) -> None:
    """UpdateEndpoint asks for a new one: a model that differs is replaced, and so is the configuration that names it."""

    def named(policy: str) -> tuple[str, str]:
        (model,) = [
            model
            for model in each.all(policy, "AWS::SageMaker::Model").values()
            if "DEPLOYMENT_POLICY" in model["PrimaryContainer"].get("Environment", {})
        ]
        _, guarded, urgently = model["PrimaryContainer"]["Environment"]["DEPLOYMENT_POLICY"]["Fn::If"]
        return guarded, urgently

    guarded = {policy: named(policy)[0] for policy in POLICIES}

    assert guarded["shadow"] == guarded["canary"], "what follows a shadow is a canary"
    assert len(set(guarded.values())) == len(POLICIES) - 1
    assert not set(guarded.values()) & {named(policy)[1] for policy in POLICIES}


def test_traffic_moves_as_the_policy_says(each: Layout) -> None:
    quarter = {"Type": "CAPACITY_PERCENT", "Value": 25}
    canary = {"Type": "CANARY", "CanarySize": quarter, "WaitIntervalInSeconds": 360}
    blue_green = {
        "all-at-once": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 360},
        "canary": canary,
        "linear": {"Type": "LINEAR", "LinearStepSize": quarter, "WaitIntervalInSeconds": 360},
        "shadow": canary,
    }
    longest = {"all-at-once": 38, "canary": 44, "linear": 56, "shadow": 44}  # minutes

    for policy, routing in blue_green.items():
        assert deployment_configs(each, policy)[0]["BlueGreenUpdatePolicy"] == {
            "TrafficRoutingConfiguration": routing,
            "TerminationWaitInSeconds": 120,
            "MaximumExecutionTimeoutInSeconds": 60 * longest[policy],
        }
    assert deployment_configs(each, "rolling")[0]["RollingUpdatePolicy"] == {
        "MaximumBatchSize": quarter,
        "WaitIntervalInSeconds": 360,
        "MaximumExecutionTimeoutInSeconds": 60 * 84,
    }


@pytest.mark.parametrize("policy", POLICIES)
def test_seven_alarms_guard_it(each: Layout, policy: str) -> None:
    guards = [alarm["AlarmName"]["Ref"] for alarm in deployment_configs(each, policy)[0]["AutoRollbackConfiguration"]["Alarms"]]
    alarms = each.all(policy, "AWS::CloudWatch::Alarm")

    assert len(guards) == len(set(guards)) == 7
    assert {name for name in alarms if not isinstance(alarms[name]["AlarmName"], str)} == set(guards)
    assert each.templates[policy]["Outputs"]["RollbackAlarms"]["Value"] == {"Fn::Join": [",", [{"Ref": name} for name in guards]]}


@pytest.mark.parametrize("policy", POLICIES)
def test_the_way_back_is_one_move_that_no_alarm_stops(each: Layout, policy: str) -> None:
    urgently = deployment_configs(each, policy)[1]

    assert set(urgently) == {"BlueGreenUpdatePolicy"}
    assert urgently["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"] == {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
    deployment_policies.read(urgently, {naming.VARIANT: 1})


def test_what_is_left_out_of_a_deployment_asks_for_nothing(each: Layout) -> None:
    for policy in POLICIES:
        defaults = {name: parameter.get("Default") for name, parameter in each.templates[policy]["Parameters"].items()}
        more = {"ShadowModelPackageArn": ""} if policy == "shadow" else {}
        more |= {"ModelSha256": ""} | {f"ExpectedShiftP{percent}": "+0" for percent in (10, 50, 90)}
        del defaults["BootstrapVersion"]
        assert defaults == {"ModelPackageArn": None, "ModelVersion": "none", "PreviousModelVersion": "none", "Urgent": "no", **more}


def test_a_shadow_gets_a_copy_of_every_request_while_there_is_one(each: Layout) -> None:
    template = each.templates["shadow"]
    condition, (variant,), otherwise = each.only("shadow", "AWS::SageMaker::EndpointConfig")["ShadowProductionVariants"]["Fn::If"]
    (live,) = each.only("shadow", "AWS::SageMaker::EndpointConfig")["ProductionVariants"]
    model = template["Resources"][variant["ModelName"]["Fn::GetAtt"][0]]

    assert template["Conditions"][condition] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "ShadowModelPackageArn"}, ""]}]}
    assert otherwise == {"Ref": "AWS::NoValue"}
    assert {**variant, "VariantName": naming.VARIANT, "ModelName": live["ModelName"]} == live
    assert (variant["VariantName"], variant["InitialVariantWeight"]) == (naming.SHADOW, 1)
    assert model["Properties"]["PrimaryContainer"] == {"ModelPackageName": {"Ref": "ShadowModelPackageArn"}}
    assert (model["Condition"], model["DeletionPolicy"], model["UpdateReplacePolicy"]) == (condition, "Retain", "Retain")
    assert model["Properties"]["EnableNetworkIsolation"]


def test_only_shadow_has_shadows(each: Layout) -> None:
    for policy in set(POLICIES) - {"shadow"}:
        assert "ShadowProductionVariants" not in each.only(policy, "AWS::SageMaker::EndpointConfig")


@pytest.mark.slow
def test_no_policy_breaks_a_rule(each: Layout) -> None:
    templates = [each.folder / f"{policy}.template.json" for policy in POLICIES]
    lint = subprocess.run(["cfn-lint", *templates], capture_output=True, text=True, check=False)

    assert {template.stem: broken for template in templates if (broken := findings(template))} == {}
    assert (lint.returncode, lint.stdout) == (0, "")


SHIFTS = st.fixed_dictionaries(
    {
        "policy": st.sampled_from(POLICIES),
        "size_percent": st.integers(1, 52) | st.sampled_from([0, 4, 5, 9, 10, 33, 50, 51]),
        "bake_minutes": st.integers(-1, 61) | st.sampled_from([2, 3, 10]),
    },
    optional={"maximum_minutes": st.integers(9, 481)},
)
NIGHTS = st.fixed_dictionaries(
    {
        "start": st.just("20:00"),
        "end": st.just("06:00"),
        "timezone": st.just("UTC"),
        "instances": st.integers(0, 4),
        "maximum_instances": st.integers(1, 60),
    }
)
TABLES = st.fixed_dictionaries(
    {
        "instance_type": st.sampled_from(
            ["ml.m5.large", "ml.m5.large", "ml.m5.large", "ml.t2.medium", "ml.inf1.xlarge", "ml.trn1.2xlarge"]
        ),
        "instances": st.integers(0, 60) | st.integers(1, 4),
        "capture_percent": st.sampled_from([0, 1, 100]),
        "deployment": SHIFTS,
    },
    optional={"maximum_instances": st.integers(1, 80), "off_hours": NIGHTS},
)
PLAIN = {"instance_type": "ml.m5.large", "capture_percent": 100}


@given(TABLES)
@example({**PLAIN, "instances": 2, "deployment": {"policy": "canary", "size_percent": 50, "bake_minutes": 10}})
@example({**PLAIN, "instances": 2, "deployment": {"policy": "canary", "size_percent": 50, "bake_minutes": 10, "maximum_minutes": 32}})
@example({**PLAIN, "instances": 2, "deployment": {"policy": "canary", "size_percent": 50, "bake_minutes": 10, "maximum_minutes": 31}})
@example({**PLAIN, "instances": 19, "deployment": {"policy": "linear", "size_percent": 10, "bake_minutes": 24}})
@example({**PLAIN, "instances": 19, "deployment": {"policy": "linear", "size_percent": 10, "bake_minutes": 25}})
@example({**PLAIN, "instances": 2, "maximum_instances": 80, "deployment": {"policy": "rolling", "size_percent": 5, "bake_minutes": 3}})
@settings(max_examples=600)
def test_what_is_accepted_can_be_done_and_what_is_refused_cannot(table: Table) -> None:
    if why := refusals(table):
        event(why[0])
        with pytest.raises(ValidationError):
            Serving.model_validate(table)
        return
    event(f"accepted: {table['deployment']['policy']}")
    accepted = Serving.model_validate(table)
    deployment = deployment_config({**table, "deployment": {**table["deployment"], "maximum_minutes": accepted.deployment_minutes}})
    for size in fleets(table):
        deployment_policies.read(deployment, {naming.VARIANT: size})  # refuses as SageMaker does
        assert played(table, size) <= accepted.deployment_minutes


@given(termination=st.integers(0, 3600), timeout=st.integers(600, 28800))
def test_an_urgent_deployment_is_one_too(termination: int, timeout: int) -> None:
    assume(timeout > termination)

    deployment_policies.read(urgent(termination_seconds=termination, timeout_seconds=timeout), {naming.VARIANT: 1})
