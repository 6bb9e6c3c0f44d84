"""Where a model's versions are registered: one model package group, readable from the accounts that serve it."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct


class ModelRegistry(Construct):
    """Kept when its stack goes: a group with versions in it cannot be deleted, and the versions are the audit trail.

    `readers` are other accounts; they may describe versions and create models from them, never approve one.
    """

    def __init__(self, scope: Construct, name: str, *, group_name: str, description: str, readers: Sequence[str]) -> None:
        super().__init__(scope, name)
        group = sagemaker.CfnModelPackageGroup(
            self,
            "Group",
            model_package_group_name=group_name,
            model_package_group_description=description,
            model_package_group_policy=self._policy(group_name, readers).to_json() if readers else None,
        )
        group.apply_removal_policy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)

    def _policy(self, group: str, readers: Sequence[str]) -> iam.PolicyDocument:
        arn = Stack.of(self).format_arn
        principals: list[iam.IPrincipal] = [iam.AccountPrincipal(account) for account in readers]
        return iam.PolicyDocument(
            statements=[
                iam.PolicyStatement(
                    sid="ReadGroup",
                    principals=principals,
                    actions=["sagemaker:DescribeModelPackageGroup"],
                    resources=[arn(service="sagemaker", resource="model-package-group", resource_name=group)],
                ),
                iam.PolicyStatement(
                    sid="ServeVersions",
                    principals=principals,
                    actions=["sagemaker:CreateModel", "sagemaker:DescribeModelPackage", "sagemaker:ListModelPackages"],
                    resources=[arn(service="sagemaker", resource="model-package", resource_name=f"{group}/*")],
                ),
            ]
        )
