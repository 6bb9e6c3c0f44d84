"""Bucket policies, which moto lacks, and buckets, whose versioning, locks, events and lifecycle rules moto leaves out."""

from __future__ import annotations

import json
from typing import Any

from moto.s3.exceptions import BucketNotEmpty
from moto.s3.models import FakeBucket, s3_backends

from localcloud.cloudformation.resource_type import Resource, ResourceType, client, complete, delete_by
from localcloud.core.cloud import PARTITION
from localcloud.core.errors import invalid
from localcloud.core.validation import request

_moto_create = FakeBucket.create_from_cloudformation_json
_moto_update = FakeBucket.update_from_cloudformation_json


def install() -> None:
    """Complete moto's type."""
    complete(FakeBucket, created=_create, updated=_update)
    setattr(FakeBucket, "delete_from_cloudformation_json", staticmethod(_delete))  # noqa: B010


def _create(resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_: Any) -> Any:
    bucket = _moto_create(resource_name, cloudformation_json, account_id, region_name)
    return _configured(bucket, cloudformation_json["Properties"], account_id, region_name)


def _update(original_resource: Any, new_resource_name: str, cloudformation_json: Any, account_id: str, region_name: str) -> Any:
    properties = {"BucketName": original_resource.name, **cloudformation_json["Properties"]}
    bucket = _moto_update(original_resource, new_resource_name, {"Properties": properties}, account_id, region_name)
    return _configured(bucket, properties, account_id, region_name)


def _delete(resource_name: str, cloudformation_json: Any, account_id: str, region_name: str) -> None:
    """As CloudFormation: a bucket that holds anything, if only an old version, stays, and one that is gone is deleted."""
    backend = s3_backends[account_id][PARTITION]
    if resource_name in backend.buckets and backend.delete_bucket(resource_name) is None:
        raise BucketNotEmpty(resource_name)


def _configured(bucket: Any, properties: Any, account: str, region: str) -> Any:
    if versioning := properties.get("VersioningConfiguration"):
        bucket.versioning_status = versioning["Status"]
    s3 = client("s3", account, region)
    if str(properties.get("ObjectLockEnabled", False)).lower() == "true":
        _lock(s3, bucket, properties.get("ObjectLockConfiguration", {}))
    elif "ObjectLockConfiguration" in properties and not bucket.object_lock_enabled:
        raise invalid(f"bucket {bucket.name} has an ObjectLockConfiguration, and no ObjectLockEnabled")
    if "NotificationConfiguration" in properties:
        if other := set(properties["NotificationConfiguration"]) - {"EventBridgeConfiguration"}:
            raise invalid(f"localcloud does not do {', '.join(sorted(other))} of bucket {bucket.name}: it sends events to EventBridge only")
        wanted = properties["NotificationConfiguration"].get("EventBridgeConfiguration", {}).get("EventBridgeEnabled", True)
        events: Any = {"EventBridgeConfiguration": {}} if str(wanted).lower() == "true" else {}
        s3.put_bucket_notification_configuration(Bucket=bucket.name, NotificationConfiguration=events)
    if rules := properties.get("LifecycleConfiguration", {}).get("Rules"):
        lifecycle = {"Rules": [_lifecycle_rule(rule) for rule in rules]}
        s3.put_bucket_lifecycle_configuration(Bucket=bucket.name, LifecycleConfiguration=lifecycle)
    return bucket


def _lock(s3: Any, bucket: Any, configuration: Any) -> None:
    """Lock what comes in. That turns versioning on, as S3 does."""
    bucket.versioning_status = "Enabled"
    rule = {"Rule": configuration["Rule"]} if "Rule" in configuration else {}
    wanted = request("s3", "PutObjectLockConfiguration", {"ObjectLockEnabled": "Enabled", **rule}, member="ObjectLockConfiguration")
    s3.put_object_lock_configuration(Bucket=bucket.name, ObjectLockConfiguration=wanted)


def _lifecycle_rule(rule: Any) -> Any:
    """CloudFormation's form of a rule as S3's. Objects do not expire here: the rules are there to be read."""
    same = ("Status", "AbortIncompleteMultipartUpload", "NoncurrentVersionExpiration")
    expiration = {"ExpirationInDays": "Days", "ExpiredObjectDeleteMarker": "ExpiredObjectDeleteMarker"}
    if unknown := set(rule) - {*same, *expiration, "Id", "Prefix"}:
        raise invalid(f"localcloud does not know {', '.join(sorted(unknown))} of a bucket's lifecycle rule")
    wanted = {k: rule[k] for k in same if k in rule} | {"Filter": {"Prefix": rule.get("Prefix", "")}}
    wanted |= {"ID": rule["Id"]} if "Id" in rule else {}
    if ends := {name: rule[k] for k, name in expiration.items() if k in rule}:
        wanted["Expiration"] = ends
    fitted: Any = request("s3", "PutBucketLifecycleConfiguration", {"Rules": [wanted]}, member="LifecycleConfiguration")
    return fitted["Rules"][0]


def _put_policy(r: Resource, old: Resource | None) -> str:
    r.call("s3", "PutBucketPolicy", Bucket=r.properties["Bucket"], Policy=json.dumps(r.properties["PolicyDocument"]))
    return str(r.properties["Bucket"])


TYPES = (ResourceType("AWS::S3::BucketPolicy", _put_policy, delete_by("s3", "DeleteBucketPolicy", "Bucket")),)
