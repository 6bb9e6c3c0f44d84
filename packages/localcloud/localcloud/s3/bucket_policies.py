"""Bucket policies that S3 does not take: malformed, about somebody who does not exist, or over 20 KB ("Bucket policies" in its guide).

One that it takes is in force everywhere only after a while.
"""

from __future__ import annotations

from typing import Any

from moto.s3.exceptions import S3ClientError
from moto.s3.models import S3Backend, s3_backends

from localcloud.core.cloud import PARTITION
from localcloud.core.late_reads import Kind
from localcloud.iam import documents

LARGEST = 20 * 1024  # bytes

_put, _delete = S3Backend.put_bucket_policy, S3Backend.delete_bucket_policy


class MalformedPolicy(S3ClientError):
    """A policy that is not taken; the message says why."""

    def __init__(self, why: str) -> None:
        super().__init__("MalformedPolicy", why)


def install() -> None:
    """Look at policies before a bucket has them."""
    S3Backend.put_bucket_policy = put_bucket_policy  # type: ignore[method-assign]
    S3Backend.delete_bucket_policy = delete_bucket_policy  # type: ignore[method-assign]


def of(bucket: Any) -> bytes | None:
    """The policy of moto's record of a bucket that is in force."""
    policy: bytes | None = POLICIES.stale(bucket.account_id, "").get(bucket.name, bucket.policy)
    return policy


def put_bucket_policy(self: Any, bucket_name: str, policy: bytes) -> None:
    if words := documents.malformed_on_resource(policy):
        raise MalformedPolicy(words)
    if len(policy) > LARGEST:
        raise MalformedPolicy("Policy exceeds the maximum allowed document size.")
    with POLICIES.changing(self.account_id, ""):
        _put(self, bucket_name, policy)


def delete_bucket_policy(self: Any, bucket_name: str) -> None:
    with POLICIES.changing(self.account_id, ""):
        _delete(self, bucket_name)


def _now(account: str, _region: str) -> dict[str, bytes]:
    return {bucket.name: bucket.policy for bucket in list(s3_backends[account][PARTITION].buckets.values()) if bucket.policy}


POLICIES = Kind("s3", 'S3 user guide, "Amazon S3 data consistency model": bucket configurations', _now, regional=False)
