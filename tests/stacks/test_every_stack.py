"""What must hold for every template of every account layout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cli.deployability import findings
from tests.stacks.conftest import CONTEXT, Layout

ROOT = Path(__file__).parents[2]
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
    "AWS::SSM::Parameter": "Name",
    "AWS::SageMaker::Endpoint": "EndpointName",
    "AWS::SageMaker::ModelPackageGroup": "ModelPackageGroupName",
    "AWS::SageMaker::Pipeline": "PipelineName",
    "AWS::Scheduler::Schedule": "Name",
}
WITHOUT_RESOURCE = {
    "ecr:GetAuthorizationToken",
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


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_only_plain_resource_types(layout: Layout) -> None:
    types = {resource["Type"] for template in layout.templates.values() for resource in template["Resources"].values()}

    assert types == TYPES | (ACROSS_ACCOUNTS if len(layout.config.accounts) > 1 else set())


def test_every_stack_is_there_once(layout: Layout) -> None:
    models = ("credit-risk", "lead-scoring")
    rooms = ("Workshop", "Serving-staging", "Serving-production", "Watch-staging", "Watch-production")

    assert sorted(layout.templates) == sorted(["PavedRoad-Toolchain", *(f"PavedRoad-{model}-{room}" for model in models for room in rooms)])


def test_no_fixed_name_twice_in_an_account(layout: Layout) -> None:
    taken = Counter(
        (layout.account_of[stack], kind, str(properties[key]))
        for kind, key in NAMES.items()
        for stack, properties in layout.every(kind)
        if isinstance(properties.get(key), str)
    )

    assert [name for name, count in taken.items() if count > 1] == []


def test_no_name_is_longer_than_its_service_allows(layout: Layout) -> None:
    limits = {"AWS::IAM::Role": 64, "AWS::S3::Bucket": 63, "AWS::Scheduler::Schedule": 64}
    limits |= {"AWS::Events::Rule": 64, "AWS::SageMaker::Endpoint": 63, "AWS::SageMaker::Pipeline": 82}
    for kind, longest in limits.items():
        for _, properties in layout.every(kind):
            assert len(properties.get(NAMES[kind], "")) <= longest


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
            denied = [one["Condition"] for one in policy["PolicyDocument"]["Statement"] if one["Effect"] == "Deny"]
            assert {"Bool": {"aws:SecureTransport": "false"}} in denied


def test_keys_that_encrypt_rotate_and_topics_use_them(layout: Layout) -> None:
    assert all(key["EnableKeyRotation"] for _, key in layout.every("AWS::KMS::Key") if "KeyUsage" not in key)
    assert all("Fn::GetAtt" in topic["KmsMasterKeyId"] for _, topic in layout.every("AWS::SNS::Topic"))


def test_logs_do_not_stay_for_ever(layout: Layout) -> None:
    assert {log["RetentionInDays"] for _, log in layout.every("AWS::Logs::LogGroup")} == {365}


def test_evidence_stays_when_a_stack_goes(layout: Layout) -> None:
    kept = {"AWS::ECR::Repository", "AWS::KMS::Key", "AWS::S3::Bucket", "AWS::SageMaker::ModelPackageGroup"}
    for template in layout.templates.values():
        for resource in template["Resources"].values():
            if resource["Type"] in kept:
                assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_logical_ids_of_what_keeps_state_do_not_move(three: Layout) -> None:
    stateful = {"AWS::ECR::Repository", "AWS::KMS::Key", "AWS::S3::Bucket", "AWS::SageMaker::ModelPackageGroup", "AWS::SageMaker::Endpoint"}

    def ids(stack: str) -> set[str]:
        return {name for name, resource in three.templates[stack]["Resources"].items() if resource["Type"] in stateful}

    assert ids("PavedRoad-lead-scoring-Workshop") == {
        "ArtifactStore8A81FDFB",
        "Data666C94C7",
        "EvidenceKey167D8F4D",
        "Images2D38C313",
        "Key961B73FD",
        "RegistryGroupF9A457C4",
    }
    assert ids("PavedRoad-lead-scoring-Serving-production") == {"Capture4F9379E3", "Key961B73FD", "LiveEndpoint694423AB"}


def test_cfn_lint_finds_nothing(layouts: dict[str, Layout]) -> None:
    different = {path.read_bytes(): path for layout in layouts.values() for path in sorted(layout.folder.glob("*.template.json"))}

    found = subprocess.run(["cfn-lint", *different.values()], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (found.returncode, found.stdout) == (0, "")


def test_synth_is_the_same_everywhere_and_needs_no_account(tmp_path: Path) -> None:
    keep = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    folders = []
    for seed in ("1", "2"):
        folder = tmp_path / seed
        nowhere = {"HTTPS_PROXY": "http://127.0.0.1:1", "PYTHONHASHSEED": seed, "CDK_OUTDIR": str(folder), "PYTHONPATH": str(ROOT)}
        nowhere["CDK_CONTEXT_JSON"] = json.dumps(CONTEXT)
        subprocess.run([sys.executable, "app.py"], cwd=ROOT, env={**keep, **nowhere}, check=True, capture_output=True)
        folders.append({path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()})

    assert folders[0] == folders[1]
    assert len([name for name in folders[0] if name.endswith(".template.json")]) >= 6


def test_nothing_breaks_a_deployability_rule(layout: Layout) -> None:
    found = {stack: findings(layout.folder / f"{stack}.template.json") for stack in layout.templates}

    assert {stack: some for stack, some in found.items() if some} == {}
