"""Writes of objects, one after the other, so that of several that want a name to be new exactly one succeeds.

moto looks first and writes then, takes every write to a bucket whose versioning is suspended as the end of its versions, and wants a
checksum of copies into a bucket that locks objects, which have no body.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from moto.s3.exceptions import LockNotEnabled, PreconditionFailed
from moto.s3.models import FakeKey, S3Backend
from moto.s3.responses import S3Response

_one_at_a_time = threading.RLock()
_put_key, _put_object, _delete_object = S3Response._key_response_put, S3Backend.put_object, S3Backend.delete_object


def install() -> None:
    """Put these in the place of moto's."""
    setattr(S3Response, "_key_response_put", _respond_to_put)  # noqa: B010
    setattr(S3Backend, "put_object", _put)  # noqa: B010
    setattr(S3Backend, "delete_object", _delete)  # noqa: B010
    for name in ("put_object", "copy_object", "delete_object", "_bucket_response_delete_keys", "_key_response_post"):
        setattr(S3Response, name, _alone(getattr(S3Response, name)))


def _alone(respond: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(respond)
    def one_at_a_time(*arguments: Any, **more: Any) -> Any:
        with _one_at_a_time:
            return respond(*arguments, **more)

    return one_at_a_time


def _respond_to_put(self: Any, query: dict[str, Any], key_name: str) -> Any:
    if "x-amz-copy-source" not in self.headers or query.get("uploadId"):
        return _put_key(self, query, key_name)
    self._set_action("KEY", "PUT", query)
    self._authenticate_and_authorize_s3_action(bucket_name=self.bucket_name, key_name=key_name)
    locks = any(name.lower().startswith("x-amz-object-lock-") for name in dict(self.headers))
    if locks and not self.backend.get_bucket(self.bucket_name).object_lock_enabled:
        raise LockNotEnabled
    with _one_at_a_time:
        if self.headers.get("If-None-Match") == "*" and self.backend.get_object(self.bucket_name, self.parse_key_name()):
            raise PreconditionFailed("If-None-Match")
        return self.copy_object()


@contextmanager
def _as_versioned(bucket: Any) -> Iterator[bool]:
    """Have moto keep the versions there are; whether the bucket's versioning is suspended."""
    suspended = bucket.versioning_status == "Suspended"
    bucket.versioning_status = "Enabled" if suspended else bucket.versioning_status
    try:
        yield suspended
    finally:
        bucket.versioning_status = "Suspended" if suspended else bucket.versioning_status


def _put(self: Any, bucket_name: str, key_name: str, *arguments: Any, **more: Any) -> FakeKey:
    bucket = self.get_bucket(bucket_name)
    with _one_at_a_time, _as_versioned(bucket) as suspended:
        key = _put_object(self, bucket_name, key_name, *arguments, **more)
        if suspended:
            _take_the_null_version(bucket, key)
        return key


def _delete(self: Any, bucket_name: str, key_name: str, version_id: str | None = None, bypass: Any = False) -> Any:
    """`bypass` is what the header says: anything but true is no."""
    bucket = self.get_bucket(bucket_name)
    with _one_at_a_time, _as_versioned(bucket) as suspended:
        deleted, shown = _delete_object(self, bucket_name, key_name, version_id, str(bypass).lower() == "true")
        if suspended and deleted and version_id is None:
            _take_the_null_version(bucket, bucket.keys[key_name])
            shown["version-id"] = "null"
        return deleted, shown


def _take_the_null_version(bucket: Any, written: Any) -> None:
    """Where versioning is suspended, what is written has the version null, and takes the place of what had it before."""
    written._version_id = "null"
    bucket.keys.setlist(written.name, [v for v in bucket.keys.getlist(written.name) if v is written or v.version_id != "null"])
