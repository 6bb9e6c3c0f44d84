"""What each stage of a road may do: one function a stage, each a list of policy statements.

A stage reaches another account in two ways only: the roles of CDK's bootstrap, which deploy, and the verifier role,
which reads back. Both are taken with `sts:AssumeRole`, never given here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from config import Account, Config, Environment
from model_code.spec import ModelSpec
from stacks import names

BOOTSTRAP = "hnb659fds"  # the qualifier of `cdk bootstrap`


def allow(*actions: str, on: Sequence[str], conditions: dict[str, Any] | None = None) -> iam.PolicyStatement:
    """Allow `actions` on the ARNs `on`."""
    return iam.PolicyStatement(actions=list(actions), resources=list(on), conditions=conditions)


def artifacts(store: s3.IBucket, key: kms.IKey) -> list[iam.PolicyStatement]:
    """Hand artifacts from stage to stage."""
    return [
        allow("s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", on=[store.arn_for_objects("*")]),
        allow("s3:GetBucketVersioning", "s3:ListBucket", on=[store.bucket_arn]),
        allow("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*", on=[key.key_arn]),
    ]


def facts(stack: Stack, config: Config, model: ModelSpec) -> list[iam.PolicyStatement]:
    """Read the parameters that the model's workshop wrote."""
    path = f"{config.project}/{model.name}"
    on = [stack.format_arn(service="ssm", resource="parameter", resource_name=name) for name in (path, f"{path}/*")]
    return [allow("ssm:GetParametersByPath", on=on)]


def build(stack: Stack, config: Config, model: ModelSpec) -> list[iam.PolicyStatement]:
    """Push the image of one commit to the model's repository."""
    repository = stack.format_arn(service="ecr", resource="repository", resource_name=names.image_repository(config, model))
    return [
        *facts(stack, config, model),
        allow("ecr:GetAuthorizationToken", on=["*"]),  # has no resource to name
        allow(
            "ecr:BatchCheckLayerAvailability",
            "ecr:BatchGetImage",
            "ecr:CompleteLayerUpload",
            "ecr:DescribeImages",
            "ecr:GetDownloadUrlForLayer",
            "ecr:InitiateLayerUpload",
            "ecr:PutImage",
            "ecr:UploadLayerPart",
            on=[repository],
        ),
    ]


def train(stack: Stack, config: Config, model: ModelSpec) -> list[iam.PolicyStatement]:
    """Write and run the model's training pipeline, as the training role."""
    pipeline = config.name(model.name, "training")
    role = names.role_arn(stack, config.toolchain, names.training_role(config, model))
    arn = stack.format_arn(service="sagemaker", resource="pipeline", resource_name=pipeline)
    return [
        *facts(stack, config, model),
        allow(
            "sagemaker:CreatePipeline",
            "sagemaker:DescribePipeline",
            "sagemaker:DescribePipelineExecution",
            "sagemaker:ListPipelineExecutions",
            "sagemaker:ListPipelineExecutionSteps",
            "sagemaker:StartPipelineExecution",
            "sagemaker:UpdatePipeline",
            on=[arn, f"{arn}/execution/*"],
        ),
        allow("iam:PassRole", on=[role], conditions={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}),
    ]


def deploy(stack: Stack, config: Config, model: ModelSpec, environment: Environment) -> list[iam.PolicyStatement]:
    """Deploy one model package to one environment and ask its endpoint. Where approval is asked for, also write it down."""
    approve = [
        allow("codepipeline:ListActionExecutions", on=[stack.format_arn(service="codepipeline", resource=config.name(model.name))]),
        allow("sagemaker:UpdateModelPackage", on=[_packages(stack, config, model)]),
    ]
    return [*redeploy(stack, config, [model], environment), *(approve if environment.approved_only else [])]


def redeploy(stack: Stack, config: Config, models: Sequence[ModelSpec], environment: Environment) -> list[iam.PolicyStatement]:
    """Deploy the stacks of models in one environment and ask their endpoints."""
    read = [statement for model in models for statement in _evidence(stack, config, model)]
    return [*cdk(stack, environment.account), *_verify(stack, config, models, environment), *read]


def cdk(stack: Stack, account: Account) -> list[iam.PolicyStatement]:
    """Take the roles that CDK's bootstrap made in an account."""
    roles = [f"cdk-{BOOTSTRAP}-{role}-role-{account.id}-{account.region}" for role in ("deploy", "file-publishing")]
    return [allow("sts:AssumeRole", on=[names.role_arn(stack, account, role) for role in roles])]


def through_s3(account: Account) -> dict[str, Any]:
    """A condition: the key is used by S3 on the caller's behalf. The key's own policy says for which callers."""
    return {"StringEquals": {"kms:ViaService": f"s3.{account.region}.amazonaws.com"}}


def _verify(stack: Stack, config: Config, models: Sequence[ModelSpec], environment: Environment) -> list[iam.PolicyStatement]:
    roles = [names.verifier_role(config, model, environment) for model in models]
    return [allow("sts:AssumeRole", on=[names.role_arn(stack, environment.account, role) for role in roles])] if roles else []


def _evidence(stack: Stack, config: Config, model: ModelSpec) -> list[iam.PolicyStatement]:
    bucket = stack.format_arn(service="s3", region="", account="", resource=names.artifacts_bucket(config, model))
    keys = stack.format_arn(service="kms", resource="key", resource_name="*")
    return [
        allow("sagemaker:DescribeModelPackage", on=[_packages(stack, config, model)]),
        allow("s3:GetObject", on=[f"{bucket}/*"]),
        allow("kms:Decrypt", on=[keys], conditions=through_s3(config.toolchain)),
    ]


def _packages(stack: Stack, config: Config, model: ModelSpec) -> str:
    return stack.format_arn(service="sagemaker", resource="model-package", resource_name=f"{config.name(model.name)}/*")
