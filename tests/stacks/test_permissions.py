"""What each stage may do, and that it may do no more."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from aws_cdk import App, Environment, Stack

import naming
from config import Images
from stacks import permissions
from tests import reference
from tests.reference import CONFIG, MODEL
from tests.support.layouts import HOME, PRODUCTION, STAGING, STEADY, Layout, joined, listed

pytestmark = pytest.mark.laptop("templates alone")

DELIVERY, PLATFORM = naming.delivery_stack(CONFIG, MODEL), naming.delivery_stack(CONFIG, naming.PLATFORM)
BUILD, UPDATE, TRAIN = (naming.stage_project(CONFIG, MODEL, stage) for stage in (naming.BUILD, naming.UPDATE, naming.TRAIN))
DEPLOYS = {environment: naming.deploy_role(CONFIG, MODEL, environment) for environment in CONFIG.environments}
REDEPLOYS = {environment: naming.deploy_role(CONFIG, naming.PLATFORM, environment) for environment in CONFIG.environments}
CHECK_ALL, UPDATE_ALL, ONBOARD = (
    naming.stage_project(CONFIG, naming.PLATFORM, stage) for stage in (naming.CHECK, naming.UPDATE, naming.ONBOARD)
)
CONTROL = naming.controller_role(CONFIG, MODEL)
ROLE = "AWS::IAM::Role"
LOOKS = ("kms:DescribeKey", "kms:GetPublicKey", "kms:Verify")


def home(role: str) -> str:
    """The stack of a role of the toolchain."""
    return PLATFORM if role.startswith(naming.delivery_pipeline(CONFIG, naming.PLATFORM)) else DELIVERY


def allowed(layout: Layout, role: str) -> dict[str, list[str]]:
    """Action → the resources that a role may do it on."""
    actions: dict[str, list[str]] = {}
    for statement in layout.statements(home(role), role):
        for action in listed(statement["Action"]):
            actions.setdefault(action, []).extend(map(joined, listed(statement["Resource"])))
    return actions


def writes(layout: Layout, role: str) -> set[str]:
    """What a role may put into the model's artifacts bucket."""
    bucket = f"arn:aws:s3:::{naming.artifacts_bucket(CONFIG, MODEL)}/"
    return {arn.removeprefix(bucket) for arn in allowed(layout, role)["s3:PutObject"] if arn.startswith(bucket)}


def signs(layout: Layout, role: str) -> dict[str, set[str]]:
    """KMS action → the aliases of the keys that a role may use for it."""
    aliases: dict[str, set[str]] = {}
    for statement in layout.statements(home(role), role):
        if known := statement.get("Condition", {}).get("ForAnyValue:StringLike", {}).get("kms:ResourceAliases"):
            for action in listed(statement["Action"]):
                aliases.setdefault(action, set()).update(listed(known))
    return aliases


def keys(model: str) -> set[str]:
    return {naming.evidence_key(CONFIG, model), naming.release_key(CONFIG, model)}


def assumed(layout: Layout, role: str) -> set[tuple[str, str]]:
    """(account, name) of every role that a role may take."""
    arns = allowed(layout, role).get("sts:AssumeRole", [])
    return {(arn.split(":")[4], arn.split("/", 1)[1]) for arn in arns}


def every_statement(layout: Layout) -> list[tuple[str, Any]]:
    """(role, statement) of all roles of the delivery stacks that have a name."""
    return [
        (role["RoleName"], statement)
        for stack, role in layout.every(ROLE)
        if stack.endswith("-Delivery") and "RoleName" in role
        for statement in role["Policies"][0]["PolicyDocument"]["Statement"]
    ]


def bootstrap(environment: Any) -> set[tuple[str, str]]:
    account = environment.account
    return {(account.id, naming.bootstrap_role(CONFIG, kind, account)) for kind in ("deploy", "file-publishing")}


def test_a_stage_reaches_its_own_environment_only(three: Layout) -> None:
    for environment, role in DEPLOYS.items():
        verifier = (environment.account.id, naming.verifier_role(CONFIG, MODEL, environment))
        assert assumed(three, role) == {*bootstrap(environment), verifier}
    for environment, role in REDEPLOYS.items():
        verifier = (environment.account.id, naming.verifier_role(CONFIG, naming.EVERY, environment))
        assert assumed(three, role) == {*bootstrap(environment), verifier}


def test_building_and_checking_take_no_other_role(three: Layout) -> None:
    for role in (BUILD, CHECK_ALL):
        assert assumed(three, role) == set()


def test_training_looks_at_what_serves_and_reaches_nothing_else(three: Layout) -> None:
    last = CONFIG.environments[-1]
    assert assumed(three, TRAIN) == {(last.account.id, naming.verifier_role(CONFIG, MODEL, last))}


def test_pipelines_and_registries_are_updated_in_the_toolchains_account_alone(three: Layout) -> None:
    at_home = {(HOME.id, naming.bootstrap_role(CONFIG, kind, HOME)) for kind in ("deploy", "file-publishing")}

    for role in (UPDATE, UPDATE_ALL, ONBOARD):
        assert assumed(three, role) == at_home


def test_what_is_compared_is_the_models_own(three: Layout) -> None:
    own = [naming.registry_stack(CONFIG, MODEL), naming.delivery_stack(CONFIG, MODEL)]
    arns = {f"arn:aws:cloudformation:{HOME.region}:{HOME.id}:stack/{name}/*" for name in own}

    assert set(allowed(three, BUILD)["cloudformation:GetTemplate"]) == arns
    assert set(allowed(three, BUILD)["cloudformation:DescribeStacks"]) == arns


def test_a_base_in_a_private_registry_may_be_pulled_and_nothing_else_of_it() -> None:
    mirror = "100000000009.dkr.ecr.eu-west-1.amazonaws.com/ecr-public/docker/library/python:3.11"
    stack = Stack(App(), "Build", env=Environment(account=HOME.id, region=HOME.region))
    config = replace(CONFIG, images=Images(base=mirror))
    statements = [statement.to_json() for statement in permissions.build(stack, config, reference.model())]
    of_mirror = [each for each in statements if "100000000009" in json.dumps(each["Resource"])]

    assert [joined(stack.resolve(each["Resource"])) for each in of_mirror] == [
        "arn:AWS::Partition:ecr:eu-west-1:100000000009:repository/ecr-public/docker/library/python"
    ]
    assert not {"ecr:PutImage", "ecr:CreateRepository"} & set(of_mirror[0]["Action"])
    default = [statement.to_json() for statement in permissions.build(stack, CONFIG, reference.model())]
    assert len(statements) == len(default) + 1


def test_onboarding_sees_which_models_have_a_road_and_nothing_else(three: Layout) -> None:
    every = f"arn:aws:cloudformation:{HOME.region}:{HOME.id}:stack/{naming.delivery_stack(CONFIG, naming.EVERY)}/*"

    actions = allowed(three, ONBOARD)
    assert actions["cloudformation:DescribeStacks"] == [every]
    assert {action.partition(":")[0] for action in actions} == {"cloudformation", "kms", "logs", "s3", "sts"}


def test_only_the_stage_behind_the_approval_may_approve(three: Layout) -> None:
    may = {
        (role, json.dumps(statement.get("Condition")))
        for role, statement in every_statement(three)
        if "sagemaker:UpdateModelPackage" in listed(statement["Action"])
    }
    rejects = '{"StringEquals": {"sagemaker:ModelApprovalStatus": "Rejected"}}'

    assert may == {
        (naming.deploy_role(CONFIG, model, environment), condition)
        for model in (MODEL, STEADY)
        for environment, condition in ((STAGING, rejects), (PRODUCTION, "null"))
    } | {
        (naming.stage_project(CONFIG, model, naming.TRAIN), '{"Null": {"sagemaker:ModelApprovalStatus": "true"}}')
        for model in (MODEL, STEADY)
    }


def test_each_stage_writes_its_own_part_of_the_artifacts(three: Layout) -> None:
    assert writes(three, BUILD) == {f"{naming.IMAGES}/*/sbom.json"}
    assert writes(three, UPDATE) == set()
    assert writes(three, TRAIN) == {f"{naming.MODELS}/*"}
    assert writes(three, DEPLOYS[STAGING]) == {f"{naming.EVIDENCE}/*"}
    assert writes(three, DEPLOYS[PRODUCTION]) == {f"{naming.EVIDENCE}/*", f"{naming.LEDGER}/{PRODUCTION.name}/*"}
    assert writes(three, CONTROL) == {f"{naming.RETRAINING}/*"}
    for role in REDEPLOYS.values():
        assert writes(three, role) == set()


def test_evidence_is_signed_where_it_is_made_and_with_the_models_own_key(three: Layout) -> None:
    own, every = (dict.fromkeys(LOOKS, keys(model)) for model in (MODEL, naming.EVERY))

    assert signs(three, BUILD) == signs(three, UPDATE) == signs(three, CONTROL) == {}
    assert signs(three, TRAIN) == {action: own[action] for action in ("kms:DescribeKey", "kms:GetPublicKey", "kms:Verify")}
    assert signs(three, DEPLOYS[STAGING]) == {**own, "kms:Sign": {naming.evidence_key(CONFIG, MODEL)}}
    assert signs(three, DEPLOYS[PRODUCTION]) == {**own, "kms:Sign": {naming.release_key(CONFIG, MODEL)}}
    assert signs(three, REDEPLOYS[STAGING]) == {}
    assert signs(three, REDEPLOYS[PRODUCTION]) == every


def test_no_stage_may_sign_with_a_key_that_it_names_itself(layout: Layout) -> None:
    aliases = {
        alias
        for _, statement in every_statement(layout)
        if "kms:Sign" in listed(statement["Action"])
        for alias in listed(statement["Condition"]["ForAnyValue:StringLike"]["kms:ResourceAliases"])
    }

    assert aliases == {alias for model in (MODEL, STEADY) for alias in keys(model)}


@pytest.mark.parametrize("role", [BUILD, TRAIN, *DEPLOYS.values(), CONTROL])
def test_facts_are_read_of_the_model_alone(three: Layout, role: str) -> None:
    path = naming.parameter(CONFIG, MODEL).removesuffix("/")
    parameter = f"arn:aws:ssm:{HOME.region}:{HOME.id}:parameter{path}"

    assert allowed(three, role)["ssm:GetParametersByPath"] == [parameter, f"{parameter}/*"]


def test_the_platforms_policies_do_not_grow_with_the_models(three: Layout) -> None:
    for role in (*REDEPLOYS.values(), CHECK_ALL, UPDATE_ALL, ONBOARD):
        text = json.dumps(three.role(PLATFORM, role))
        assert not any(naming.slug(model) in text or model in text for model in (MODEL, STEADY))
    for role in REDEPLOYS.values():
        assert naming.artifacts_bucket(CONFIG, naming.EVERY) in json.dumps(three.role(PLATFORM, role))


def test_roles_are_called_as_the_stages_outside_expect(three: Layout) -> None:
    for environment in CONFIG.environments:
        trust = json.dumps(three.role(naming.serving_stack(CONFIG, MODEL, environment), naming.verifier_role(CONFIG, MODEL, environment)))
        for role in (DEPLOYS[environment], REDEPLOYS[environment]):
            assert three.role(home(role), role)
            assert f"role/{role}" in trust


def test_the_controller_may_start_the_models_road_and_write_records_and_no_more(three: Layout) -> None:
    actions = allowed(three, CONTROL)
    pipelines = [naming.delivery_pipeline(CONFIG, MODEL), naming.retraining_pipeline(CONFIG, MODEL)]

    assert [arn.rpartition(":")[2] for arn in actions["codepipeline:StartPipelineExecution"]] == pipelines[:1]
    assert [arn.rpartition(":")[2] for arn in actions["codepipeline:ListPipelineExecutions"]] == pipelines
    assert assumed(three, CONTROL) == {(PRODUCTION.account.id, naming.verifier_role(CONFIG, MODEL, PRODUCTION))}
    assert not {action for action in actions if action.startswith(("cloudformation", "iam", "sagemaker:Create", "sagemaker:Update"))}


def test_a_pipeline_may_use_the_connection_under_both_its_names_and_start_its_own_projects(layout: Layout) -> None:
    for stack, properties in layout.every("AWS::CodePipeline::Pipeline"):
        role = layout.all(stack, ROLE)[properties["RoleArn"]["Fn::GetAtt"][0]]
        statements = role["Policies"][0]["PolicyDocument"]["Statement"]
        (uses,) = [s for s in statements if s["Action"] == ["codeconnections:UseConnection", "codestar-connections:UseConnection"]]
        (starts,) = [s for s in statements if "codebuild:StartBuild" in s["Action"]]
        built = [stage["Actions"][0] for stage in properties["Stages"] if stage["Actions"][0]["ActionTypeId"]["Provider"] == "CodeBuild"]
        projects = [action["Configuration"]["ProjectName"]["Ref"] for action in built]
        assert uses["Resource"] == {"Ref": "Connection"}
        assert sorted(arn["Fn::GetAtt"][0] for arn in listed(starts["Resource"])) == sorted(projects)


def test_what_asks_for_approval_may_tell_people_and_what_does_not_may_not(layout: Layout) -> None:
    for stack, properties in layout.every("AWS::CodePipeline::Pipeline"):
        role = layout.all(stack, ROLE)[properties["RoleArn"]["Fn::GetAtt"][0]]
        publishes = [s["Resource"] for s in role["Policies"][0]["PolicyDocument"]["Statement"] if s["Action"] == "sns:Publish"]
        asks = any(stage["Actions"][0]["ActionTypeId"]["Category"] == "Approval" for stage in properties["Stages"])
        assert publishes == ([{"Ref": "Approvals"}] if asks else [])
