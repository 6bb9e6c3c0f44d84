"""What retraining controllers decided, in a model's artifacts bucket.

Under `retraining/`, `started/<number>.json` is a retraining that began, `suppressed/<time>-<execution>.json` one that did not. A number can
be taken once, by one controller: S3 writes it only where there is nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

import naming
from pipelines.deployment.errors import code
from pipelines.deployment.retraining.policy import Started
from pipelines.evidence import document

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

STARTED, SUPPRESSED = f"{naming.RETRAINING}/started/", f"{naming.RETRAINING}/suppressed/"
REMEMBERED = 50  # retrainings that are looked at; more cannot begin in a week
LOST = ("PreconditionFailed", "ConditionalRequestConflict")


class Records:
    """The records in a bucket."""

    def __init__(self, s3: S3Client, bucket: str) -> None:
        self._s3, self._bucket = s3, bucket

    def started(self) -> list[Started]:
        """The newest retrainings, oldest first."""
        return [Started(**self._read(key)) for key in self._keys(STARTED)[-REMEMBERED:]]

    def claim(self, retraining: Started) -> bool:
        """Take the number, unless another controller has it."""
        return self._add(_key(retraining), asdict(retraining))

    def fill(self, retraining: Started) -> None:
        """Say which execution it became."""
        self._s3.put_object(Bucket=self._bucket, Key=_key(retraining), Body=_bytes(asdict(retraining)), ContentType="application/json")

    def suppressed(self, controller: str, *, since: datetime) -> dict[str, Any] | None:
        """What this controller held back; None when it held back nothing."""
        keys = [key for key in self._keys(SUPPRESSED, after=SUPPRESSED + _stamp(since)) if key.endswith(f"-{controller}.json")]
        return self._read(keys[0]) if keys else None

    def held_back(self, *, since: datetime) -> list[dict[str, Any]]:
        """What any controller held back since then, oldest first."""
        return [self._read(key) for key in self._keys(SUPPRESSED, after=SUPPRESSED + _stamp(since))]

    def suppress(self, time: datetime, controller: str, content: Mapping[str, Any]) -> None:
        """Keep why nothing was started."""
        key = f"{SUPPRESSED}{_stamp(time)}-{controller}.json"
        self._add(key, {"time": document.utc(time), "controller": controller, **content})

    def _keys(self, prefix: str, after: str = "") -> list[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix, StartAfter=after)
        return sorted(entry["Key"] for page in pages for entry in page.get("Contents", []))

    def _read(self, key: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read())
        return content

    def _add(self, key: str, content: Mapping[str, Any]) -> bool:
        try:
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=_bytes(content), ContentType="application/json", IfNoneMatch="*")
        except ClientError as error:
            if code(error) not in LOST:
                raise
            return False
        return True


def _key(retraining: Started) -> str:
    return f"{STARTED}{retraining.number:06d}.json"


def _stamp(time: datetime) -> str:
    """A time that sorts, as part of a key."""
    return document.utc(time).replace("-", "").replace(":", "")


def _bytes(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=1, sort_keys=True).encode()
