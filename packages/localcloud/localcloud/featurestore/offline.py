"""The offline store of a group: every record that was ever written, in Parquet files in S3, by the hour of its event time.

Layout and added columns are those of the developer guide ("Amazon SageMaker Feature Store offline store data format"): records are gathered
and written some minutes after they came, as the group's role.
"""

from __future__ import annotations

import io
import secrets
import string
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import BotoCoreError, ClientError

from localcloud.core import clock
from localcloud.core.cloud import cloud
from localcloud.featurestore.records import Record, typed
from localcloud.sagemaker.records import reason
from localcloud.sagemaker.s3_files import split

DELAY = 300.0  # of AWS's seconds, which promises fifteen minutes
MOST = 50_000  # records that are gathered before they are written at once
TYPES = {"Integral": pa.int64(), "Fractional": pa.float64(), "String": pa.string()}
MOMENT = pa.timestamp("ms", tz="UTC")
ADDED = {"write_time": MOMENT, "api_invocation_time": MOMENT, "is_deleted": pa.bool_()}
ALPHABET = string.ascii_letters + string.digits


@dataclass(frozen=True, kw_only=True)
class Row:
    """A record as it is to be written: `at` is its event time and `came` when it came, in seconds since 1970."""

    record: Record
    at: float
    came: float
    deleted: bool


class OfflineStore:
    """The files of one group under `uri`, written by `role`, encrypted by the key where there is one. `kinds` has the features' types."""

    def __init__(self, *, uri: str, role: str, region: str, key: str | None, kinds: Mapping[str, str]) -> None:
        self.uri, self._role, self._region, self._key, self._kinds = uri, role, region, key, kinds
        self._lock, self._rows = threading.Lock(), list[Row]()
        self.blocked = ""  # why the last writing failed

    def put(self, record: Record, at: float, *, deleted: bool = False) -> None:
        """Have a record written soon."""
        with self._lock:
            self._rows.append(Row(record=record, at=at, came=time.time(), deleted=deleted))
            first, full = len(self._rows) == 1, len(self._rows) >= MOST
        if full:
            self.write()
        elif first:
            clock.at(("offline store", self.uri), time.time() + DELAY / cloud().speed, self.write)

    def write(self) -> None:
        """Write what was gathered. What cannot be written is kept, and tried again."""
        clock.drop(("offline store", self.uri))
        with self._lock:
            rows, self._rows = self._rows, []
        hours: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            hours[f"{datetime.fromtimestamp(row.at, UTC):year=%Y/month=%m/day=%d/hour=%H}"].append(row)
        try:
            for hour in sorted(hours):
                self._write(hour, hours[hour])
                del hours[hour]
            self.blocked = ""
        except (ClientError, BotoCoreError) as problem:
            self.blocked = reason(problem)
            with self._lock:
                self._rows = [*(row for left in hours.values() for row in left), *self._rows]
            clock.at(("offline store", self.uri), time.time() + DELAY / cloud().speed, self.write)

    def _write(self, hour: str, rows: list[Row]) -> None:
        newest = datetime.fromtimestamp(max(row.at for row in rows), UTC)
        name = f"{newest:%Y%m%dT%H%M%SZ}_{''.join(secrets.choice(ALPHABET) for _ in range(16))}.parquet"
        bucket, key = split(f"{self.uri}/{hour}/{name}")
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self._key} if self._key else {}
        s3: Any = cloud().client("s3", role_arn=self._role, region=self._region)
        s3.put_object(Bucket=bucket, Key=key, Body=self._parquet(rows), **encryption)

    def _parquet(self, rows: list[Row]) -> bytes:
        columns = {
            name: pa.array([typed(row.record.get(name), kind) for row in rows], TYPES[kind]) for name, kind in dict(self._kinds).items()
        }
        now = datetime.now(UTC)
        added = {
            "write_time": [now] * len(rows),
            "api_invocation_time": [datetime.fromtimestamp(row.came, UTC) for row in rows],
            "is_deleted": [row.deleted for row in rows],
        }
        columns |= {name: pa.array(values, ADDED[name]) for name, values in added.items()}
        file = io.BytesIO()
        pq.write_table(pa.table(columns), file)
        return file.getvalue()
