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
from pipelines.delivery import RETRAINING
from stacks import names
from stacks.names import Named

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


def facts(stack: Stack, config: Config, model: Named) -> list[iam.PolicyStatement]:
    """Read the parameters that the model's workshop wrote."""
    path = f"{config.project}/{model.name}"
    on = [stack.format_arn(service="ssm", resource="parameter", resource_name=name) for name in (path, f"{path}/*")]
    return [allow("ssm:GetParametersByPath", on=on)]


def build(stack: Stack, config: Config, model: ModelSpec) -> list[iam.PolicyStatement]:
    """Push the image of one commit to the model's repository, and store its bill of materials."""
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
        *_write(stack, config, model, "images/*/sbom.json"),
    ]


def train(stack: Stack, config: Config, model: ModelSpec) -> list[iam.PolicyStatement]:
    """Write and run the model's training pipeline, as the training role; know the champion, and read what a run left."""
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
        *_read(stack, config, model, "ledger/*", names.RUNS),
        _sign("kms:Verify", stack=stack, config=config, model=model),
    ]


def deploy(stack: Stack, config: Config, model: ModelSpec, environment: Environment) -> list[iam.PolicyStatement]:
    """Deploy one model package to one environment and ask its endpoint; beside that, what its place on the road asks for.

    The first environment makes the evidence. Where approval is asked for, it is written down, there and in the registry. Those
    environments, and the last one, keep a ledger. Why a version was taken back is kept beside its evidence, and the registry rejects it.
    """
    approved = environment.approved_only
    first, last = environment == config.environments[0], environment == config.environments[-1]
    statements = _place(stack, config, model, environment)
    if first or last or approved:
        statements += [*_check(stack, config, model), _sign("kms:Sign", stack=stack, config=config, model=model)]
    if first or approved:
        statements += _pack(stack, config, model)
    if approved:
        statements.append(allow("sagemaker:UpdateModelPackage", on=[_packages(stack, config, model)]))
    elif first or last:
        rejects = {"StringEquals": {"sagemaker:ModelApprovalStatus": "Rejected"}}
        statements.append(allow("sagemaker:UpdateModelPackage", on=[_packages(stack, config, model)], conditions=rejects))
    if last and not (first or approved):
        statements += _write(stack, config, model, "evidence/*")
    if last or approved:
        statements += _write(stack, config, model, f"ledger/{environment.name}/*")
    return statements


def judge(stack: Stack, config: Config, model: ModelSpec) -> list[iam.PolicyStatement]:
    """Know what asks for retraining and what was done about it, write that down, and start the model's road: nothing else of it."""
    environment, road = config.environments[-1], config.name(model.name)
    verifier = names.role_arn(stack, environment.account, names.verifier_role(config, model, environment))
    pipelines = [stack.format_arn(service="codepipeline", resource=name) for name in (road, config.name(model.name, *RETRAINING))]
    group = stack.format_arn(service="sagemaker", resource="model-package-group", resource_name=road)
    return [
        *facts(stack, config, model),
        allow("sts:AssumeRole", on=[verifier]),
        allow("codepipeline:StartPipelineExecution", on=pipelines[:1]),
        allow("codepipeline:GetPipelineExecution", "codepipeline:ListPipelineExecutions", on=pipelines),
        allow("sagemaker:ListModelPackages", on=[group, _packages(stack, config, model)]),
        *_read(stack, config, model, names.RETRAININGS),
        *_write(stack, config, model, names.RETRAININGS),
    ]


def redeploy(stack: Stack, config: Config, environment: Environment) -> list[iam.PolicyStatement]:
    """Deploy the stacks of every model in one environment and ask their endpoints; where approval is asked for, check evidence first."""
    checks = _check(stack, config, names.EVERY) if environment.approved_only else []
    return [*_place(stack, config, names.EVERY, environment), *checks]


def cdk(stack: Stack, account: Account) -> list[iam.PolicyStatement]:
    """Take the roles that CDK's bootstrap made in an account."""
    roles = [f"cdk-{BOOTSTRAP}-{role}-role-{account.id}-{account.region}" for role in ("deploy", "file-publishing")]
    return [allow("sts:AssumeRole", on=[names.role_arn(stack, account, role) for role in roles])]


def through_s3(account: Account) -> dict[str, Any]:
    """A condition: the key is used by S3 on the caller's behalf. The key's own policy says for which callers."""
    return _through("s3", account)


def _through(service: str, account: Account) -> dict[str, Any]:
    return {"StringEquals": {"kms:ViaService": f"{service}.{account.region}.amazonaws.com"}}


def _place(stack: Stack, config: Config, model: Named, environment: Environment) -> list[iam.PolicyStatement]:
    """Deploy to an environment, ask the endpoint there, and compare it with the version it is made of."""
    verifier = names.role_arn(stack, environment.account, names.verifier_role(config, model, environment))
    return [*cdk(stack, environment.account), allow("sts:AssumeRole", on=[verifier]), *_read(stack, config, model, "*")]


def _read(stack: Stack, config: Config, model: Named, *objects: str) -> list[iam.PolicyStatement]:
    """Versions, and objects of the artifacts bucket. Listing is what tells an object that is missing from one that is forbidden."""
    bucket = _bucket(stack, names.artifacts_bucket(config, model))
    return [
        allow("sagemaker:DescribeModelPackage", on=[_packages(stack, config, model)]),
        allow("s3:ListBucket", on=[bucket]),
        allow("s3:GetObject", on=[f"{bucket}/{key}" for key in objects]),
        allow("kms:Decrypt", on=[_keys(stack)], conditions=through_s3(config.toolchain)),
    ]


def _write(stack: Stack, config: Config, model: Named, objects: str) -> list[iam.PolicyStatement]:
    """Objects of the artifacts bucket."""
    return [
        allow("s3:PutObject", on=[f"{_bucket(stack, names.artifacts_bucket(config, model))}/{objects}"]),
        allow("kms:GenerateDataKey", on=[_keys(stack)], conditions=through_s3(config.toolchain)),
    ]


def _check(stack: Stack, config: Config, model: Named) -> list[iam.PolicyStatement]:
    """Hold evidence against what it binds: data set, image, pipeline definition, signature."""
    runs = f"{config.name(model.name, 'training')}/execution/*"
    repository = stack.format_arn(service="ecr", resource="repository", resource_name=names.image_repository(config, model))
    definitions = stack.format_arn(service="sagemaker", resource="pipeline", resource_name=runs)
    return [
        *facts(stack, config, model),
        allow("s3:GetObject", on=[f"{_bucket(stack, names.data_bucket(config, model))}/*"]),
        allow("ecr:DescribeImages", on=[repository]),
        allow("sagemaker:DescribePipelineDefinitionForExecution", on=[definitions]),
        _sign("kms:GetPublicKey", "kms:Verify", stack=stack, config=config, model=model),
    ]


def _pack(stack: Stack, config: Config, model: ModelSpec) -> list[iam.PolicyStatement]:
    """Write evidence: what the road's history says, in a pack and on a model card, which the workshop's key encrypts."""
    road, card_key = config.name(model.name), _through("sagemaker", config.toolchain)
    grant = {**card_key, "Bool": {"kms:GrantIsForAWSResource": "true"}}
    return [
        allow("codepipeline:ListActionExecutions", on=[stack.format_arn(service="codepipeline", resource=road)]),
        *_write(stack, config, model, "evidence/*"),
        allow(
            "sagemaker:CreateModelCard",
            "sagemaker:DescribeModelCard",
            "sagemaker:UpdateModelCard",
            on=[stack.format_arn(service="sagemaker", resource="model-card", resource_name=f"{road}-*")],
        ),
        allow("kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey", on=[_keys(stack)], conditions=card_key),
        allow("kms:CreateGrant", on=[_keys(stack)], conditions=grant),
    ]


def _sign(*actions: str, stack: Stack, config: Config, model: Named) -> iam.PolicyStatement:
    """Use of the evidence key, known by its alias: its ARN is made up when it is."""
    alias = {"ForAnyValue:StringLike": {"kms:ResourceAliases": names.evidence_key(config, model)}}
    return allow(*actions, on=[_keys(stack)], conditions=alias)


def _keys(stack: Stack) -> str:
    return stack.format_arn(service="kms", resource="key", resource_name="*")


def _bucket(stack: Stack, name: str) -> str:
    return stack.format_arn(service="s3", region="", account="", resource=name)


def _packages(stack: Stack, config: Config, model: Named) -> str:
    return stack.format_arn(service="sagemaker", resource="model-package", resource_name=f"{config.name(model.name)}/*")
