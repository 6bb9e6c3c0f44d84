"""Files that go to and come from S3."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from localcloud.core.cloud import IN_THIS_THREAD
from localcloud.core.errors import invalid

Object = tuple[str, str, str]  # bucket, key, and how it is called below the prefix by which it was found


def objects(s3: Any, uri: str) -> Iterator[Object]:
    """The objects under an S3 prefix, or the one object, in the order of their keys."""
    bucket, prefix = split(uri)
    base = prefix if prefix.endswith("/") or not prefix else f"{prefix}/"
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for key in (listed["Key"] for listed in page.get("Contents", [])):
            if not key.endswith("/"):
                below = key.removeprefix(base) if key.startswith(base) else key[len(prefix.rpartition("/")[0]) :].lstrip("/")
                yield bucket, key, below


def manifest(s3: Any, uri: str) -> Iterator[Object]:
    """The objects that a manifest names: `[{"prefix": "s3://bucket/folder/"}, "name", …]` (SageMaker API, TransformS3DataSource)."""
    bucket, key = split(uri)
    try:
        first, *names = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        where, prefix = split(first["prefix"])
        wanted = [(where, f"{prefix}{name}", name) for name in names]
    except (ValueError, TypeError, KeyError) as problem:
        raise invalid(f'{uri} is no manifest: accepted is [{{"prefix": "s3://…"}}, "name", …], found {problem}') from problem
    yield from wanted


def download(s3: Any, uri: str, folder: Path, part: tuple[int, int] = (0, 1)) -> int:
    """Copy the objects under an S3 prefix, or the one object, into `folder`; returns how many there were.

    `part` (place, of how many) takes every so many-th object only.
    """
    count = 0
    for bucket, key, below in objects(s3, uri):
        target = folder / below
        if not target.resolve().is_relative_to(folder.resolve()):
            raise invalid(f"s3://{bucket}/{key} would be written outside its folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        if count % part[1] == part[0]:
            s3.download_file(bucket, key, str(target), Config=IN_THIS_THREAD)
        count += 1
    return count


def upload(s3: Any, file: Path, uri: str, kms_key: str | None) -> None:
    """Copy a file to an S3 URI, encrypted with the key when one is given. Raises ClientError, with S3's own words."""
    bucket, key = split(uri)
    extra = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else None
    with file.open("rb") as body:
        s3.upload_fileobj(body, bucket, key, ExtraArgs=extra, Config=IN_THIS_THREAD)


def split(uri: str) -> tuple[str, str]:
    """`s3://bucket/key` as bucket and key."""
    parts = urlparse(uri)
    if parts.scheme != "s3" or not parts.netloc:
        raise invalid(f"{uri} is not an S3 URI")
    return parts.netloc, parts.path.lstrip("/")
