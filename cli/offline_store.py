"""A group's offline store: Parquet files in S3, by the hour of their records' event times.

Layout and columns are those of the SageMaker guide, "Amazon SageMaker Feature Store offline store data format". Records come here within
fifteen minutes after they were put ("Data sources and ingestion").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from cli import feature_sql
from cli.feature_sql import quoted
from paved_runtime.as_of import QUIET
from paved_runtime.feature_groups import FeatureGroup

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

HOUR = re.compile(r"year=(\d{4})/month=(\d\d)/day=(\d\d)/hour=(\d\d)/")
AT_ONCE = 16  # files that are brought
LAG = "what was put in the last fifteen minutes may not be in the offline store yet"


@dataclass(frozen=True, kw_only=True)
class OfflineStore:
    """The files below `uri`."""

    s3: S3Client
    uri: str

    @staticmethod
    def of(s3: S3Client, described: dict[str, Any]) -> OfflineStore:
        """That of a group, as SageMaker describes it."""
        return OfflineStore(s3=s3, uri=described["OfflineStoreConfig"]["S3StorageConfig"]["ResolvedOutputS3Uri"].rstrip("/"))

    def bring(self, folder: Path, first: datetime | None = None, last: datetime | None = None) -> int:
        """Copy the files to `folder`, of the hours from that of `first` to that of `last` where they are given; how many there are."""
        keys = [key for hour, key in self._files() if not (first and hour < _hour(first)) and not (last and hour > last)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(self._copy, keys, (folder / f"{number}.parquet" for number in range(len(keys)))))
        return len(keys)

    def newest(self, group: FeatureGroup) -> datetime | None:
        """The newest event time of a record that was not deleted; None where there is none."""
        for hour in sorted({hour for hour, _ in self._files()}, reverse=True):
            with TemporaryDirectory() as folder:
                self.bring(Path(folder), hour, hour)
                newest = f"SELECT max({quoted(group.event_time)}::TIMESTAMPTZ) FROM {files(Path(folder))} WHERE NOT is_deleted"
                with feature_sql.load().connect(config=QUIET) as connection:
                    (found,) = connection.execute(f"SET TimeZone = 'UTC'; SELECT epoch_ms(({newest}))").fetchone()
            if found is not None:
                return datetime.fromtimestamp(found / 1000, UTC)
        return None

    def _files(self) -> Iterator[tuple[datetime, str]]:
        bucket, prefix = self._place()
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/"):
            for entry in page.get("Contents", []):
                if entry["Key"].endswith(".parquet") and (hour := HOUR.search(entry["Key"])):
                    year, month, day, at = map(int, hour.groups())
                    yield datetime(year, month, day, at, tzinfo=UTC), entry["Key"]

    def _copy(self, key: str, file: Path) -> None:
        self.s3.download_file(self._place()[0], key, str(file))

    def _place(self) -> tuple[str, str]:
        bucket, _, prefix = self.uri.removeprefix("s3://").partition("/")
        return bucket, prefix


def files(folder: Path) -> str:
    """The relation of all files in a folder, whose groups may have got features in the meantime."""
    return f"read_parquet({feature_sql.text(str(folder / '*.parquet'))}, union_by_name = true, hive_partitioning = false)"


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
