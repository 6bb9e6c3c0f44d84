"""Where the feature groups of an account keep their records, and how old the newest of them is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

import naming
from config import Config
from paved_runtime.feature_groups import FeatureGroup
from pipelines.deployment.errors import DeploymentError, code
from pipelines.deployment.live_gates import at_most
from pipelines.evidence.document import Verdict

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

FRESHNESS, PARITY = "feature freshness", "feature parity"  # gates
HOURS = 4  # folders below one another: year, month, day and hour of the event time
NEWEST = re.compile(r"(\d{8}T\d{6}Z)_\w+\.parquet")
STALE = "see ./road features, and put what is newer; or raise freshness_hours in group.toml"


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


def freshness(groups: Iterable[FeatureGroup], stores: Mapping[str, Mapping[str, Any]], s3: S3Client, now: datetime) -> list[Verdict]:
    """Whether the newest event of each group is as new as its declaration asks for, by the files of its offline store: what was put in the
    last fifteen minutes may not be among them. `stores` says where they are.
    """
    return [_fresh(group, newest_event(s3, stores[group.name]["offline_store"]), now) for group in groups]


def _fresh(group: FeatureGroup, newest: datetime | None, now: datetime) -> Verdict:
    hours = (now - newest).total_seconds() / 3600 if newest else "no record"
    return at_most(FRESHNESS, f"hours since the newest event of {group.name}", hours, group.freshness_hours, STALE)


def newest_event(s3: S3Client, uri: str) -> datetime | None:
    """The time of the newest event in an offline store; None where it has no record."""
    names = (key.rpartition("/")[2] for key in newest_files(s3, uri))
    times = [datetime.strptime(named[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) for name in names if (named := NEWEST.fullmatch(name))]
    return max(times, default=None)


def newest_files(s3: S3Client, uri: str) -> list[str]:
    """The keys of the files with the events of the newest hour; none where the store has no record.

    Files lie in folders by the hour of their events and are named after the newest one (SageMaker guide, "Amazon SageMaker Feature Store
    offline store data format"), so a few listings tell.
    """
    bucket, prefix = place(uri)
    for _ in range(HOURS):
        prefix = max(_folders(s3, bucket, prefix), default="")
        if not prefix:
            return []
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [each["Key"] for page in pages for each in page.get("Contents", [])]


def place(uri: str) -> tuple[str, str]:
    """The bucket of an offline store, and the folder in it."""
    bucket, _, folder = uri.removeprefix("s3://").rstrip("/").partition("/")
    return bucket, f"{folder}/"


def _folders(s3: S3Client, bucket: str, prefix: str) -> Iterator[str]:
    """The folders of a time, which sort as times do."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/"):
        yield from (each["Prefix"] for each in page.get("CommonPrefixes", []) if "=" in each["Prefix"].removeprefix(prefix))
