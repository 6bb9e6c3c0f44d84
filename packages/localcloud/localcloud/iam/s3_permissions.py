"""The permissions that a request to S3 requires: named by what is asked of a bucket, an object or one version of it.

S3 reads what is copied, and uses the keys of KMS, on the caller's behalf; locks, tags and access lists that come along have their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlparse

import xmltodict  # type: ignore[import-untyped]
from moto.s3.models import s3_backends

from localcloud.iam.conditions import Context
from localcloud.iam.permissions import Permission, of_key
from localcloud.kms import keys

ENCRYPTION_KEY = "x-amz-server-side-encryption-aws-kms-key-id"
LOCK_UNTIL = "x-amz-object-lock-retain-until-date"
# method → the part that is asked for → IAM's action, where moto has another or none; {} becomes "Version" where one is named
OF_OBJECT = {
    "DELETE": {"tagging": "DeleteObject{}Tagging", "uploadId": "AbortMultipartUpload", "": "DeleteObject{}"},
    "GET": {
        "acl": "GetObject{}Acl",
        "attributes": "GetObject{}Attributes",
        "legal-hold": "GetObjectLegalHold",
        "retention": "GetObjectRetention",
        "tagging": "GetObject{}Tagging",
        "uploadId": "ListMultipartUploadParts",
        "": "GetObject{}",
    },
    "HEAD": {"": "GetObject{}"},
    "PUT": {
        "acl": "PutObject{}Acl",
        "legal-hold": "PutObjectLegalHold",
        "retention": "PutObjectRetention",
        "tagging": "PutObject{}Tagging",
        "": "PutObject",
    },
}
OF_BUCKET = {
    "GET": {
        "encryption": "GetEncryptionConfiguration",
        "object-lock": "GetBucketObjectLockConfiguration",
        "ownershipControls": "GetBucketOwnershipControls",
        "publicAccessBlock": "GetBucketPublicAccessBlock",
        "replication": "GetReplicationConfiguration",
    },
    "PUT": {
        "encryption": "PutEncryptionConfiguration",
        "object-lock": "PutBucketObjectLockConfiguration",
        "ownershipControls": "PutBucketOwnershipControls",
        "publicAccessBlock": "PutBucketPublicAccessBlock",
        "replication": "PutReplicationConfiguration",
    },
}
# condition key → the header that it is about
HEADERS = {
    "s3:if-match": "If-Match",
    "s3:if-none-match": "If-None-Match",
    "s3:object-lock-legal-hold": "x-amz-object-lock-legal-hold",
    "s3:object-lock-mode": "x-amz-object-lock-mode",
    "s3:object-lock-retain-until-date": LOCK_UNTIL,
    "s3:x-amz-acl": "x-amz-acl",
    "s3:x-amz-copy-source": "x-amz-copy-source",
    "s3:x-amz-server-side-encryption": "x-amz-server-side-encryption",
    "s3:x-amz-server-side-encryption-aws-kms-key-id": ENCRYPTION_KEY,
    "s3:x-amz-storage-class": "x-amz-storage-class",
}
# a header of a new object → what may be done with it only by those who may do it by itself
COMES_ALONG = {
    "x-amz-acl": "s3:PutObjectAcl",
    "x-amz-object-lock-legal-hold": "s3:PutObjectLegalHold",
    "x-amz-object-lock-mode": "s3:PutObjectRetention",
    "x-amz-tagging": "s3:PutObjectTagging",
}


def required(response: Any, action: str, resource: str) -> Iterator[Permission]:
    """What a request must be allowed, as moto's `response` object received it; `action` is what moto takes it for."""
    asked, method = response.querystring, response.method
    bucket, _, path = resource.split(":", 5)[5].partition("/")
    version = asked.get("versionId", [""])[0]
    if method == "POST" and not path and "delete" in asked:
        yield from _deletions(response, resource)
    elif not path:
        wanted = next((name for part, name in OF_BUCKET.get(method, {}).items() if part in asked), None)
        context: Context = {"s3:prefix": asked.get("prefix", [])} if action in ("s3:ListBucket", "s3:ListBucketVersions") else {}
        yield Permission(action=f"s3:{wanted}" if wanted else action, resource=resource, context=context)
    else:
        named = next((name for part, name in OF_OBJECT.get(method, {}).items() if part in asked or not part), None)
        action = f"s3:{named.format('Version' if version else '')}" if named else action
        yield Permission(action=action, resource=resource, context=_of_request(response, version))
        yield from _bypass(response, resource)
        if action in ("s3:GetObject", "s3:GetObjectVersion"):
            yield from _reading(bucket, unquote(path), version, response)
        elif action == "s3:PutObject":
            yield from _writing(response, bucket, resource)


def _of_request(response: Any, version: str) -> Context:
    """The condition keys of a request about an object: known to be absent where it sends nothing of the kind."""
    context = {key: [value] if (value := response.headers.get(header)) else [] for key, header in HEADERS.items()}
    context |= {"s3:VersionId": [version] if version else [], "s3:object-lock-remaining-retention-days": _days(response)}
    begun = "uploads" in response.querystring or "partNumber" in response.querystring
    return context | {"s3:ObjectCreationOperation": [str(not begun).lower()]}


def _days(response: Any) -> list[str]:
    """For how many whole days a request locks an object from now on."""
    until = response.headers.get(LOCK_UNTIL)
    if "retention" in response.querystring and response.method == "PUT":
        until = xmltodict.parse(response.body)["Retention"].get("RetainUntilDate")
    return [str((datetime.fromisoformat(until) - datetime.now(UTC)).days)] if until else []


def _bypass(response: Any, resource: str) -> Iterator[Permission]:
    if response.headers.get("x-amz-bypass-governance-retention", "").lower() == "true":
        yield Permission(action="s3:BypassGovernanceRetention", resource=resource)


def _deletions(response: Any, bucket: str) -> Iterator[Permission]:
    """DeleteObjects: each of its objects. Here none is deleted where one must not be."""
    for deleted in xmltodict.parse(response.body, force_list=("Object",))["Delete"].get("Object", []):
        resource, version = f"{bucket}/{deleted['Key']}", deleted.get("VersionId")
        action = "s3:DeleteObjectVersion" if version else "s3:DeleteObject"
        yield Permission(action=action, resource=resource, context={"s3:VersionId": [version] if version else []})
        yield from _bypass(response, resource)


def _reading(bucket: str, name: str, version: str, response: Any) -> Iterator[Permission]:
    """What reading an object takes beside s3:GetObject: its key. S3 tells only those who may list that an object is missing."""
    if (held := _bucket(bucket)) is None:
        return
    stored = _stored(held, name, version)
    if stored is None and not version:
        yield Permission(action="s3:ListBucket", resource=f"arn:aws:s3:::{bucket}", context={"s3:prefix": []})
    elif key := getattr(stored, "kms_key_id", None):
        yield from _use_of_key("kms:Decrypt", key, held, response.current_account)


def _writing(response: Any, bucket: str, resource: str) -> Iterator[Permission]:
    for header, action in COMES_ALONG.items():
        if response.headers.get(header):
            yield Permission(action=action, resource=resource, context=_of_request(response, ""))
    if source := response.headers.get("x-amz-copy-source"):
        yield from _copying(source, response, resource)
    if (held := _bucket(bucket)) is None:
        return
    default = (held.encryption or {}).get("Rule", {}).get("ApplyServerSideEncryptionByDefault", {})
    if key := response.headers.get(ENCRYPTION_KEY) or default.get("KMSMasterKeyID"):
        yield from _use_of_key("kms:GenerateDataKey", key, held, response.current_account)


def _copying(source: str, response: Any, target: str) -> Iterator[Permission]:
    """A copy is read from its source by who asks for it, tags and all."""
    where = urlparse(source)
    version = parse_qs(where.query).get("versionId", [""])[0]
    bucket, _, name = unquote(where.path).lstrip("/").partition("/")
    resource, kind = f"arn:aws:s3:::{bucket}/{name}", "Version" if version else ""
    context = {"s3:VersionId": [version] if version else []}
    yield Permission(action=f"s3:GetObject{kind}", resource=resource, context=context)
    yield from _reading(bucket, name, version, response)
    held = _bucket(bucket)
    stored = _stored(held, name, version) if held else None
    copies_tags = response.headers.get("x-amz-tagging-directive", "COPY") == "COPY" and "partNumber" not in response.querystring
    if held and stored and copies_tags and s3_backends[held.account_id][held.partition].get_object_tagging(stored)["Tags"]:
        yield Permission(action=f"s3:GetObject{kind}Tagging", resource=resource, context=context)
        yield Permission(action="s3:PutObjectTagging", resource=target)


def _bucket(name: str) -> Any:
    """moto's record of a bucket, whosever it is; None when there is none."""
    if name not in s3_backends.bucket_accounts:
        return None
    partition, owner = s3_backends.bucket_accounts[name]
    return s3_backends[owner][partition].buckets[name]


def _stored(bucket: Any, name: str, version: str) -> Any:
    """moto's record of an object, or of one version of it; None when there is none."""
    versions = bucket.keys.getlist(name, [])
    return next((v for v in reversed(versions) if not version or v.version_id == version), None)


def _use_of_key(action: str, name: str, bucket: Any, caller_account: str) -> Iterator[Permission]:
    """A key that S3 uses for the caller. One that is not there is AWS's own, which everybody may use."""
    if key := keys.find(name, bucket.account_id, bucket.region_name):
        context = of_key(key, caller_account, via=f"s3.{key.region}.amazonaws.com")
        yield Permission(action=action, resource=key.arn, context=context)
