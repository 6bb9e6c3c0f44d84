"""What the training pipeline and its jobs may do: read data, write artifacts, register a version. Not approve, not deploy."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.constructs.image_repository import PULL
from stacks.constructs.service_role import ServiceRole
from stacks.constructs.vpc_config import VpcConfig

JOBS = "pipelines-*"  # SageMaker Pipelines names a job pipelines-<execution>-<step>-<suffix>
LOG = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
USE_KEY = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]


class TrainingRole(ServiceRole):
    """One model's. SageMaker takes it twice: to run the pipeline, and inside each job.

    Of the bucket `artifacts` it writes the objects whose key is like one of `runs`, and reads those like `models` beside them: evidence and
    ledger lie there too, and are not training's. It may start tuning jobs where it `searches`; SageMaker starts their trials.
    `features`: what it must be allowed to read features that the data set has not.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        role_name: str,
        data: s3.IBucket,
        artifacts: s3.IBucket,
        runs: Sequence[str],
        models: str,
        images: ecr.IRepository,
        key: kms.IKey,
        group_name: str,
        vpc: VpcConfig | None,
        searches: bool,
        features: Sequence[iam.PolicyStatement],
    ) -> None:
        stack = Stack.of(scope)
        super().__init__(
            scope,
            name,
            role_name=role_name,
            service="sagemaker.amazonaws.com",
            description="Runs the training pipeline and its jobs",
            statements=[
                *_storage(data, artifacts, key, runs=runs, models=models),
                *_image(images),
                _jobs(stack, "training-job", "TrainingJob"),
                _jobs(stack, "processing-job", "ProcessingJob"),
                *([_search(stack)] if searches else []),
                _pass(stack, role_name),
                *_telling(stack),
                *_registry(stack, group_name),
                *features,
                *(vpc.for_jobs(stack) if vpc else []),
            ],
        )


def _storage(data: s3.IBucket, artifacts: s3.IBucket, key: kms.IKey, *, runs: Sequence[str], models: str) -> list[iam.PolicyStatement]:
    readable = [data.arn_for_objects("*"), *map(artifacts.arn_for_objects, (*runs, models))]
    return [
        iam.PolicyStatement(actions=["s3:GetObject"], resources=readable),
        iam.PolicyStatement(actions=["s3:PutObject"], resources=[*map(artifacts.arn_for_objects, runs)]),
        iam.PolicyStatement(actions=["s3:GetBucketLocation", "s3:ListBucket"], resources=[data.bucket_arn, artifacts.bucket_arn]),
        iam.PolicyStatement(actions=USE_KEY, resources=[key.key_arn]),
        iam.PolicyStatement(  # the jobs' disks
            actions=["kms:CreateGrant"], resources=[key.key_arn], conditions={"Bool": {"kms:GrantIsForAWSResource": "true"}}
        ),
    ]


def _image(images: ecr.IRepository) -> list[iam.PolicyStatement]:
    return [
        iam.PolicyStatement(actions=PULL, resources=[images.repository_arn]),
        iam.PolicyStatement(actions=["ecr:GetAuthorizationToken"], resources=["*"]),  # has no resource to name
    ]


def _jobs(stack: Stack, resource: str, kind: str) -> iam.PolicyStatement:
    actions = ["sagemaker:AddTags", f"sagemaker:Create{kind}", f"sagemaker:Describe{kind}", f"sagemaker:Stop{kind}"]
    return iam.PolicyStatement(actions=actions, resources=[stack.format_arn(service="sagemaker", resource=resource, resource_name=JOBS)])


def _search(stack: Stack) -> iam.PolicyStatement:
    """How SageMaker Pipelines names a tuning job, which has 32 characters at most, is not documented."""
    verbs = ("CreateHyperParameterTuningJob", "DescribeHyperParameterTuningJob", "ListTrainingJobsForHyperParameterTuningJob")
    actions = ["sagemaker:AddTags", *(f"sagemaker:{verb}" for verb in (*verbs, "StopHyperParameterTuningJob"))]
    jobs = stack.format_arn(service="sagemaker", resource="hyper-parameter-tuning-job", resource_name="*")
    return iam.PolicyStatement(actions=actions, resources=[jobs])


def _pass(stack: Stack, role_name: str) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        actions=["iam:PassRole"],
        resources=[stack.format_arn(service="iam", region="", resource="role", resource_name=role_name)],
        conditions={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
    )


def _telling(stack: Stack) -> list[iam.PolicyStatement]:
    return [
        iam.PolicyStatement(actions=LOG, resources=[stack.format_arn(service="logs", resource="log-group:/aws/sagemaker/*")]),
        iam.PolicyStatement(  # has no resource to name
            actions=["cloudwatch:PutMetricData"],
            resources=["*"],
            conditions={"StringLike": {"cloudwatch:namespace": ["/aws/sagemaker/*", "AWS/SageMaker"]}},
        ),
    ]


def _registry(stack: Stack, group: str) -> list[iam.PolicyStatement]:
    groups = stack.format_arn(service="sagemaker", resource="model-package-group", resource_name=group)
    versions = stack.format_arn(service="sagemaker", resource="model-package", resource_name=f"{group}/*")
    return [
        iam.PolicyStatement(
            actions=["sagemaker:AddTags", "sagemaker:CreateModelPackage", "sagemaker:DescribeModelPackage"], resources=[groups, versions]
        ),
        iam.PolicyStatement(actions=["sagemaker:DescribeModelPackageGroup"], resources=[groups]),
    ]
