"""Object lock as S3 keeps it: nobody shortens or lifts what is in compliance mode, nor, without the bypass, what is in governance mode.

moto refuses to delete a locked version, but lets anybody change its lock, and leaves uploads in parts unlocked. A day is a real day here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.s3.exceptions import (
    AccessDeniedByLock,
    InvalidArgumentError,
    InvalidBucketState,
    LockNotEnabled,
    S3ClientError,
)
from moto.s3.models import FakeKey, S3Backend
from moto.s3.responses import S3Response

UNTIL = "x-amz-object-lock-retain-until-date"
FORM = "%Y-%m-%dT%H:%M:%SZ"  # of the date until when an object is locked, as moto reads it
_lock_details, _get_object = S3Response._get_lock_details, S3Response.get_object
_post_key, _complete = S3Response._key_response_post, S3Backend.complete_multipart_upload
_put_versioning = S3Backend.put_bucket_versioning


class NoSuchObjectLockConfiguration(S3ClientError):
    """The object has no retention."""

    status = 404
    code = "NoSuchObjectLockConfiguration"

    def __init__(self) -> None:
        super().__init__(self.code, "The specified object does not have a ObjectLock configuration")


def install() -> None:
    """Put these in the place of moto's."""
    for name, answer in (
        ("_get_lock_details", _details),
        ("_key_response_post", _respond_to_post),
        ("get_object", _get),
        ("put_object_retention", _put_retention),
    ):
        setattr(S3Response, name, answer)
    setattr(S3Backend, "complete_multipart_upload", _completed)  # noqa: B010
    setattr(S3Backend, "put_bucket_versioning", _version)  # noqa: B010
    setattr(S3Backend, "put_object_lock_configuration", configure)  # noqa: B010


def configure(
    self: Any, bucket_name: str, lock_enabled: bool, mode: str | None = None, days: int | None = None, years: int | None = None
) -> None:
    """Lock what comes into a bucket, for a default time if one is named. A bucket that does so once does so for ever."""
    bucket = self.get_bucket(bucket_name)
    if not bucket.is_versioned:
        raise InvalidBucketState("Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration")
    bucket.object_lock_enabled = bucket.object_lock_enabled or lock_enabled
    bucket.default_lock_mode, bucket.default_lock_days, bucket.default_lock_years = mode, days or 0, years or 0


def _version(self: Any, bucket_name: str, status: str) -> None:
    if status != "Enabled" and self.get_bucket(bucket_name).object_lock_enabled:
        raise InvalidBucketState("An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.")
    _put_versioning(self, bucket_name, status)


def _details(self: Any, bucket: Any, lock_enabled: bool) -> tuple[str | None, str | None, str | None]:
    """A new object's legal hold, mode and end of retention, as its request or its bucket says."""
    if until := self.headers.get(UNTIL):
        _in_the_future(until)
    hold, mode, end = _lock_details(self, bucket, lock_enabled)
    return hold, mode, _moment(end).strftime(FORM) if end else None


def _respond_to_post(self: Any, request: Any, body: bytes, bucket_name: str, query: dict[str, Any], key_name: str) -> Any:
    """An upload in parts is locked as it was begun."""
    before = set(self.backend.get_bucket(bucket_name).multiparts)
    answer = _post_key(self, request, body, bucket_name, query, key_name)
    if "uploads" in query:
        bucket = self.backend.get_bucket(bucket_name)
        for begun in set(bucket.multiparts) - before:
            bucket.multiparts[begun].lock = self._get_lock_details(bucket, bucket.object_lock_enabled)
    return answer


def _completed(self: Any, bucket_name: str, multipart_id: str, body: Any) -> FakeKey | None:
    upload = self.get_bucket(bucket_name).multiparts.get(multipart_id)
    key = _complete(self, bucket_name, multipart_id, body)
    if key is not None:
        key.lock_legal_status, key.lock_mode, key.lock_until = getattr(upload, "lock", (None, None, None))
    return key


def _get(self: Any) -> Any:
    """GetObject, or GetObjectRetention, which moto takes for it."""
    if "retention" not in self.querystring:
        return _get_object(self)
    key, _ = self._get_key()
    if not key.lock_mode:
        raise NoSuchObjectLockConfiguration
    self.data["Action"] = "GetObjectRetention"
    return self.serialized(ActionResult({"Retention": {"Mode": key.lock_mode, "RetainUntilDate": _moment(key.lock_until)}}))


def _put_retention(self: Any) -> Any:
    if not self.backend.get_bucket(self.bucket_name).object_lock_enabled:
        raise LockNotEnabled
    key, _ = self._get_key()
    mode, until = self._mode_until_from_body()
    if until:
        _in_the_future(until)
    weaker = not until or mode != key.lock_mode or _moment(until) < _moment(key.lock_until)
    bypassed = key.lock_mode == "GOVERNANCE" and self.headers.get("x-amz-bypass-governance-retention", "").lower() == "true"
    if key.lock_mode and _moment(key.lock_until) > datetime.now(UTC) and weaker and not bypassed:
        raise AccessDeniedByLock
    key.lock_mode, key.lock_until = mode, _moment(until).strftime(FORM) if until else None
    return 200, {}, ""


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _in_the_future(until: str) -> None:
    if _moment(until) <= datetime.now(UTC):
        raise InvalidArgumentError("The retain until date must be in the future!", UNTIL, until)
