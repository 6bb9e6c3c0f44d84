"""A missing permission must fail on the laptop."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cloudformation_stacks import deploy, reasons

from localcloud.testing import ACCOUNT, OTHER
from localcloud.testing.running import Running

READ = {"Action": "s3:GetObject", "Resource": "*"}


def code(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


def test_an_unknown_key_is_refused(cloud: Running) -> None:
    stranger = cloud.client("ssm", AccessKeyId="AKIAAAAAAAAAAAAAAAAA", SecretAccessKey="wrong")  # pragma: allowlist secret

    with pytest.raises(ClientError) as caught:
        stranger.describe_parameters()

    assert "InvalidClientTokenId" in str(caught.value) or code(caught) == "403"


def test_a_wrong_secret_is_refused(cloud: Running) -> None:
    forger = cloud.client("ssm", SecretAccessKey="wrong")

    with pytest.raises(ClientError):
        forger.describe_parameters()


def test_a_role_may_do_what_its_policy_allows_and_no_more(cloud: Running) -> None:
    allowed = {"Action": "ssm:GetParameter", "Resource": f"arn:aws:ssm:eu-west-1:{ACCOUNT}:parameter/mine/*"}
    keys = cloud.assume(cloud.role("reader", trusts={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, allows=[allowed]))
    for name in ("/mine/x", "/theirs/x"):
        cloud.client("ssm").put_parameter(Name=name, Value="1", Type="String")
    ssm = cloud.client("ssm", **keys)

    assert ssm.get_parameter(Name="/mine/x")["Parameter"]["Value"] == "1"
    with pytest.raises(ClientError) as other_parameter:
        ssm.get_parameter(Name="/theirs/x")
    with pytest.raises(ClientError) as other_action:
        ssm.put_parameter(Name="/mine/x", Value="2", Type="String")
    assert code(other_parameter) == code(other_action) == "AccessDeniedException"


def test_a_trust_policy_decides_who_may_assume_a_role(cloud: Running) -> None:
    arn = cloud.role("closed", trusts={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, allows=[READ])

    with pytest.raises(ClientError) as caught:
        cloud.assume(arn, OTHER)

    assert code(caught) == "AccessDenied"


def test_another_account_reads_a_bucket_only_with_a_bucket_policy(cloud: Running) -> None:
    s3, theirs = cloud.client("s3"), cloud.client("s3", OTHER)
    s3.create_bucket(Bucket="shared", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="shared", Key="a", Body=b"1")
    with pytest.raises(ClientError):
        theirs.get_object(Bucket="shared", Key="a")
    statement = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"}, **READ}

    s3.put_bucket_policy(Bucket="shared", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))

    assert theirs.get_object(Bucket="shared", Key="a")["Body"].read() == b"1"


def keys_of(cloud: Running, name: str, *allows: dict[str, Any]) -> dict[str, str]:
    """Temporary keys of a new role of ACCOUNT that may do this."""
    return cloud.assume(cloud.role(name, trusts={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, allows=list(allows)))


def test_a_key_is_used_by_those_who_may_use_its_alias(cloud: Running) -> None:
    kms = cloud.client("kms")
    mine, theirs = (kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"] for _ in range(2))
    kms.create_alias(AliasName="alias/iam-mine", TargetKeyId=mine)
    kms.create_alias(AliasName="alias/iam-theirs", TargetKeyId=theirs)
    condition = {"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/iam-m*"}}
    allowed = {"Action": ["kms:Sign"], "Resource": f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/*", "Condition": condition}
    signer = cloud.client("kms", **keys_of(cloud, "signer", allowed))
    digest = {"Message": bytes(32), "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256"}

    assert signer.sign(KeyId=mine, **digest)["KeyId"] == mine
    assert signer.sign(KeyId="alias/iam-mine", **digest)["KeyId"] == mine
    for other in (theirs, theirs.rpartition("/")[2], "alias/iam-theirs"):
        with pytest.raises(ClientError) as caught:
            signer.sign(KeyId=other, **digest)
        assert code(caught) == "AccessDeniedException"


THROUGH_S3 = {"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}


def encrypted(cloud: Running, bucket: str) -> str:
    """Make a bucket that encrypts with a key of ours; the key's ARN."""
    key: str = cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    cloud.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    cloud.client("s3").put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    return key


def test_objects_need_the_use_of_their_buckets_key(cloud: Running) -> None:
    key = encrypted(cloud, "locked")
    cloud.client("s3").put_object(Bucket="locked", Key="a", Body=b"1")
    objects = {"Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::locked/*"}
    through = {"Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": key, "Condition": THROUGH_S3}
    without = cloud.client("s3", **keys_of(cloud, "without-key", objects))
    keys = keys_of(cloud, "with-key", objects, through)

    with pytest.raises(ClientError) as reading:
        without.get_object(Bucket="locked", Key="a")
    with pytest.raises(ClientError) as writing:
        without.put_object(Bucket="locked", Key="b", Body=b"2")
    assert code(reading) == code(writing) == "AccessDenied"
    cloud.client("s3", **keys).put_object(Bucket="locked", Key="b", Body=b"2")
    assert cloud.client("s3", **keys).get_object(Bucket="locked", Key="b")["Body"].read() == b"2"
    with pytest.raises(ClientError) as by_itself:
        cloud.client("kms", **keys).generate_data_key(KeyId=key, KeySpec="AES_256")
    assert code(by_itself) == "AccessDeniedException"


def test_another_account_uses_a_key_only_where_the_keys_policy_lets_it(cloud: Running) -> None:
    key = encrypted(cloud, "lent")
    cloud.client("s3").put_object(Bucket="lent", Key="a", Body=b"1")
    statement = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"}}
    bucket = {"Version": "2012-10-17", "Statement": [{**statement, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::lent/*"}]}
    cloud.client("s3").put_bucket_policy(Bucket="lent", Policy=json.dumps(bucket))
    theirs = cloud.client("s3", OTHER)
    with pytest.raises(ClientError) as caught:
        theirs.get_object(Bucket="lent", Key="a")
    assert code(caught) == "AccessDenied"

    policy = json.loads(cloud.client("kms").get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    policy["Statement"].append({**statement, "Action": "kms:Decrypt", "Resource": "*"})
    cloud.client("kms").put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))

    assert theirs.get_object(Bucket="lent", Key="a")["Body"].read() == b"1"


def test_a_missing_object_is_told_to_those_who_may_list(cloud: Running) -> None:
    cloud.client("s3").create_bucket(Bucket="shelf", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    read = {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::shelf/*"}
    listing = {"Action": "s3:ListBucket", "Resource": "arn:aws:s3:::shelf"}
    narrow = {**listing, "Condition": {"StringLike": {"s3:prefix": "ledger/*"}}}
    answers = {
        name: cloud.client("s3", **keys_of(cloud, name, read, *more))
        for name, more in (("blind", ()), ("half", (narrow,)), ("sees", (listing,)))
    }

    for name, said in (("blind", "AccessDenied"), ("half", "AccessDenied"), ("sees", "NoSuchKey")):
        with pytest.raises(ClientError) as caught:
            answers[name].get_object(Bucket="shelf", Key="none")
        assert code(caught) == said, name
    assert answers["half"].list_objects_v2(Bucket="shelf", Prefix="ledger/x")["KeyCount"] == 0
    with pytest.raises(ClientError) as whole:
        answers["half"].list_objects_v2(Bucket="shelf")
    assert code(whole) == "AccessDenied"


def test_a_model_card_is_known_by_its_name(cloud: Running) -> None:
    allowed = {"Action": "sagemaker:CreateModelCard", "Resource": f"arn:aws:sagemaker:eu-west-1:{ACCOUNT}:model-card/lead-*"}
    sagemaker = cloud.client("sagemaker", **keys_of(cloud, "librarian", allowed))

    sagemaker.create_model_card(ModelCardName="lead-1", Content="{}", ModelCardStatus="Draft")
    with pytest.raises(ClientError) as caught:
        sagemaker.create_model_card(ModelCardName="credit-1", Content="{}", ModelCardStatus="Draft")
    assert code(caught) == "AccessDeniedException"


def test_who_may_only_reject_cannot_approve(cloud: Running) -> None:
    sagemaker = cloud.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="judged")
    inference = {"Containers": [{"Image": "i"}], "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}
    arn = sagemaker.create_model_package(ModelPackageGroupName="judged", InferenceSpecification=inference)["ModelPackageArn"]
    rejects = {"StringEquals": {"sagemaker:ModelApprovalStatus": "Rejected"}}
    allowed = {"Action": "sagemaker:UpdateModelPackage", "Resource": "*", "Condition": rejects}
    stage = cloud.client("sagemaker", **keys_of(cloud, "rejects", allowed))

    stage.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected", CustomerMetadataProperties={"rolled_back": "now"})
    for change in ({"ModelApprovalStatus": "Approved"}, {"CustomerMetadataProperties": {"commit": "forged"}}):
        with pytest.raises(ClientError) as caught:
            stage.update_model_package(ModelPackageArn=arn, **change)
        assert code(caught) == "AccessDeniedException"

    package = sagemaker.describe_model_package(ModelPackageName=arn)
    assert (package["ModelApprovalStatus"], package["CustomerMetadataProperties"]) == ("Rejected", {"rolled_back": "now"})


def test_a_boundary_is_the_most_that_a_role_may_do_and_gives_nothing(cloud: Running) -> None:
    iam, trusts = cloud.client("iam"), {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    wide = {"Action": ["ssm:GetParameter", "ssm:PutParameter"], "Resource": "*"}
    limits = [
        {"Effect": "Allow", "Action": ["ssm:GetParameter", "ssm:DescribeParameters"], "Resource": "*"},
        {"Effect": "Deny", "Action": "ssm:GetParameter", "Resource": "arn:aws:ssm:*:*:parameter/bound/secret"},
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": limits})
    boundary = iam.create_policy(PolicyName="boundary", PolicyDocument=document)["Policy"]["Arn"]
    arn = cloud.role("bound", trusts=trusts, allows=[wide])
    for name in ("/bound/open", "/bound/secret"):
        cloud.client("ssm").put_parameter(Name=name, Value="1", Type="String")
    iam.put_role_permissions_boundary(RoleName="bound", PermissionsBoundary=boundary)
    ssm = cloud.client("ssm", **cloud.assume(arn))

    assert ssm.get_parameter(Name="/bound/open")["Parameter"]["Value"] == "1"
    refused: list[tuple[Callable[[], object], str]] = [
        (lambda: ssm.put_parameter(Name="/bound/open", Value="2", Type="String"), "no permissions boundary allows the ssm:PutParameter"),
        (lambda: ssm.get_parameter(Name="/bound/secret"), "explicit deny in a permissions boundary"),
        (lambda: ssm.describe_parameters(), "no identity-based policy allows"),
    ]
    for call, why in refused:
        with pytest.raises(ClientError, match=why):
            call()
    iam.delete_role_permissions_boundary(RoleName="bound")
    ssm.put_parameter(Name="/bound/open", Value="2", Type="String", Overwrite=True)


def test_a_boundary_that_is_not_there_is_refused(cloud: Running) -> None:
    iam, absent = cloud.client("iam"), f"arn:aws:iam::{ACCOUNT}:policy/absent"
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    cloud.role("boundless", trusts={"AWS": "*"}, allows=[READ])

    with pytest.raises(ClientError, match="does not exist or is not attachable"):
        iam.create_role(RoleName="unborn", AssumeRolePolicyDocument=trust, PermissionsBoundary=absent)
    with pytest.raises(ClientError, match="does not exist or is not attachable"):
        iam.put_role_permissions_boundary(RoleName="boundless", PermissionsBoundary=absent)


def test_a_template_gives_a_role_its_boundary_and_takes_it_away(cloud: Running) -> None:
    iam = cloud.client("iam")
    document = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})
    boundary = iam.create_policy(PolicyName="of-templates", PolicyDocument=document)["Policy"]["Arn"]

    def deployed(kind: str, **more: str) -> str:
        trust = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "events.amazonaws.com"}}]}
        role = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "by-template", "AssumeRolePolicyDocument": trust, **more}}
        return deploy(cloud, "bounded", {"Resources": {"Role": role}}, kind)

    assert deployed("CREATE", PermissionsBoundary=boundary) == "CREATE_COMPLETE"
    assert iam.get_role(RoleName="by-template")["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
    assert deployed("UPDATE", PermissionsBoundary=f"{boundary}-absent") == "UPDATE_ROLLBACK_COMPLETE"
    assert "does not exist or is not attachable" in reasons(cloud, "bounded")
    assert iam.get_role(RoleName="by-template")["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
    assert deployed("UPDATE") == "UPDATE_COMPLETE"
    assert "PermissionsBoundary" not in iam.get_role(RoleName="by-template")["Role"]
