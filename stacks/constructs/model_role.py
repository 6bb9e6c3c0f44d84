"""The role of what runs a model in an environment: its endpoint, its monitor. What both may do is said here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.constructs.image_repository import PULL
from stacks.constructs.service_role import ServiceRole

USE_KEY = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]


@dataclass(frozen=True, kw_only=True)
class Registered:
    """Where a model's versions lie, in the toolchain's account, as ARNs: image repository, artifacts bucket and its key.

    `archives` are what the keys of the objects are like that may be read; the key is used through `storage`, S3's name there.
    """

    images: str
    bucket: str
    archives: Sequence[str]
    key: str
    storage: str


class ModelRole(ServiceRole):
    """Pulls the image, reads the version's archive, and uses `key` (an ARN) for its disks and what it writes."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        role_name: str,
        description: str,
        registered: Registered,
        key: str,
        statements: Sequence[iam.PolicyStatement],
    ) -> None:
        through_storage = {"StringEquals": {"kms:ViaService": registered.storage}}
        super().__init__(
            scope,
            name,
            role_name=role_name,
            service="sagemaker.amazonaws.com",
            description=description,
            statements=[
                iam.PolicyStatement(actions=PULL, resources=[registered.images]),
                iam.PolicyStatement(actions=["ecr:GetAuthorizationToken"], resources=["*"]),  # has no resource to name
                iam.PolicyStatement(actions=["s3:GetObject"], resources=[f"{registered.bucket}/{key}" for key in registered.archives]),
                iam.PolicyStatement(actions=["s3:ListBucket"], resources=[registered.bucket]),
                iam.PolicyStatement(actions=["kms:Decrypt"], resources=[registered.key], conditions=through_storage),
                iam.PolicyStatement(actions=USE_KEY, resources=[key]),
                iam.PolicyStatement(
                    actions=["kms:CreateGrant"], resources=[key], conditions={"Bool": {"kms:GrantIsForAWSResource": "true"}}
                ),
                *statements,
            ],
        )
