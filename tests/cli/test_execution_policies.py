"""What CloudFormation may do covers every stack here, in the form that IAM takes, and reaches nothing of others."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from cli import execution_policies
from config import Config
from localcloud.iam.policies import Statement, allows, statements
from localcloud.testing.in_process import Aws
from tests.support.layouts import Layout, configuration, models, synth

BOUNDARY = "bank/boundary"
BOUND = replace(configuration("three"), permissions_boundary=BOUNDARY)
GENERATED = "0123456789AB"  # how CloudFormation ends the names that it makes
PLACE = {"AWS::IAM::Role": ("RoleName", "arn:aws:iam::{account}:role/{name}"), "AWS::S3::Bucket": ("BucketName", "arn:aws:s3:::{name}")}


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """The reference's stacks, every role within a boundary."""
    return synth(BOUND, models(), tmp_path_factory.mktemp("bound"))


@pytest.fixture(scope="module")
def documents(layout: Layout) -> list[dict[str, Any]]:
    return execution_policies.documents(BOUND, execution_policies.types(layout.folder))


@pytest.fixture(scope="module")
def policy(documents: list[dict[str, Any]]) -> list[Statement]:
    return list(statements(documents))


def named(layout: Layout, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The ARN of each resource of a type, as CloudFormation will have it, and its properties."""
    key, form = PLACE[kind]
    for stack, template in layout.templates.items():
        for logical, resource in template["Resources"].items():
            if resource["Type"] == kind:
                properties = resource.get("Properties", {})
                name = properties.get(key) or f"{stack}-{logical}-{GENERATED}"
                lower = name.lower() if kind == "AWS::S3::Bucket" else name
                yield form.format(account=layout.account_of[stack], name=lower), properties


def context(account: str, boundary: str | None) -> dict[str, list[str]]:
    return {"iam:PermissionsBoundary": [f"arn:aws:iam::{account}:policy/{boundary}"] if boundary else []}


def test_every_role_that_is_made_has_the_boundary_of_its_account(layout: Layout) -> None:
    boundaries = {
        (layout.account_of[stack], json.dumps(properties["PermissionsBoundary"])) for stack, properties in layout.every("AWS::IAM::Role")
    }

    assert len(boundaries) == len({account for account, _ in boundaries}) == 3
    assert all(f"::{account}:policy/{BOUNDARY}" in boundary for account, boundary in boundaries)


def test_roles_and_buckets_of_every_stack_are_within_reach(layout: Layout, policy: list[Statement]) -> None:
    for kind, action in (("AWS::S3::Bucket", "s3:CreateBucket"), ("AWS::S3::Bucket", "s3:PutBucketPolicy")):
        for arn, _ in named(layout, kind):
            assert allows(policy, action=action, resource=arn), arn
    for arn, properties in named(layout, "AWS::IAM::Role"):
        account = arn.split(":")[4]
        for action in execution_policies.BOUND:
            assert allows(policy, action=action, resource=arn, context=context(account, BOUNDARY)), (arn, action)
        for service in re.findall(r"\w+\.amazonaws\.com", json.dumps(properties["AssumeRolePolicyDocument"])):
            assert allows(policy, action="iam:PassRole", resource=arn, context={"iam:PassedToService": [service]}), (arn, service)


def test_every_type_that_stacks_have_is_covered(layout: Layout, policy: list[Statement]) -> None:
    for kind in execution_policies.types(layout.folder):
        for action in execution_policies.actions(kind) - {execution_policies.UNBIND}:
            assert any(action in statement["Action"] for statement in policy), (kind, action)


@pytest.mark.parametrize(
    ("action", "resource", "boundary"),
    [
        ("iam:CreateRole", "arn:aws:iam::1:role/{project}-x", None),
        ("iam:CreateRole", "arn:aws:iam::1:role/{project}-x", "another"),
        ("iam:PutRolePolicy", "arn:aws:iam::1:role/administrator", BOUNDARY),
        ("iam:PutRolePolicy", "arn:aws:iam::1:role/cdk-hnb659fds-cfn-exec-role-1-eu-central-1", BOUNDARY),
        ("iam:DeleteRolePermissionsBoundary", "arn:aws:iam::1:role/{project}-x", BOUNDARY),
        ("iam:CreateUser", "arn:aws:iam::1:user/{project}-x", BOUNDARY),
        ("iam:CreatePolicyVersion", f"arn:aws:iam::1:policy/{BOUNDARY}", BOUNDARY),
        ("s3:PutBucketPolicy", "arn:aws:s3:::others", None),
        ("s3:DeleteObject", "arn:aws:s3:::{project}-data/x", None),
        ("s3:GetObject", "arn:aws:s3:::{project}-data/x", None),
        ("s3:BypassGovernanceRetention", "arn:aws:s3:::{project}-data/x", None),
        ("kms:Sign", "*", None),
        ("sagemaker:InvokeEndpoint", "*", None),
        ("sts:AssumeRole", "*", None),
    ],
)
def test_it_reaches_nothing_of_others_and_makes_nobody_mightier(
    policy: list[Statement], action: str, resource: str, boundary: str | None
) -> None:
    arn = resource.format(project=BOUND.project)
    assert not allows(policy, action=action, resource=arn, context=context("1", boundary))


@pytest.mark.parametrize("config", [BOUND, configuration("one")], ids=["bound", "boundless"])
def test_iam_takes_every_policy(aws: Aws, layout: Layout, config: Config) -> None:
    iam = aws.client("iam")
    for number, document in enumerate(execution_policies.documents(config, execution_policies.types(layout.folder))):
        text = json.dumps(document, separators=(",", ":"))
        assert len(text) <= execution_policies.LONGEST
        iam.create_policy(PolicyName=f"execution-{bool(config.permissions_boundary)}-{number}", PolicyDocument=text)


def test_a_type_of_which_nobody_says_what_it_takes_is_named() -> None:
    with pytest.raises(ValueError, match=r"AWS::EMR::Cluster: its schema does not say .* give it a line in execution_policies\.py"):
        execution_policies.actions("AWS::EMR::Cluster")
