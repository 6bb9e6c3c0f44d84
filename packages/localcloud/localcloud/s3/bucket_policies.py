"""Bucket policies that S3 does not take: malformed, about somebody who does not exist, or over 20 KB ("Bucket policies" in its guide)."""

from __future__ import annotations

from typing import Any

from moto.s3.exceptions import S3ClientError
from moto.s3.models import S3Backend

from localcloud.iam import documents

LARGEST = 20 * 1024  # bytes

_put = S3Backend.put_bucket_policy


class MalformedPolicy(S3ClientError):
    """A policy that is not taken; the message says why."""

    def __init__(self, why: str) -> None:
        super().__init__("MalformedPolicy", why)


def install() -> None:
    """Look at policies before a bucket has them."""
    S3Backend.put_bucket_policy = put_bucket_policy  # type: ignore[method-assign]


def put_bucket_policy(self: Any, bucket_name: str, policy: bytes) -> None:
    if words := documents.malformed_on_resource(policy):
        raise MalformedPolicy(words)
    if len(policy) > LARGEST:
        raise MalformedPolicy("Policy exceeds the maximum allowed document size.")
    _put(self, bucket_name, policy)
