"""Where a model's images live: one repository, one image a commit, never overwritten."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from constructs import Construct

PULL = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]


class ImageRepository(ecr.Repository):
    """Immutable tags, scanned on push. Tagged images stay: a registered model package names one by digest for as long as it lives.

    SageMaker and the accounts of `readers` may pull.
    """

    def __init__(self, scope: Construct, name: str, *, repository_name: str, readers: Sequence[str]) -> None:
        super().__init__(
            scope,
            name,
            repository_name=repository_name,
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            image_scan_on_push=True,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
            lifecycle_rules=[ecr.LifecycleRule(tag_status=ecr.TagStatus.UNTAGGED, max_image_age=Duration.days(14))],
        )
        principals: list[iam.IPrincipal] = [iam.ServicePrincipal("sagemaker.amazonaws.com"), *map(iam.AccountPrincipal, readers)]
        self.add_to_resource_policy(iam.PolicyStatement(principals=principals, actions=PULL))
