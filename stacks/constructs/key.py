"""A KMS key of our own for what a stack keeps, with the few services and foreign roles that may use it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

ALARMS, EVENTS = "cloudwatch.amazonaws.com", "events.amazonaws.com"  # who sends alarms, and who sends events


def for_account(scope: Construct, service: str) -> dict[str, Any] | None:
    """The condition that a service acts for the scope's account. None for EventBridge: it is not supported where that publishes to an
    encrypted topic (SNS Developer Guide, "Managing Amazon SNS encryption keys and costs").
    """
    return None if service == EVENTS else {"StringEquals": {"aws:SourceAccount": Stack.of(scope).account}}


class Key(kms.Key):
    """Rotates every year. Kept when its stack goes: what it encrypted may be kept too.

    Roles of its own account get the use of it by their own policies; `services` (such as `cloudwatch.amazonaws.com`)
    and roles of other accounts must be let in here.
    """

    def __init__(self, scope: Construct, name: str, *, description: str, services: Sequence[str] = ()) -> None:
        super().__init__(
            scope, name, description=description, enable_key_rotation=True, removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
        )
        for service in services:
            self.add_to_resource_policy(
                iam.PolicyStatement(
                    principals=[iam.ServicePrincipal(service)],
                    actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                    resources=["*"],
                    conditions=for_account(self, service),
                )
            )

    def encrypts_logs(self) -> None:
        """Let CloudWatch Logs encrypt log groups of this account ("Encrypt log data in CloudWatch Logs using KMS")."""
        stack = Stack.of(self)
        groups = stack.format_arn(service="logs", resource="log-group:*")
        self.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")],
                actions=["kms:Decrypt*", "kms:Describe*", "kms:Encrypt*", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
                resources=["*"],
                conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
            )
        )

    def decryptable_by(self, principal: iam.IPrincipal) -> None:
        """Let a principal of another account decrypt. Its own policy must allow it too."""
        self.add_to_resource_policy(
            iam.PolicyStatement(principals=[principal], actions=["kms:Decrypt", "kms:DescribeKey"], resources=["*"])
        )
