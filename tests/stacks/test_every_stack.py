"""What must hold for every template of every account layout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import naming
from cli.deployability import findings
from tests import reference
from tests.reference import CONFIG, MODEL, ROOT
from tests.support.layouts import CONTEXT, PRODUCTION, STEADY, Layout, listed, models, synth
from tests.support.tree import python_path

pytestmark = pytest.mark.laptop("templates alone")

TYPES = {
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::CodeBuild::Project",
    "AWS::CodeConnections::Connection",
    "AWS::CodePipeline::Pipeline",
    "AWS::ECR::Repository",
    "AWS::Events::EventBus",
    "AWS::Events::Rule",
    "AWS::IAM::Role",
    "AWS::KMS::Alias",
    "AWS::KMS::Key",
    "AWS::Logs::LogGroup",
    "AWS::Logs::MetricFilter",
    "AWS::S3::Bucket",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::Topic",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::Queue",
    "AWS::SQS::QueuePolicy",
    "AWS::SSM::Parameter",
    "AWS::SageMaker::Endpoint",
    "AWS::SageMaker::EndpointConfig",
    "AWS::SageMaker::Model",
    "AWS::SageMaker::ModelPackageGroup",
    "AWS::SageMaker::Pipeline",
    "AWS::Scheduler::Schedule",
}
ACROSS_ACCOUNTS = {"AWS::Events::EventBusPolicy"}
NAMES = {
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::CodeBuild::Project": "Name",
    "AWS::CodePipeline::Pipeline": "Name",
    "AWS::ECR::Repository": "RepositoryName",
    "AWS::Events::EventBus": "Name",
    "AWS::Events::Rule": "Name",
    "AWS::IAM::Role": "RoleName",
    "AWS::KMS::Alias": "AliasName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::SSM::Parameter": "Name",
    "AWS::SageMaker::Endpoint": "EndpointName",
    "AWS::SageMaker::ModelPackageGroup": "ModelPackageGroupName",
    "AWS::SageMaker::Pipeline": "PipelineName",
    "AWS::Scheduler::Schedule": "Name",
}
WITHOUT_RESOURCE = {
    "ecr:GetAuthorizationToken",
    "inspector2:ListCoverage",
    "inspector2:ListFindings",
    *(f"cloudwatch:{action}" for action in ("GetMetricData", "GetMetricStatistics", "PutMetricData")),
}


def statements(layout: Layout) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(stack, resource type, statement) of every policy."""
    for stack, template in layout.templates.items():
        for resource in template["Resources"].values():
            for document in documents(resource["Properties"]):
                for statement in listed(document["Statement"]):
                    yield stack, resource["Type"], statement


def documents(value: Any) -> Iterator[dict[str, Any]]:
    """Every policy document inside a resource's properties."""
    if isinstance(value, dict):
        if "Statement" in value:
            yield value
        else:
            for inner in value.values():
                yield from documents(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from documents(inner)


def test_only_plain_resource_types(layout: Layout) -> None:
    types = {resource["Type"] for template in layout.templates.values() for resource in template["Resources"].values()}

    assert types == TYPES | (ACROSS_ACCOUNTS if len(layout.config.accounts) > 1 else set())


def test_every_stack_is_there_once(layout: Layout) -> None:
    of_models = [
        name
        for model in (MODEL, STEADY)
        for name in (
            naming.registry_stack(CONFIG, model),
            naming.delivery_stack(CONFIG, model),
            *(naming.serving_stack(CONFIG, model, environment) for environment in CONFIG.environments),
            *(naming.monitoring_stack(CONFIG, model, environment) for environment in CONFIG.environments),
        )
    ]

    assert sorted(layout.templates) == sorted([naming.toolchain_stack(CONFIG), naming.delivery_stack(CONFIG, naming.PLATFORM), *of_models])


def test_no_fixed_name_twice_in_an_account(layout: Layout) -> None:
    taken = Counter(
        (layout.account_of[stack], kind, str(properties[key]))
        for kind, key in NAMES.items()
        for stack, properties in layout.every(kind)
        if isinstance(properties.get(key), str)
    )

    assert [name for name, count in taken.items() if count > 1] == []


def test_no_policy_names_a_principal_twice(layout: Layout) -> None:
    for stack, _, statement in statements(layout):
        for principals in statement.get("Principal", {}).values() if isinstance(statement.get("Principal"), dict) else ():
            texts = [json.dumps(principal) for principal in listed(principals)]
            assert len(texts) == len(set(texts)), (stack, statement)


def test_no_action_is_a_wildcard(layout: Layout) -> None:
    for stack, kind, statement in statements(layout):
        if statement["Effect"] == "Allow" and kind != "AWS::KMS::Key":
            for action in listed(statement["Action"]):
                assert not action.endswith(":*"), (stack, action)


def test_all_resources_only_for_actions_that_have_none(layout: Layout) -> None:
    for stack, kind, statement in statements(layout):
        if kind == "AWS::IAM::Role" and statement.get("Resource") == "*":
            assert set(listed(statement["Action"])) <= WITHOUT_RESOURCE, (stack, statement)


def test_every_stack_says_whose_it_is_and_every_bucket_who_came(tmp_path: Path) -> None:
    """CloudFormation gives these tags to what is in it."""
    model = reference.model()
    synthesised = synth(replace(CONFIG, tags={"cost-center": "4711"}, access_logs="bank-logs-{account}-{region}"), [model], tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())["artifacts"]
    tags = {name: stack["properties"].get("tags", {}) for name, stack in manifest.items() if stack["type"] == "aws:cloudformation:stack"}
    everywhere = {"project": CONFIG.project, "cost-center": "4711"}
    of_model = {**everywhere, "model": MODEL, "owner": model.owner}

    assert tags[naming.toolchain_stack(CONFIG)] == tags[naming.delivery_stack(CONFIG, naming.PLATFORM)] == everywhere
    assert tags[naming.registry_stack(CONFIG, MODEL)] == tags[naming.delivery_stack(CONFIG, MODEL)] == of_model
    for environment in CONFIG.environments:
        for stack in (naming.serving_stack, naming.monitoring_stack):
            assert tags[stack(CONFIG, MODEL, environment)] == {**of_model, "environment": environment.name}
    assert len(tags) == 8
    for name, bucket in synthesised.every("AWS::S3::Bucket"):
        to = bucket["LoggingConfiguration"]
        assert to["DestinationBucketName"] == f"bank-logs-{synthesised.account_of[name]}-{CONFIG.toolchain.region}"
        assert to["LogFilePrefix"].startswith(f"{name}/")


def test_in_another_partition_nothing_names_the_first(tmp_path: Path) -> None:
    """The principals of services (`sagemaker.amazonaws.com`) are the same in all of them."""
    region = "cn-north-1"
    places = [replace(each, account=replace(each.account, region=region)) for each in CONFIG.environments]
    config = replace(CONFIG, toolchain=replace(CONFIG.toolchain, region=region), environments=tuple(places))

    for stack, template in synth(config, [reference.model()], tmp_path).templates.items():
        text = json.dumps(template)
        assert "arn:aws:" not in text, stack
        assert "console.aws.amazon.com" not in text, stack
        assert f"{region}.amazonaws.com" not in text, stack


def test_roles_carry_their_policies_inside(layout: Layout) -> None:
    for stack, role in layout.every("AWS::IAM::Role"):
        assert role["Policies"], stack
        assert "ManagedPolicyArns" not in role


def test_no_role_has_more_policy_than_iam_takes(layout: Layout) -> None:
    for stack, role in layout.every("AWS::IAM::Role"):
        for policy in role["Policies"]:
            assert len(json.dumps(policy["PolicyDocument"], separators=(",", ":"))) <= 10_240, (stack, role.get("RoleName"))


def test_services_take_roles_for_their_own_account_only(layout: Layout) -> None:
    for stack, role in layout.every("AWS::IAM::Role"):
        for statement in role["AssumeRolePolicyDocument"]["Statement"]:
            if "Service" in statement["Principal"]:
                assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": layout.account_of[stack]}}


def test_buckets_are_private_versioned_and_encrypted(layout: Layout) -> None:
    for _, bucket in layout.every("AWS::S3::Bucket"):
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}


def test_buckets_and_topics_refuse_plain_http(layout: Layout) -> None:
    for kind, of in (("AWS::S3::BucketPolicy", "AWS::S3::Bucket"), ("AWS::SNS::TopicPolicy", "AWS::SNS::Topic")):
        policies = layout.every(kind)
        assert len(policies) == len(layout.every(of))
        for _, policy in policies:
            denied = [statement["Condition"] for statement in policy["PolicyDocument"]["Statement"] if statement["Effect"] == "Deny"]
            assert {"Bool": {"aws:SecureTransport": "false"}} in denied


def test_keys_that_encrypt_rotate_and_topics_use_them(layout: Layout) -> None:
    assert all(key["EnableKeyRotation"] for _, key in layout.every("AWS::KMS::Key") if "KeyUsage" not in key)
    assert all("Fn::GetAtt" in topic["KmsMasterKeyId"] for _, topic in layout.every("AWS::SNS::Topic"))


def test_logs_do_not_stay_for_ever(layout: Layout) -> None:
    assert {log["RetentionInDays"] for _, log in layout.every("AWS::Logs::LogGroup")} == {365}


def test_evidence_stays_when_a_stack_goes_but_not_where_it_was_never_made(layout: Layout) -> None:
    """What a first deployment that failed left behind would have the names that the second one needs."""
    kept = {"AWS::ECR::Repository", "AWS::KMS::Key", "AWS::S3::Bucket", "AWS::SageMaker::ModelPackageGroup"}
    for template in layout.templates.values():
        for resource in template["Resources"].values():
            if resource["Type"] in kept:
                assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_logical_ids_of_what_keeps_state_do_not_move(three: Layout) -> None:
    stateful = {"AWS::ECR::Repository", "AWS::KMS::Key", "AWS::S3::Bucket", "AWS::SageMaker::ModelPackageGroup", "AWS::SageMaker::Endpoint"}

    def ids(stack: str) -> set[str]:
        return {name for name, resource in three.templates[stack]["Resources"].items() if resource["Type"] in stateful}

    assert ids(naming.registry_stack(CONFIG, MODEL)) == {
        "ArtifactStore8A81FDFB",
        "Data666C94C7",
        "EvidenceKey167D8F4D",
        "Images2D38C313",
        "Key961B73FD",
        "RegistryGroupF9A457C4",
        "ReleaseKey129D576C",
    }
    assert ids(naming.serving_stack(CONFIG, MODEL, PRODUCTION)) == {"Capture4F9379E3", "Key961B73FD", "LiveEndpoint694423AB"}
    assert ids(naming.toolchain_stack(CONFIG)) == {"Artifacts82DD59A1", "Key961B73FD"}


def test_what_no_target_takes_goes_to_an_encrypted_queue_whose_alarm_tells_the_owners(layout: Layout) -> None:
    for stack, rule in [*layout.every("AWS::Events::Rule"), *layout.every("AWS::Scheduler::Schedule")]:
        for target in rule.get("Targets", [rule.get("Target")]):
            (name, queue), (alarm,) = letters(layout, stack)
            assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": [name, "Arn"]}}, stack
            assert (queue["MessageRetentionPeriod"], "KmsMasterKeyId" in queue) == (14 * 24 * 3600, True)
            assert (alarm["AlarmName"], alarm["TreatMissingData"], len(alarm["AlarmActions"])) == (queue["QueueName"], "ignore", 1)


def letters(layout: Layout, stack: str) -> tuple[tuple[str, dict[str, Any]], list[dict[str, Any]]]:
    """A stack's one queue by its logical id, and the alarms on it."""
    ((name, queue),) = layout.all(stack, "AWS::SQS::Queue").items()
    of_queue = [{"Name": "QueueName", "Value": {"Fn::GetAtt": [name, "QueueName"]}}]
    return (name, queue), [a for a in layout.all(stack, "AWS::CloudWatch::Alarm").values() if a.get("Dimensions") == of_queue]


def test_a_queue_takes_from_each_rule_of_its_stack_by_name(layout: Layout) -> None:
    for stack, policy in layout.every("AWS::SQS::QueuePolicy"):
        statements = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Allow"]
        sources = {s["Condition"]["ArnEquals"]["aws:SourceArn"]["Fn::GetAtt"][0] for s in statements}

        assert sources == set(layout.all(stack, "AWS::Events::Rule")), stack
        assert {(s["Principal"]["Service"], s["Action"]) for s in statements} == {("events.amazonaws.com", "sqs:SendMessage")}


def test_what_keeps_state_is_in_no_delivery_stack(layout: Layout) -> None:
    """A model's road can be deleted and made again; dead letters wait for a person, and two weeks at the most."""
    kinds = {kind for kind in TYPES for stack, _ in layout.every(kind) if stack.endswith("-Delivery")}

    assert kinds == {
        "AWS::CloudWatch::Alarm",
        "AWS::CodeBuild::Project",
        "AWS::CodePipeline::Pipeline",
        "AWS::Events::Rule",
        "AWS::IAM::Role",
        "AWS::Logs::LogGroup",
        "AWS::SQS::Queue",
        "AWS::SQS::QueuePolicy",
    }


def test_a_models_build_makes_its_own_stacks_and_what_all_share_as_they_are_among_others(three: Layout, tmp_path: Path) -> None:
    alone = synth(three.config, models(), tmp_path, model=STEADY)

    of_others = {naming.delivery_stack(three.config, naming.PLATFORM)} | {
        name for name in three.templates if MODEL.replace("_", "-") in name
    }
    assert len(of_others) == 7
    assert alone.templates == {name: template for name, template in three.templates.items() if name not in of_others}


def test_a_model_that_is_not_there_has_no_stacks(three: Layout, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"context model=credit: there is no such model: name one of {MODEL}, {STEADY}"):
        synth(three.config, models(), tmp_path, model="credit")


@pytest.mark.slow
def test_cfn_lint_finds_nothing(layouts: dict[str, Layout]) -> None:
    different = {path.read_bytes(): path for layout in layouts.values() for path in sorted(layout.folder.glob("*.template.json"))}

    lint = subprocess.run(["cfn-lint", *different.values()], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (lint.returncode, lint.stdout) == (0, "")


def run_app(tree: Path, folder: Path, **environment: str) -> dict[str, bytes]:
    """What `app.py` of a tree makes where there is no account; its files by name. A `config.py` in `folder` goes before the tree's."""
    environment |= {"PATH": os.environ["PATH"], "HTTPS_PROXY": "http://127.0.0.1:1", "CDK_CONTEXT_JSON": json.dumps(CONTEXT)}
    environment |= {"CDK_OUTDIR": str(folder / "cdk.out"), "PYTHONPATH": python_path(tree), "MODEL_CODE": str(tree / "model_code")}
    program = f"import runpy; runpy.run_path({str(tree / 'app.py')!r}, run_name='__main__')"
    subprocess.run([sys.executable, "-c", program], cwd=folder, env=environment, check=True, capture_output=True)
    return {path.name: path.read_bytes() for path in (folder / "cdk.out").iterdir() if path.is_file()}


@pytest.mark.slow
def test_synth_is_the_same_everywhere_and_needs_no_account(tree: Path, tmp_path: Path) -> None:
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
    first, second = (run_app(tree, folder, PYTHONHASHSEED=str(seed)) for seed, folder in enumerate(folders, start=1))

    assert first == second
    assert len([name for name in first if name.endswith(".template.json")]) == 8


@pytest.mark.slow
def test_the_bootstrap_that_the_configuration_names_is_the_one_that_is_used(tree: Path, tmp_path: Path) -> None:
    changed = "\nfrom dataclasses import replace\nCONFIG = replace(CONFIG, qualifier='acme123')\n"
    (tmp_path / "config.py").write_text((tree / "config.py").read_text() + changed)
    files = run_app(tree, tmp_path)
    templates = {name: content.decode() for name, content in files.items() if name.endswith(".template.json")}

    assert CONFIG.qualifier not in files["manifest.json"].decode() + "".join(templates.values())
    assert all("/cdk-bootstrap/acme123/version" in template for template in templates.values())
    assert "role/cdk-acme123-deploy-role-" in templates[f"{naming.delivery_stack(CONFIG, MODEL)}.template.json"]


def test_nothing_breaks_a_deployability_rule(layout: Layout) -> None:
    broken = {stack: findings(layout.folder / f"{stack}.template.json") for stack in layout.templates}

    assert {stack: rules for stack, rules in broken.items() if rules} == {}
