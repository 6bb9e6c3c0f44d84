"""The feature groups of one account: what an offline store is written to, who writes and reads it, and the groups of `feature_groups/`.

Models are trained on those of the toolchain's account, and endpoints ask those of their own: so every account has all of them, by the same
names. A group's name, identifier, event time and the types of its features never change in place: CloudFormation refuses to replace what
has a name, and says so. Features that are new are added. What the offline store has stays when a group or the stack goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aws_cdk import Environment, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

import naming
from config import Account, Config
from paved_runtime.feature_groups import FeatureGroup
from pipelines import tags
from stacks import facts
from stacks.constructs.feature_group import OnlineAndOffline
from stacks.constructs.key import Key
from stacks.constructs.service_role import ServiceRole
from stacks.constructs.store import Store
from stacks.permissions import allow

KEY = "key"  # what it tells


class Features(Stack):
    """One account's."""

    def __init__(self, scope: Construct, name: str, *, config: Config, account: Account, groups: Sequence[FeatureGroup]) -> None:
        place = Environment(account=account.id, region=account.region)
        super().__init__(scope, name, env=place, tags=tags.of(config), termination_protection=True)
        key = Key(self, "Key", description="Features that are kept for training")
        logs = config.access_logs_of(account)
        store = Store(self, "Store", key=key, bucket_name=naming.features_bucket(config, account), logs=logs)
        writer = self._writer(store, key)
        for group in groups:
            OnlineAndOffline(
                self,
                f"Group-{group.name}",
                group_name=naming.feature_group(config, group.name),
                description=group.description,
                identifier=group.record_identifier,
                event_time=group.event_time,
                definitions=group.definitions,
                online=group.online,
                offline=naming.offline_store(config, account, group.name),
                key=key,
                writer=writer,
            )
        if account.id != config.toolchain.id:
            self._people(config, store, key, groups)
        facts.tell(self, {KEY: key.key_arn}, lambda fact: naming.features_parameter(config, fact))

    def _writer(self, store: Store, key: Key) -> ServiceRole:
        """As SageMaker writes the offline store: what AmazonSageMakerFeatureStoreAccess has of S3, on this bucket alone."""
        offline = f"{naming.OFFLINE_STORE}/*"
        return ServiceRole(
            self,
            "Writer",
            service="sagemaker.amazonaws.com",
            description="Writes the offline store of feature groups",
            statements=[
                allow("s3:PutObject", "s3:PutObjectAcl", on=[store.arn_for_objects(offline)]),
                allow("s3:GetObject", on=[store.arn_for_objects(f"{offline}/metadata/*")]),
                allow("s3:GetBucketAcl", on=[store.bucket_arn]),
                allow("kms:Decrypt", "kms:GenerateDataKey", on=[key.key_arn]),
            ],
        )

    def _people(self, config: Config, store: Store, key: Key, groups: Sequence[FeatureGroup]) -> None:
        """The role for who has credentials of the toolchain's account, which says there who may take it, as with the bootstrap's roles."""
        iam.Role(
            self,
            "People",
            role_name=naming.features_role(config),
            description="Puts records into feature groups and reads their offline store",
            assumed_by=iam.AccountPrincipal(config.toolchain.id),
            inline_policies={
                "inline": iam.PolicyDocument(
                    statements=[
                        allow(
                            "sagemaker:DescribeFeatureGroup",
                            "sagemaker:PutRecord",
                            on=[group_arn(self, config, group.name) for group in groups],
                        ),
                        *offline_reading(store.bucket_arn, key.key_arn, f"{naming.OFFLINE_STORE}/*"),
                    ]
                )
            },
        )


def group_arn(stack: Stack, config: Config, group: str) -> str:
    """The ARN of a group in the stack's own account."""
    return stack.format_arn(service="sagemaker", resource="feature-group", resource_name=naming.feature_group(config, group))


def for_reading(stack: Stack, config: Config, account: Account, groups: Iterable[str]) -> list[iam.PolicyStatement]:
    """Read the offline store of some groups of the stack's account, whose key is found when the stack is deployed."""
    folders = [f"{naming.OFFLINE_STORE}/{group}/*" for group in groups]
    if not folders:
        return []
    bucket = stack.format_arn(service="s3", region="", account="", resource=naming.features_bucket(config, account))
    key = facts.find(stack, f"{naming.FEATURES}-{KEY}", naming.features_parameter(config, KEY))
    return offline_reading(bucket, key, *folders)


def for_comparing(stack: Stack, config: Config, account: Account, groups: Iterable[str]) -> list[iam.PolicyStatement]:
    """Look at groups in the stack's account: how new their records are, and whether they are the same online and offline."""
    names = list(groups)
    if not names:
        return []
    arns = [group_arn(stack, config, group) for group in names]
    return [allow("sagemaker:BatchGetRecord", "sagemaker:DescribeFeatureGroup", on=arns), *for_reading(stack, config, account, names)]


def offline_reading(bucket: str, key: str, *objects: str) -> list[iam.PolicyStatement]:
    """Read what a bucket has of offline stores, in objects whose key is like one of `objects`; the others are ARNs."""
    return [
        allow("s3:GetObject", on=[f"{bucket}/{each}" for each in objects]),
        allow("s3:GetBucketLocation", "s3:ListBucket", on=[bucket]),
        allow("kms:Decrypt", on=[key]),
    ]
