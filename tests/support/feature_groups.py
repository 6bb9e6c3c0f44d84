"""The frozen feature group, others with another SQL, source files of it, and its groups in accounts of a cloud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config as ClientConfig

import naming
from cli.feature_places import Place
from cli.offline_store import OfflineStore
from config import Account
from localcloud.featurestore import groups
from localcloud.testing.in_process import Aws
from localcloud.testing.waiting import until
from paved_runtime import feature_groups
from paved_runtime.feature_groups import FeatureGroup
from tests.reference import CONFIG, ROOT

GROUPS = ROOT / "packages/runtime/tests/feature_groups"
GROUP = "customer_activity"
HEADER = "customer_id,day,balance,visits,segment"
ROWS = ("007,2026-01-01,1.5,2,gold", "007,2026-01-03,2.5,1,unknown", '8,2026-01-03,,0,"a, b"')
MADE = [
    ("007", "2026-01-02T00:00:00Z", 1.5, 2, "gold"),
    ("007", "2026-01-04T00:00:00Z", 2.0, 3, None),
    ("8", "2026-01-04T00:00:00Z", None, 0, "a, b"),
]


def group() -> FeatureGroup:
    """The frozen group."""
    return feature_groups.load(GROUP, GROUPS)


def with_sql(folder: Path, sql: str) -> Path:
    """A folder of groups, in which the frozen one has another SQL."""
    home = folder / "feature_groups" / GROUP
    home.mkdir(parents=True, exist_ok=True)
    (home / "group.toml").write_bytes((GROUPS / GROUP / "group.toml").read_bytes())
    (home / "features.sql").write_text(sql)
    return folder / "feature_groups"


def source(folder: Path, rows: Sequence[str] = ROWS, *, name: str = "visits.csv", header: str = HEADER) -> Path:
    """A source file."""
    file = folder / name
    file.write_text("\n".join([header, *rows, ""]))
    return file


def values(answer: Mapping[str, Any]) -> dict[str, str]:
    """The features of a record."""
    return {each["FeatureName"]: each["ValueAsString"] for each in answer.get("Record", [])}


def place(aws: Aws, account: Account, name: str) -> Place:
    """An account of the cloud."""

    def clients(service: str, /, *, config: ClientConfig | None = None) -> Any:  # noqa: ARG001 - the cloud's clients never try again
        return aws.client(service, account.id)

    return Place(name, account, clients)


@pytest.fixture(scope="session")
def places(aws: Aws) -> list[Place]:
    """The toolchain's account and that of staging, each with the frozen group."""
    return [_deployed(aws, CONFIG.toolchain, naming.TOOLCHAIN), _deployed(aws, CONFIG.environments[0].account, "staging")]


def _deployed(aws: Aws, account: Account, name: str) -> Place:
    made, declared = place(aws, account, name), group()
    bucket, its_name = naming.features_bucket(CONFIG, account), naming.feature_group(CONFIG, GROUP)
    aws.create_bucket(bucket, account.id)
    sagemaker: Any = made.clients("sagemaker")
    sagemaker.create_feature_group(
        FeatureGroupName=its_name,
        RecordIdentifierFeatureName=declared.record_identifier,
        EventTimeFeatureName=declared.event_time,
        FeatureDefinitions=[{"FeatureName": feature, "FeatureType": kind} for feature, kind in declared.definitions.items()],
        OnlineStoreConfig={"EnableOnlineStore": True},
        OfflineStoreConfig={"S3StorageConfig": {"S3Uri": naming.offline_store(CONFIG, account, GROUP)}, "DisableGlueTableCreation": True},
        RoleArn=aws.worker(account=account.id),
    )
    until(lambda: sagemaker.describe_feature_group(FeatureGroupName=its_name)["FeatureGroupStatus"] == "Created")
    return made


def written(aws: Aws, place: Place) -> OfflineStore:
    """The offline store of a place's group, to which all that was put is written now."""
    store = groups.find(place.account.id, aws.region, naming.feature_group(CONFIG, GROUP))
    assert store is not None
    assert store.offline is not None
    store.offline.write()
    return OfflineStore.of(place.s3, store.describe())
