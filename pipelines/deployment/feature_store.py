"""Where the feature groups of an account keep their records: what a run that is trained on them is told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

import naming
from config import Config
from pipelines.deployment.errors import DeploymentError, code

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient


def offline_stores(sagemaker: SageMakerClient, config: Config, groups: Iterable[str]) -> dict[str, str]:
    """Group → `s3://…`, below which the Parquet files of its offline store are (API DescribeFeatureGroup, ResolvedOutputS3Uri).

    Raises:
        DeploymentError: a group is not there, takes no records yet, or its offline store cannot be written.
    """
    return {group: _offline_store(sagemaker, naming.feature_group(config, group)) for group in groups}


def _offline_store(sagemaker: SageMakerClient, name: str) -> str:
    try:
        described = sagemaker.describe_feature_group(FeatureGroupName=name)
    except ClientError as error:
        if code(error) not in ("ResourceNotFound", "ResourceNotFoundException"):
            raise
        raise DeploymentError(f"feature group {name}: it is not deployed: push it and wait for the platform's pipeline") from error
    if (status := described["FeatureGroupStatus"]) != "Created":
        raise DeploymentError(f"feature group {name}: it is {status}: wait until it is Created")
    if (offline := described.get("OfflineStoreStatus", {})).get("Status") == "Blocked":
        raise DeploymentError(f"feature group {name}: its offline store cannot be written: {offline.get('BlockedReason', 'no reason')}")
    return described["OfflineStoreConfig"]["S3StorageConfig"]["ResolvedOutputS3Uri"]
