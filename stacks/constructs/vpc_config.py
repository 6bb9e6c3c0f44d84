"""Where in a VPC something runs, in the words of the services that run it, and what their roles may do there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

LOOKS = ("DhcpOptions", "NetworkInterfaces", "SecurityGroups", "Subnets", "Vpcs")
EVERY_OWNER = "*"  # a subnet may be shared from another account, whose number its ARN has


@dataclass(frozen=True, kw_only=True)
class VpcConfig:
    """The ids of subnets of one VPC, and of security groups there."""

    subnets: Sequence[str]
    security_groups: Sequence[str]

    @property
    def sagemaker(self) -> dict[str, Any]:
        """SageMaker's VpcConfig, in CDK's spelling."""
        return {"subnets": list(self.subnets), "securityGroupIds": list(self.security_groups)}

    def for_jobs(self, stack: Stack) -> list[iam.PolicyStatement]:
        """What the role of a SageMaker job or model needs ("How to use SageMaker AI execution roles": if you specify a VPC)."""
        interfaces = [
            "ec2:CreateNetworkInterfacePermission",
            "ec2:DeleteNetworkInterface",
            "ec2:DeleteNetworkInterfacePermission",
        ]
        return [*self._attach(stack), iam.PolicyStatement(actions=interfaces, resources=[self._interfaces(stack)])]

    def for_builds(self, stack: Stack) -> list[iam.PolicyStatement]:
        """What the role of a CodeBuild project needs ("Allow CodeBuild access to … create a VPC network interface")."""
        interfaces = self._interfaces(stack)
        here = {"StringEquals": {"ec2:AuthorizedService": "codebuild.amazonaws.com"}, "ArnLike": {"ec2:Subnet": self._subnets(stack)}}
        return [
            *self._attach(stack),
            iam.PolicyStatement(actions=["ec2:DeleteNetworkInterface"], resources=[interfaces]),
            iam.PolicyStatement(actions=["ec2:CreateNetworkInterfacePermission"], resources=[interfaces], conditions=here),
        ]

    def _attach(self, stack: Stack) -> list[iam.PolicyStatement]:
        groups = [self._arn(stack, "security-group", each) for each in self.security_groups]
        on = [self._interfaces(stack), *self._subnets(stack), *groups]
        return [
            iam.PolicyStatement(actions=["ec2:CreateNetworkInterface"], resources=on),
            iam.PolicyStatement(actions=[f"ec2:Describe{each}" for each in LOOKS], resources=["*"]),  # have no resource to name
        ]

    def _subnets(self, stack: Stack) -> list[str]:
        return [self._arn(stack, "subnet", each) for each in self.subnets]

    @staticmethod
    def _interfaces(stack: Stack) -> str:
        return stack.format_arn(service="ec2", resource="network-interface", resource_name="*")

    @staticmethod
    def _arn(stack: Stack, kind: str, name: str) -> str:
        return stack.format_arn(service="ec2", account=EVERY_OWNER, resource=kind, resource_name=name)
