"""S3's event "Object Created", of the buckets that are asked to send it. S3 sends nothing else here."""

from __future__ import annotations

import uuid
from typing import Any

from moto.s3 import notifications
from moto.s3.models import FakeBucket

from localcloud.events import bus

REASONS = {"Put": "PutObject", "Post": "POST Object", "Copy": "CopyObject"}


def install() -> None:
    """Take the place of what moto calls for buckets that send events."""
    setattr(notifications, "_send_event_bridge_message", _object_changed)  # noqa: B010


def _object_changed(account_id: str, bucket: FakeBucket, event_name: str, key: Any) -> None:
    how = event_name.rpartition(":")[2]
    if (kind := notifications._detail_type(event_name)) != "Object Created" or (how == "Put" and key.multipart):
        return  # moto puts an object before it says that its upload is complete
    stored = {"key": key.name, "size": key.size, "etag": key.etag.strip('"'), "sequencer": f"{uuid.uuid1().time:018X}"}
    if bucket.versioning_status == "Enabled":
        stored["version-id"] = key.version_id
    about = {"version": "0", "bucket": {"name": bucket.name}, "object": stored, "requester": account_id, "reason": REASONS.get(how, how)}
    bus.emit(account_id, bucket.region_name, source="aws.s3", kind=kind, detail=about, resources=[bucket.arn])
