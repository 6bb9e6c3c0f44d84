"""A bucket as every room needs it: encrypted with our key, versioned, private, reached over TLS only."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct


class Store(s3.Bucket):
    """Kept when its stack goes: data sets, models and captured requests are evidence, and a full bucket cannot be deleted anyway.

    `expire_days`: objects older than this are removed, all of them or those in `folders`; without it they stay for ever. Replaced and
    deleted ones stay 90 days more, except in `folders`, where they are gone the day after: it is people's data that lies there.
    `lockable`: whoever stores an object may have S3 keep it for a time (object lock); the others stay as they are. `logs` is the name of
    the bucket that gets the access logs, in a folder of the stack's.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        key: kms.IKey,
        bucket_name: str | None = None,
        expire_days: int | None = None,
        folders: Sequence[str] = (),
        lockable: bool = False,
        logs: str | None = None,
    ) -> None:
        days = Duration.days(expire_days) if expire_days else None
        super().__init__(
            scope,
            name,
            bucket_name=bucket_name,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=key,
            bucket_key_enabled=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            versioned=True,
            object_lock_enabled=lockable or None,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
            lifecycle_rules=[
                s3.LifecycleRule(
                    expiration=None if folders else days,
                    noncurrent_version_expiration=Duration.days(90),
                    abort_incomplete_multipart_upload_after=Duration.days(7),
                ),
                *(
                    s3.LifecycleRule(prefix=f"{folder}/", expiration=days, noncurrent_version_expiration=Duration.days(1))
                    for folder in folders
                ),
            ],
        )
        if logs:
            to = s3.CfnBucket.LoggingConfigurationProperty(
                destination_bucket_name=logs, log_file_prefix=f"{Stack.of(self).stack_name}/{name}/"
            )
            _resource(self).logging_configuration = to

    def readable_by(self, principal: iam.IPrincipal, *objects: str) -> None:
        """Let a principal of another account read the objects whose key is like one of `objects`, and list all."""
        resources = [self.arn_for_objects(each) for each in objects]
        self.add_to_resource_policy(iam.PolicyStatement(principals=[principal], actions=["s3:GetObject"], resources=resources))
        self.add_to_resource_policy(iam.PolicyStatement(principals=[principal], actions=["s3:ListBucket"], resources=[self.bucket_arn]))


def announces(store: Store) -> None:
    """Have a bucket tell EventBridge of what is put into it. CDK's own way there is a custom resource with a Lambda function."""
    _resource(store).notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
        event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(event_bridge_enabled=True)
    )


def _resource(store: Store) -> s3.CfnBucket:
    bucket = store.node.default_child
    assert isinstance(bucket, s3.CfnBucket)
    return bucket
