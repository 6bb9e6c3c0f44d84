"""What CloudFormation may do with the stacks of this clone, instead of everything: policies for the role of CDK's bootstrap that deploys.

Each resource type's schema lists what CloudFormation calls to make, read, change and delete one (`handlers`, "Resource type schema" in the
CloudFormation CLI's guide); cfn-lint ships them, and AWS's table of actions. Roles and buckets are named by the project, so nothing here
reaches those of others. What is about the content of buckets is left out: CloudFormation makes stores, and neither reads nor empties them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import naming
from config import Config

LONGEST = 6144  # characters of a managed policy, white space not counted ("IAM and AWS STS quotas")
MOST = 10  # managed policies of a role, the same page
HANDLERS = ("create", "read", "update", "delete")
OPTIONS = ("firehose:", "lambda:", "s3tables:")  # services of properties that no stack here has
CONTENT = ("s3:deleteobject", "s3:getobject", "s3:putobjectacl")
PASSED_TO = ("codebuild", "codepipeline", "events", "sagemaker", "scheduler")
BOUND = (  # those that know the condition key iam:PermissionsBoundary ("Actions, resources, and condition keys for AWS IAM")
    "iam:AttachRolePolicy",
    "iam:CreateRole",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
)
UNBIND = "iam:DeleteRolePermissionsBoundary"
EVERY_STACK = ("ssm:GetParameters",)  # parameters of the type AWS::SSM::Parameter::Value
BESIDES: Mapping[str, Sequence[str]] = {  # what schemas do not say
    "AWS::ApplicationAutoScaling::ScalableTarget": (  # "Amazon SageMaker AI" in the guide to Application Auto Scaling's permissions
        "sagemaker:DescribeEndpoint",
        "sagemaker:DescribeEndpointConfig",
        "sagemaker:UpdateEndpointWeightsAndCapacities",
        "sagemaker:DescribeInferenceComponent",
        "sagemaker:UpdateInferenceComponentRuntimeConfig",
    ),
    "AWS::CodeBuild::Project": (  # its schema has no handlers
        "codebuild:BatchGetProjects",
        *(f"codebuild:{verb}{kind}" for verb in ("Create", "Delete", "Update") for kind in ("Project", "Webhook")),
        "codeconnections:GetConnection",
        "codeconnections:GetConnectionToken",
        "codeconnections:PassConnection",
        "codeconnections:UseConnection",
        "iam:PassRole",
    ),
    "AWS::CodePipeline::Pipeline": ("codeconnections:PassConnection",),
    "AWS::SageMaker::Endpoint": ("cloudwatch:DescribeAlarms", "kms:CreateGrant", "kms:DescribeKey"),
    "AWS::SageMaker::InferenceComponent": ("cloudwatch:DescribeAlarms",),
    "AWS::SageMaker::Model": ("sagemaker:DescribeModelPackage",),
}
Json = dict[str, Any]


def types(assembly: Path) -> set[str]:
    """The resource types of every template of a cloud assembly."""
    templates = [json.loads(file.read_text(encoding="utf-8")) for file in assembly.glob("*.template.json")]
    return {resource["Type"] for template in templates for resource in template["Resources"].values()}


def documents(config: Config, kinds: Iterable[str]) -> list[Json]:
    """Policies that together allow what stacks of these resource types take, in every account of the fork; each as long as IAM takes it.

    Raises:
        ValueError: they are more than a role can have, or one service's part alone is too long.
    """
    packed: list[list[Json]] = []
    for statement in _statements(config, {action for kind in kinds for action in actions(kind)} | set(EVERY_STACK)):
        if packed and _length(_document([*packed[-1], statement])) <= LONGEST:
            packed[-1].append(statement)
        else:
            packed.append([statement])
    made = [_document(statements) for statements in packed]
    if len(made) > MOST or any(_length(document) > LONGEST for document in made):
        raise ValueError(f"{len(made)} policies of up to {max(map(_length, made))} characters; IAM takes {MOST} of {LONGEST}")
    return made


@cache
def actions(kind: str) -> frozenset[str]:
    """What CloudFormation calls for a resource type. Raises ValueError where nobody says it."""
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # type: ignore[import-untyped]  # here, because importing it takes a second

    handlers = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema.get("handlers", {})
    declared = {action for name in HANDLERS for action in handlers.get(name, {}).get("permissions", ())} | {*BESIDES.get(kind, ())}
    if not declared:
        raise ValueError(f"{kind}: its schema does not say what CloudFormation calls: give it a line in {Path(__file__).name}")
    known = {action for action in declared if _exists(action)}
    return frozenset(a for a in known if not a.startswith(OPTIONS) and a.lower() not in CONTENT)


def _statements(config: Config, allowed: set[str]) -> Iterator[Json]:
    """By what they are about: roles, buckets, then each other service as a whole."""
    services: dict[str, list[str]] = defaultdict(list)
    for action in sorted(allowed):
        services[action.partition(":")[0]].append(action)
    yield from _of_roles(config, services.pop("iam", []))
    if buckets := services.pop("s3", []):
        yield _allow(buckets, [f"arn:*:s3:::{config.project}-*", f"arn:*:s3:::{naming.title(config).lower()}-*"])
    for of_service in services.values():
        yield _allow(of_service, ["*"])


def _of_roles(config: Config, named: Sequence[str]) -> Iterator[Json]:
    """Roles of this project only and, where `config.py` names a boundary, only with it."""
    roles = [f"arn:*:iam::*:role/{begins}-*" for begins in (config.project, naming.title(config))]
    changed = [action for action in named if action not in ("iam:PassRole", "iam:CreateServiceLinkedRole")]
    if config.permissions_boundary:
        bound = {"ArnLike": {"iam:PermissionsBoundary": f"arn:*:iam::*:policy/{config.permissions_boundary}"}}
        yield _allow([action for action in changed if action in BOUND], roles, bound)
        changed = [action for action in changed if action not in (*BOUND, UNBIND)]
    yield _allow(changed, roles)
    services = {"StringEquals": {"iam:PassedToService": [f"{service}.amazonaws.com" for service in PASSED_TO]}}
    yield _allow(["iam:PassRole"], roles, services)
    scaling = "sagemaker.application-autoscaling.amazonaws.com"
    linked = {"StringEquals": {"iam:AWSServiceName": scaling}}
    yield _allow(["iam:CreateServiceLinkedRole"], [f"arn:*:iam::*:role/aws-service-role/{scaling}/*"], linked)


def _allow(named: Sequence[str], on: Sequence[str], conditions: Json | None = None) -> Json:
    statement = {"Effect": "Allow", "Action": list(named), "Resource": list(on)}
    return {**statement, "Condition": conditions} if conditions else statement


def _document(statements: Sequence[Json]) -> Json:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _length(document: Json) -> int:
    return len(json.dumps(document, separators=(",", ":")))


def _exists(action: str) -> bool:
    service, _, name = action.partition(":")
    return name.lower() in _table().get(service, {}).get("Actions", {})


@cache
def _table() -> Mapping[str, Any]:
    text = resources.files("cfnlint.data.AdditionalSpecs").joinpath("Policies.json").read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return table
