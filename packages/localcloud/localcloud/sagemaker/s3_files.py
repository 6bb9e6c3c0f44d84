"""Files that go to and come from S3."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from localcloud.core.cloud import IN_THIS_THREAD
from localcloud.core.errors import invalid


def download(s3: Any, uri: str, folder: Path, part: tuple[int, int] = (0, 1)) -> int:
    """Copy the objects under an S3 prefix, or the one object, into `folder`; returns how many there were.

    `part` (place, of how many) takes every so many-th object only.
    """
    bucket, prefix = split(uri)
    base = prefix if prefix.endswith("/") or not prefix else f"{prefix}/"
    count = 0
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for listed in page.get("Contents", []):
            key = listed["Key"]
            if key.endswith("/"):
                continue
            target = folder / (key.removeprefix(base) if key.startswith(base) else key[len(prefix.rpartition("/")[0]) :].lstrip("/"))
            if not target.resolve().is_relative_to(folder.resolve()):
                raise invalid(f"s3://{bucket}/{key} would be written outside its folder")
            target.parent.mkdir(parents=True, exist_ok=True)
            if count % part[1] == part[0]:
                s3.download_file(bucket, key, str(target), Config=IN_THIS_THREAD)
            count += 1
    return count


def upload(s3: Any, file: Path, uri: str, kms_key: str | None) -> None:
    """Copy a file to an S3 URI, encrypted with the key when one is given."""
    bucket, key = split(uri)
    extra = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else None
    s3.upload_file(str(file), bucket, key, ExtraArgs=extra, Config=IN_THIS_THREAD)


def split(uri: str) -> tuple[str, str]:
    """`s3://bucket/key` as bucket and key."""
    parts = urlparse(uri)
    if parts.scheme != "s3" or not parts.netloc:
        raise invalid(f"{uri} is not an S3 URI")
    return parts.netloc, parts.path.lstrip("/")
