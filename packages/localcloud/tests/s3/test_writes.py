"""What is new is written once, what is versioned stays, and who names a version needs to be allowed versions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from answers import answer

from localcloud.testing import ACCOUNT
from localcloud.testing.accounts import Accounts
from localcloud.testing.names import Name

WRITERS = 8

pytestmark = pytest.mark.aws("permissions of versions, copies, locks and tags of objects")


@pytest.fixture
def bucket(cloud: Accounts, name: Name) -> str:
    """A versioned bucket."""
    made = cloud.create_bucket(name("bucket"))
    cloud.client("s3").put_bucket_versioning(Bucket=made, VersioningConfiguration={"Status": "Enabled"})
    return made


@pytest.mark.aws("S3 writes of what must be new")
def test_of_several_that_want_a_name_to_be_new_one_writes(cloud: Accounts, bucket: str) -> None:
    """S3 may also answer that two came at once: it is then for the loser to try again."""
    s3, lost = cloud.client("s3"), {"PreconditionFailed", "ConditionalRequestConflict"}
    for number in range(5):
        with ThreadPoolExecutor(WRITERS) as writers:
            calls = [
                writers.submit(answer, s3.put_object, Bucket=bucket, Key=f"entry-{number}", Body=bytes([writer]), IfNoneMatch="*")
                for writer in range(WRITERS)
            ]
        outcomes = [call.result() for call in calls]
        assert (outcomes.count("done"), set(outcomes) - lost) == (1, {"done"})

    assert len(s3.list_object_versions(Bucket=bucket)["Versions"]) == 5


@pytest.mark.aws("S3 writes of what must be new")
def test_a_name_whose_object_was_deleted_is_new(cloud: Accounts, bucket: str) -> None:
    s3 = cloud.client("s3")
    new = {"Bucket": bucket, "Key": "a", "IfNoneMatch": "*"}
    s3.put_object(**new, Body=b"1")
    s3.delete_object(Bucket=bucket, Key="a")

    s3.put_object(**new, Body=b"2")

    assert answer(s3.copy_object, **new, CopySource=f"{bucket}/a") == "PreconditionFailed"
    upload = s3.create_multipart_upload(Bucket=bucket, Key="a")["UploadId"]
    part = {"PartNumber": 1, "ETag": s3.upload_part(Bucket=bucket, Key="a", UploadId=upload, PartNumber=1, Body=b"3")["ETag"]}
    assert answer(s3.complete_multipart_upload, **new, UploadId=upload, MultipartUpload={"Parts": [part]}) == "PreconditionFailed"
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"2"


def test_a_version_is_read_and_copied_when_another_lies_over_it(cloud: Accounts, bucket: str) -> None:
    """Encrypted ones too."""
    s3, key = cloud.client("s3"), cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    first = s3.put_object(Bucket=bucket, Key="a", Body=b"1", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)["VersionId"]
    s3.put_object(Bucket=bucket, Key="a", Body=b"22")

    copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "a", "VersionId": first})

    assert copied["CopySourceVersionId"] == first
    assert s3.get_object(Bucket=bucket, Key="copy", VersionId=copied["VersionId"])["Body"].read() == b"1"
    head = s3.head_object(Bucket=bucket, Key="a", VersionId=first)
    assert (head["ContentLength"], head["SSEKMSKeyId"]) == (1, key)
    assert answer(s3.get_object, Bucket=bucket, Key="a", VersionId="0" * 32) == "NoSuchVersion"


def role(cloud: Accounts, name: str, *actions: str, on: str) -> Any:
    """An S3 client of a new role that may do these on these objects."""
    allowed = [{"Action": list(actions), "Resource": on}]
    return cloud.client("s3", **cloud.assume(cloud.role(name, trusts={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, allows=allowed)))


def test_a_version_is_read_and_deleted_by_those_who_may(cloud: Accounts, bucket: str) -> None:
    objects, version = f"arn:aws:s3:::{bucket}/*", cloud.client("s3").put_object(Bucket=bucket, Key="a", Body=b"1")["VersionId"]
    current = role(cloud, f"{bucket}-current", "s3:GetObject", "s3:DeleteObject", on=objects)
    versions = role(cloud, f"{bucket}-versions", "s3:GetObjectVersion", "s3:GetObjectVersionTagging", "s3:DeleteObjectVersion", on=objects)
    named = {"Bucket": bucket, "Key": "a", "VersionId": version}

    assert answer(current.get_object, Bucket=bucket, Key="a") == "done"
    assert answer(current.get_object, **named) == "AccessDenied"
    assert answer(current.head_object, **named) == "403"
    assert answer(current.get_object_tagging, **named) == "AccessDenied"
    assert answer(current.delete_object, **named) == "AccessDenied"
    assert (
        current.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a", "VersionId": version}]})["Errors"][0]["Code"]
        == "AccessDenied"
    )
    assert answer(versions.get_object, Bucket=bucket, Key="a") == "AccessDenied"
    assert answer(versions.get_object_tagging, **named) == "done"
    assert answer(versions.head_object, **named) == "done"
    assert answer(current.delete_object, Bucket=bucket, Key="a") == "done"
    assert answer(versions.delete_object, **named) == "done"


def test_a_copy_is_read_by_who_asks_for_it(cloud: Accounts, bucket: str) -> None:
    cloud.client("s3").put_object(Bucket=bucket, Key="from/a", Body=b"1")
    cloud.client("s3").put_object(Bucket=bucket, Key="from/tagged", Body=b"1", Tagging="team=ml")
    source, target = f"arn:aws:s3:::{bucket}/from/*", f"arn:aws:s3:::{bucket}/to/*"
    writes = role(cloud, f"{bucket}-writes", "s3:PutObject", on=target)
    both = cloud.role(
        f"{bucket}-both",
        trusts={"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        allows=[{"Action": "s3:GetObject", "Resource": source}, {"Action": "s3:PutObject", "Resource": target}],
    )
    copies = cloud.client("s3", **cloud.assume(both))

    assert answer(writes.copy_object, Bucket=bucket, Key="to/a", CopySource=f"{bucket}/from/a") == "AccessDenied"
    assert answer(copies.copy_object, Bucket=bucket, Key="to/a", CopySource=f"{bucket}/from/a") == "done"
    assert answer(copies.copy_object, Bucket=bucket, Key="from/b", CopySource=f"{bucket}/from/a") == "AccessDenied"
    assert answer(copies.copy_object, Bucket=bucket, Key="to/b", CopySource=f"{bucket}/from/tagged") == "AccessDenied"


def test_suspended_versioning_leaves_the_versions_there_are(cloud: Accounts, bucket: str) -> None:
    s3 = cloud.client("s3")
    first = s3.put_object(Bucket=bucket, Key="a", Body=b"1")["VersionId"]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})

    s3.put_object(Bucket=bucket, Key="a", Body=b"2")
    s3.put_object(Bucket=bucket, Key="a", Body=b"3")
    versions = {v["VersionId"] for v in s3.list_object_versions(Bucket=bucket)["Versions"]}
    s3.delete_object(Bucket=bucket, Key="a")

    assert versions == {first, "null"}
    assert answer(s3.get_object, Bucket=bucket, Key="a") == "NoSuchKey"
    assert s3.get_object(Bucket=bucket, Key="a", VersionId=first)["Body"].read() == b"1"
    assert [m["VersionId"] for m in s3.list_object_versions(Bucket=bucket)["DeleteMarkers"]] == ["null"]


def test_what_is_asked_of_a_bucket_has_its_own_permission(cloud: Accounts, bucket: str) -> None:
    arn = f"arn:aws:s3:::{bucket}"
    lists = role(cloud, f"{bucket}-lists", "s3:ListBucket", "s3:PutBucketVersioning", on=arn)
    keeps = role(cloud, f"{bucket}-keeps", "s3:*Configuration", on=arn)
    rule = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}

    assert answer(lists.head_bucket, Bucket=bucket) == "done"
    assert answer(keeps.head_bucket, Bucket=bucket) == "403"
    for call, members in (
        ("put_bucket_encryption", {"ServerSideEncryptionConfiguration": rule}),
        ("get_bucket_encryption", {}),
        ("delete_bucket_encryption", {}),
        ("put_object_lock_configuration", {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}),
        ("get_object_lock_configuration", {}),
    ):
        assert answer(getattr(lists, call), Bucket=bucket, **members) == "AccessDenied", call
        assert answer(getattr(keeps, call), Bucket=bucket, **members) == "done", call
