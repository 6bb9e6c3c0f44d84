"""Where the feature groups of an account keep their records: what a run that is trained on them is told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

import naming
from config import Config
from pipelines.deployment.errors import DeploymentError, code

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient


def stores(sagemaker: SageMakerClient, config: Config, groups: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Of each group, what containers are told of it (`paved_runtime.online_store.Group`), by what SageMaker says of it. `offline_store` is
    the S3 URI below which its Parquet files are (API DescribeFeatureGroup, ResolvedOutputS3Uri).

    Raises:
        DeploymentError: a group is not there, takes no records yet, or its offline store cannot be written.
    """
    return {group: _store(sagemaker, naming.feature_group(config, group)) for group in groups}


def _store(sagemaker: SageMakerClient, name: str) -> dict[str, Any]:
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
    return {
        "feature_group_name": name,
        "identifier": described["RecordIdentifierFeatureName"],
        "event_time": described["EventTimeFeatureName"],
        "online": described.get("OnlineStoreConfig", {}).get("EnableOnlineStore", False),
        "offline_store": described["OfflineStoreConfig"]["S3StorageConfig"]["ResolvedOutputS3Uri"],
    }
