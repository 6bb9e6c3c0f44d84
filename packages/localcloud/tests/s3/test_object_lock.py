"""What is locked stays, whoever asks, as S3's guide says ("Locking objects with Object Lock")."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cloudformation_stacks import deploy, reasons

from localcloud.testing import ACCOUNT
from localcloud.testing.accounts import Accounts
from localcloud.testing.names import Name

Json = dict[str, Any]
ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
LOCKS = pytest.mark.aws("S3 object lock: compliance and governance mode")


def later(minutes: int) -> datetime:
    """So soon that a lock that nobody can lift ends before the run that it belongs to."""
    return datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=minutes)


def refused(call: Callable[..., Any], **members: Any) -> str:
    """The code of the error that a call ends with."""
    with pytest.raises(ClientError) as caught:
        call(**members)
    return str(caught.value.response["Error"]["Code"])


@pytest.fixture
def locked(cloud: Accounts, name: Name) -> str:
    """A bucket that locks what says so."""
    return cloud.create_bucket(name("locked"), ObjectLockEnabledForBucket=True)


def put(cloud: Accounts, bucket: str, mode: str) -> Json:
    """Bucket, Key and VersionId of a new object that is locked."""
    answer = cloud.client("s3").put_object(Bucket=bucket, Key="a", Body=b"1", ObjectLockMode=mode, ObjectLockRetainUntilDate=later(2))
    return {"Bucket": bucket, "Key": "a", "VersionId": answer["VersionId"]}


@LOCKS
def test_a_version_in_compliance_mode_stays_for_its_time(cloud: Accounts, locked: str) -> None:
    s3, version = cloud.client("s3"), put(cloud, locked, "COMPLIANCE")
    bypass = {"BypassGovernanceRetention": True}

    s3.delete_object(Bucket=locked, Key="a")
    s3.put_object(Bucket=locked, Key="a", Body=b"2")

    assert refused(s3.delete_object, **version) == "AccessDenied"
    assert refused(s3.delete_object, **version, **bypass) == "AccessDenied"
    listed = [{k: version[k] for k in ("Key", "VersionId")}]
    (error,) = s3.delete_objects(Bucket=locked, Delete={"Objects": listed}, **bypass)["Errors"]
    assert error["Code"] == "AccessDenied"
    for retention in ({"Mode": "COMPLIANCE", "RetainUntilDate": later(1)}, {"Mode": "GOVERNANCE", "RetainUntilDate": later(4)}):
        assert refused(s3.put_object_retention, **version, Retention=retention, **bypass) == "AccessDenied"
    assert s3.get_object(**version)["Body"].read() == b"1"


@LOCKS
def test_a_retention_may_grow(cloud: Accounts, locked: str) -> None:
    s3, version = cloud.client("s3"), put(cloud, locked, "COMPLIANCE")
    longer = {"Mode": "COMPLIANCE", "RetainUntilDate": later(3)}

    s3.put_object_retention(**version, Retention=longer)

    assert s3.get_object_retention(**version)["Retention"] == longer
    assert refused(s3.put_object_retention, **version, Retention={**longer, "RetainUntilDate": later(-1)}) == "InvalidArgument"


@LOCKS
def test_governance_mode_is_lifted_with_the_bypass_only(cloud: Accounts, locked: str) -> None:
    """The header alone is not enough: who sends it must be allowed s3:BypassGovernanceRetention."""
    s3, version = cloud.client("s3"), put(cloud, locked, "GOVERNANCE")
    objects = f"arn:aws:s3:::{locked}/*"
    may = {"Action": ["s3:DeleteObject", "s3:DeleteObjectVersion"], "Resource": objects}
    bypasses = {"Action": "s3:BypassGovernanceRetention", "Resource": objects}
    stage = cloud.client("s3", **cloud.assume(cloud.role(f"{locked}-stage", trusts=ROOT, allows=[may])))
    keeper = cloud.client("s3", **cloud.assume(cloud.role(f"{locked}-keeper", trusts=ROOT, allows=[may, bypasses])))
    shorter = {"Mode": "GOVERNANCE", "RetainUntilDate": later(1)}

    assert refused(s3.delete_object, **version) == "AccessDenied"
    assert refused(s3.put_object_retention, **version, Retention=shorter) == "AccessDenied"
    assert refused(stage.delete_object, **version, BypassGovernanceRetention=True) == "AccessDenied"
    listed = [{k: version[k] for k in ("Key", "VersionId")}]
    assert stage.delete_objects(Bucket=locked, Delete={"Objects": listed}, BypassGovernanceRetention=True)["Errors"]
    assert s3.get_object(**version)["Body"].read() == b"1"
    s3.put_object_retention(**version, Retention=shorter, BypassGovernanceRetention=True)
    keeper.delete_object(**version, BypassGovernanceRetention=True)
    assert refused(s3.get_object, **version) == "NoSuchVersion"


@LOCKS
def test_a_lock_needs_its_own_permission(cloud: Accounts, locked: str) -> None:
    put_only = {"Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{locked}/*"}
    stage = cloud.client("s3", **cloud.assume(cloud.role(f"{locked}-writes", trusts=ROOT, allows=[put_only])))
    lock = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": later(1)}

    stage.put_object(Bucket=locked, Key="free", Body=b"1")
    assert refused(stage.put_object, Bucket=locked, Key="kept", Body=b"1", **lock) == "AccessDenied"
    assert refused(cloud.client("s3").get_object_retention, Bucket=locked, Key="free") == "NoSuchObjectLockConfiguration"


@LOCKS
def test_a_legal_hold_keeps_a_version_until_it_is_lifted(cloud: Accounts, locked: str) -> None:
    s3 = cloud.client("s3")
    version = s3.put_object(Bucket=locked, Key="a", Body=b"1", ObjectLockLegalHoldStatus="ON")["VersionId"]
    held = {"Bucket": locked, "Key": "a", "VersionId": version}

    assert refused(s3.delete_object, **held, BypassGovernanceRetention=True) == "AccessDenied"
    s3.put_object_legal_hold(**held, LegalHold={"Status": "OFF"})
    s3.delete_object(**held)


@LOCKS
def test_a_bucket_that_locks_stays_versioned(cloud: Accounts, locked: str) -> None:
    s3 = cloud.client("s3")

    assert refused(s3.put_bucket_versioning, Bucket=locked, VersioningConfiguration={"Status": "Suspended"}) == "InvalidBucketState"
    assert s3.get_object_lock_configuration(Bucket=locked)["ObjectLockConfiguration"]["ObjectLockEnabled"] == "Enabled"


@LOCKS
def test_a_bucket_without_locks_takes_none(cloud: Accounts, name: Name) -> None:
    s3, bucket = cloud.client("s3"), cloud.create_bucket(name("free"))
    s3.put_object(Bucket=bucket, Key="a", Body=b"1")
    lock = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": later(1)}

    assert refused(s3.put_object, Bucket=bucket, Key="b", Body=b"1", **lock) == "InvalidRequest"
    assert refused(s3.copy_object, Bucket=bucket, Key="b", CopySource=f"{bucket}/a", **lock) == "InvalidRequest"


def bucket_of(name: str, mode: str = "GOVERNANCE", days: int = 1) -> Json:
    """A template of one bucket that locks everything for some days."""
    rule = {"DefaultRetention": {"Mode": mode, "Days": days}}
    locks = {"ObjectLockEnabled": True, "ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled", "Rule": rule}}
    return {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name, **locks}}}}


def days_left(cloud: Accounts, bucket: str, key: str) -> int:
    left: timedelta = cloud.client("s3").head_object(Bucket=bucket, Key=key)["ObjectLockRetainUntilDate"] - datetime.now(UTC)
    return round(left / timedelta(days=1))


@LOCKS
def test_a_stacks_bucket_locks_whatever_comes_in(cloud: Accounts, name: Name) -> None:
    """Put, copied or uploaded in parts."""
    s3, bucket = cloud.client("s3"), name("ledger")
    assert deploy(cloud, name("stack"), bucket_of(bucket)) == "CREATE_COMPLETE", reasons(cloud, name("stack"))

    versions = {"put": s3.put_object(Bucket=bucket, Key="put", Body=b"1")["VersionId"]}
    versions["copied"] = s3.copy_object(Bucket=bucket, Key="copied", CopySource=f"{bucket}/put")["VersionId"]
    upload = {"Bucket": bucket, "Key": "parts", "UploadId": s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]}
    part = {"PartNumber": 1, "ETag": s3.upload_part(**upload, PartNumber=1, Body=b"1")["ETag"]}
    versions["parts"] = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]})["VersionId"]

    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    for key, version in versions.items():
        assert s3.head_object(Bucket=bucket, Key=key)["ObjectLockMode"] == "GOVERNANCE", key
        assert days_left(cloud, bucket, key) == 1
        assert refused(s3.delete_object, Bucket=bucket, Key=key, VersionId=version) == "AccessDenied", key


@LOCKS
def test_the_default_retention_of_a_stacks_bucket_is_updated(cloud: Accounts, name: Name) -> None:
    s3, bucket = cloud.client("s3"), name("ledger")
    deploy(cloud, name("stack"), bucket_of(bucket))
    s3.put_object(Bucket=bucket, Key="before", Body=b"1")

    assert deploy(cloud, name("stack"), bucket_of(bucket, days=3), "UPDATE") == "UPDATE_COMPLETE", reasons(cloud, name("stack"))

    s3.put_object(Bucket=bucket, Key="after", Body=b"1")
    assert [days_left(cloud, bucket, key) for key in ("before", "after")] == [1, 3]


@pytest.mark.laptop("nobody could take the objects away for a day")
def test_the_compliance_mode_of_a_stacks_bucket_holds_for_what_came_under_it(cloud: Accounts, name: Name) -> None:
    s3, bucket = cloud.client("s3"), name("ledger")
    deploy(cloud, name("stack"), bucket_of(bucket, "COMPLIANCE"))
    version = s3.put_object(Bucket=bucket, Key="before", Body=b"1")["VersionId"]

    assert deploy(cloud, name("stack"), bucket_of(bucket), "UPDATE") == "UPDATE_COMPLETE", reasons(cloud, name("stack"))

    s3.put_object(Bucket=bucket, Key="after", Body=b"1")
    assert [s3.head_object(Bucket=bucket, Key=key)["ObjectLockMode"] for key in ("before", "after")] == ["COMPLIANCE", "GOVERNANCE"]
    assert refused(s3.delete_object, Bucket=bucket, Key="before", VersionId=version, BypassGovernanceRetention=True) == "AccessDenied"
