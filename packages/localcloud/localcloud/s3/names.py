"""The names that buckets may have: "General purpose bucket naming rules" in S3's user guide. moto looks at their length alone."""

from __future__ import annotations

import re
from typing import Any

from moto.s3.exceptions import InvalidBucketName
from moto.s3.models import S3Backend

NAME = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9]([a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]")
BEGINNINGS, ENDS = ("xn--", "sthree-", "amzn-s3-demo-"), ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")  # of other names

_create = S3Backend.create_bucket


def install() -> None:
    """Look at names before a bucket is created."""
    S3Backend.create_bucket = create_bucket  # type: ignore[method-assign]


def create_bucket(self: Any, bucket_name: str, *rest: Any, **more: Any) -> Any:
    if not NAME.fullmatch(bucket_name) or bucket_name.startswith(BEGINNINGS) or bucket_name.endswith(ENDS):
        raise InvalidBucketName()
    return _create(self, bucket_name, *rest, **more)
