"""What the training pipeline and its jobs may do: read data, write artifacts, register a version. Not approve, not deploy."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.constructs.image_repository import PULL
from stacks.constructs.service_role import ServiceRole

# SageMaker Pipelines names the jobs it starts `pipelines-<execution>-<step>-<suffix>`.
JOBS = "pipelines-*"


class TrainingRole(ServiceRole):
    """One model's. SageMaker takes it twice: to run the pipeline, and inside each job."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        role_name: str,
        data: s3.IBucket,
        artifacts: s3.IBucket,
        images: ecr.IRepository,
        key: kms.IKey,
        group_name: str,
    ) -> None:
        self._stack = Stack.of(scope)
        super().__init__(
            scope,
            name,
            role_name=role_name,
            service="sagemaker.amazonaws.com",
            description="Runs the training pipeline and its jobs",
            statements=[*self._storage(data, artifacts, key), *self._image(images), *self._jobs(role_name), *self._register(group_name)],
        )

    def _storage(self, data: s3.IBucket, artifacts: s3.IBucket, key: kms.IKey) -> list[iam.PolicyStatement]:
        return [
            iam.PolicyStatement(actions=["s3:GetObject"], resources=[data.arn_for_objects("*"), artifacts.arn_for_objects("*")]),
            iam.PolicyStatement(actions=["s3:PutObject"], resources=[artifacts.arn_for_objects("*")]),
            iam.PolicyStatement(actions=["s3:GetBucketLocation", "s3:ListBucket"], resources=[data.bucket_arn, artifacts.bucket_arn]),
            iam.PolicyStatement(
                actions=["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"], resources=[key.key_arn]
            ),
            iam.PolicyStatement(  # the jobs' disks
                actions=["kms:CreateGrant"], resources=[key.key_arn], conditions={"Bool": {"kms:GrantIsForAWSResource": "true"}}
            ),
        ]

    def _image(self, images: ecr.IRepository) -> list[iam.PolicyStatement]:
        return [
            iam.PolicyStatement(actions=PULL, resources=[images.repository_arn]),
            iam.PolicyStatement(actions=["ecr:GetAuthorizationToken"], resources=["*"]),  # has no resource to name
        ]

    def _jobs(self, role_name: str) -> list[iam.PolicyStatement]:
        sagemaker = lambda kind: self._stack.format_arn(service="sagemaker", resource=kind, resource_name=JOBS)  # noqa: E731
        own_arn = self._stack.format_arn(service="iam", region="", resource="role", resource_name=role_name)
        logs = self._stack.format_arn(service="logs", resource="log-group:/aws/sagemaker/*")
        return [
            iam.PolicyStatement(
                actions=["sagemaker:AddTags", "sagemaker:CreateTrainingJob", "sagemaker:DescribeTrainingJob", "sagemaker:StopTrainingJob"],
                resources=[sagemaker("training-job")],
            ),
            iam.PolicyStatement(
                actions=["sagemaker:AddTags", "sagemaker:CreateProcessingJob", "sagemaker:DescribeProcessingJob", "sagemaker:StopProcessingJob"],
                resources=[sagemaker("processing-job")],
            ),
            iam.PolicyStatement(
                actions=["iam:PassRole"], resources=[own_arn], conditions={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
            ),
            iam.PolicyStatement(actions=["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"], resources=[logs]),
            iam.PolicyStatement(  # has no resource to name
                actions=["cloudwatch:PutMetricData"],
                resources=["*"],
                conditions={"StringLike": {"cloudwatch:namespace": ["/aws/sagemaker/*", "AWS/SageMaker"]}},
            ),
        ]

    def _register(self, group: str) -> list[iam.PolicyStatement]:
        arn = self._stack.format_arn
        return [
            iam.PolicyStatement(
                actions=["sagemaker:AddTags", "sagemaker:CreateModelPackage", "sagemaker:DescribeModelPackage"],
                resources=[
                    arn(service="sagemaker", resource="model-package-group", resource_name=group),
                    arn(service="sagemaker", resource="model-package", resource_name=f"{group}/*"),
                ],
            ),
            iam.PolicyStatement(
                actions=["sagemaker:DescribeModelPackageGroup"],
                resources=[arn(service="sagemaker", resource="model-package-group", resource_name=group)],
            ),
        ]
