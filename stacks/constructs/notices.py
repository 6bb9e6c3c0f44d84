"""A topic that tells people by mail: approvals that wait, executions that failed, alarms that go into ALARM."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from stacks.constructs.key import for_account


class Notices(sns.Topic):
    """Encrypted, TLS only. `publishers` are services that may publish; they also need the key (see `Key.services`)."""

    def __init__(self, scope: Construct, name: str, *, key: kms.IKey, addresses: Sequence[str], publishers: Sequence[str] = ()) -> None:
        super().__init__(scope, name, master_key=key, enforce_ssl=True)
        for number, address in enumerate(dict.fromkeys(addresses), start=1):
            sns.Subscription(self, f"Mail{number}", topic=self, protocol=sns.SubscriptionProtocol.EMAIL, endpoint=address)
        for service in publishers:
            self.add_to_resource_policy(
                iam.PolicyStatement(
                    principals=[iam.ServicePrincipal(service)],
                    actions=["sns:Publish"],
                    resources=[self.topic_arn],
                    conditions=for_account(self, service),
                )
            )
