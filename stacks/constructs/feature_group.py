"""A group of SageMaker Feature Store: what of it can be looked up one by one, and what is kept in S3."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct


class OnlineAndOffline(sagemaker.CfnFeatureGroup):
    """`definitions` are its features with SageMaker's types, in order; `writer` writes the offline store below the S3 URI `offline`.

    No Glue table is made: the files are read as they are. What is online is encrypted by a key that AWS owns, as SageMaker does without
    another: with ours, everything that reads a record would need it, too (SageMaker guide, "Security and access control").
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        group_name: str,
        description: str,
        identifier: str,
        event_time: str,
        definitions: Mapping[str, str],
        online: bool,
        offline: str,
        key: kms.IKey,
        writer: iam.IRole,
    ) -> None:
        super().__init__(
            scope,
            name,
            feature_group_name=group_name,
            description=description,
            record_identifier_feature_name=identifier,
            event_time_feature_name=event_time,
            feature_definitions=[
                sagemaker.CfnFeatureGroup.FeatureDefinitionProperty(feature_name=feature, feature_type=kind)
                for feature, kind in definitions.items()
            ],
            online_store_config={"EnableOnlineStore": True} if online else None,
            offline_store_config={
                "S3StorageConfig": {"S3Uri": offline, "KmsKeyId": key.key_arn},
                "DisableGlueTableCreation": True,
            },
            role_arn=writer.role_arn,
        )
        self.node.add_dependency(writer)
