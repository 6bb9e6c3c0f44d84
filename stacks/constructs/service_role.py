"""A role that a service of this account takes, whose whole policy is written inside it.

An inline policy exists as soon as the role does; SageMaker checks a role's rights the moment a model is created,
and a separate policy resource may come too late for that.
"""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct


class ServiceRole(iam.Role):
    """`service` (such as `sagemaker.amazonaws.com`) may take it on behalf of this account only."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        service: str,
        description: str,
        statements: Sequence[iam.PolicyStatement],
        role_name: str | None = None,
    ) -> None:
        super().__init__(
            scope,
            name,
            role_name=role_name,
            description=description,
            assumed_by=iam.ServicePrincipal(service, conditions={"StringEquals": {"aws:SourceAccount": Stack.of(scope).account}}),
            inline_policies={"inline": iam.PolicyDocument(statements=list(statements))},
        )
