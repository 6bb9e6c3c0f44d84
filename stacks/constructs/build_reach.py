"""What a build reaches, and how: its place in a VPC, and the environment variables by which its tools find registries and a proxy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_iam as iam

from stacks.constructs.vpc_config import VpcConfig


@dataclass(frozen=True, kw_only=True)
class BuildReach:
    """`vpc` has the VPC's id beside what is used of it; None where builds run in CodeBuild's own network.

    `secrets` are variables whose values CodeBuild reads from Secrets Manager and leaves out of logs: name → the secret's name.
    """

    vpc: tuple[str, VpcConfig] | None
    variables: Mapping[str, str]
    secrets: Mapping[str, str]

    @property
    def vpc_config(self) -> codebuild.CfnProject.VpcConfigProperty | None:
        """CodeBuild's VpcConfig."""
        if self.vpc is None:
            return None
        vpc_id, vpc = self.vpc
        return codebuild.CfnProject.VpcConfigProperty(
            vpc_id=vpc_id, subnets=list(vpc.subnets), security_group_ids=list(vpc.security_groups)
        )

    @property
    def environment_variables(self) -> dict[str, codebuild.BuildEnvironmentVariable]:
        """CodeBuild's, of both kinds."""
        secret = codebuild.BuildEnvironmentVariableType.SECRETS_MANAGER
        return {
            **{name: codebuild.BuildEnvironmentVariable(value=value) for name, value in self.variables.items()},
            **{name: codebuild.BuildEnvironmentVariable(value=each, type=secret) for name, each in self.secrets.items()},
        }

    def statements(self, stack: Stack) -> list[iam.PolicyStatement]:
        """What the role of a build needs for that."""
        through = {"StringEquals": {"kms:ViaService": f"secretsmanager.{stack.region}.amazonaws.com"}}
        keys = stack.format_arn(service="kms", resource="key", resource_name="*")  # whichever the secret is encrypted with
        named = {f"{name}-??????" for name in self.secrets.values()}  # Secrets Manager adds six characters of its own
        arns = [
            stack.format_arn(service="secretsmanager", resource="secret", resource_name=name, arn_format=ArnFormat.COLON_RESOURCE_NAME)
            for name in sorted(named)
        ]
        read = [
            iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=arns),
            iam.PolicyStatement(actions=["kms:Decrypt"], resources=[keys], conditions=through),
        ]
        return [*(self.vpc[1].for_builds(stack) if self.vpc else []), *(read if self.secrets else [])]
