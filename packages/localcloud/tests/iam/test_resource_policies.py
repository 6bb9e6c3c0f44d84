"""The policies of keys and buckets decide beside those of roles, in their own account too."""

from __future__ import annotations

import json
from typing import Any

import pytest
from answers import answer
from botocore.exceptions import ClientError
from cloudformation_stacks import deploy, reasons

from localcloud.testing import ACCOUNT, REGION, REPOSITORY
from localcloud.testing.accounts import Accounts
from localcloud.testing.names import Name

Json = dict[str, Any]
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
OWN: Json = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"}
DIGEST = {"Message": bytes(32), "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256"}
SIGN = {"Action": "kms:Sign", "Resource": "*"}

pytestmark = pytest.mark.aws("a KMS key's policy decides who uses it")


def role(cloud: Accounts, name: str, *allows: Json) -> Any:
    """The keys of a new role that may do this."""
    return cloud.assume(
        cloud.role(name, trusts={"AWS": ROOT}, allows=list(allows) or [{"Action": "sts:GetCallerIdentity", "Resource": "*"}])
    )


def arn_of(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def key(cloud: Accounts, *statements: Json) -> str:
    """The ARN of a signing key with this key policy."""
    policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    made = cloud.client("kms").create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY", Policy=policy)
    return str(made["KeyMetadata"]["Arn"])


def signs(cloud: Accounts, keys: Json, arn: str) -> str:
    """What becomes of signing: "signed", or why not."""
    try:
        cloud.client("kms", **keys).sign(KeyId=arn, **DIGEST)
    except ClientError as problem:
        return str(problem)
    return "signed"


def test_a_role_signs_only_where_the_key_lets_its_account_decide(cloud: Accounts, name: Name) -> None:
    """An identity policy alone is worth nothing: AWS's guide, "Key policies in AWS KMS"."""
    keys = role(cloud, name("kms-any"), SIGN)
    keeps = {**OWN, "Action": ["kms:PutKeyPolicy", "kms:Describe*", "kms:ScheduleKeyDeletion"]}
    role(cloud, name("kms-third"))
    other = {**OWN, "Principal": {"AWS": arn_of(name("kms-third"))}}

    assert signs(cloud, keys, key(cloud, OWN)) == "signed"
    assert "no resource-based policy allows the kms:Sign action" in signs(cloud, keys, key(cloud, keeps, other))
    assert "no resource-based policy" in signs(cloud, {}, key(cloud, keeps, other))


def test_a_role_that_the_key_names_needs_no_policy_of_its_own(cloud: Accounts, name: Name) -> None:
    keys = role(cloud, name("kms-named"))
    own = {"Effect": "Allow", "Principal": {"AWS": arn_of(name("kms-named"))}, "Action": "kms:Sign", "Resource": "*"}

    assert signs(cloud, keys, key(cloud, OWN, own)) == "signed"
    assert "no identity-based policy" in signs(cloud, keys, key(cloud, OWN))


def test_a_key_denies_everybody_but_the_one_who_attests(cloud: Accounts, name: Name) -> None:
    """Whatever their own policies say, the administrator's too: so a key says who may sign, and no convention."""
    attests, other = role(cloud, name("kms-attests"), SIGN), role(cloud, name("kms-other"), SIGN)
    deny = {"Effect": "Deny", "Principal": "*", "Action": "kms:Sign", "Resource": "*"}
    alone = key(cloud, OWN, {**deny, "Condition": {"ArnNotEquals": {"aws:PrincipalArn": arn_of(name("kms-attests"))}}})
    like = key(cloud, OWN, {**deny, "Condition": {"ArnNotLike": {"aws:PrincipalArn": f"{arn_of(name('kms-attests')[:-3])}*"}}})

    for arn in (alone, like):
        assert signs(cloud, attests, arn) == "signed"
        assert "with an explicit deny in a resource-based policy" in signs(cloud, other, arn)
        assert "explicit deny" in signs(cloud, {}, arn)


def test_an_alias_is_moved_by_those_who_may_use_it_so_at_both_keys(cloud: Accounts, name: Name) -> None:
    """Or whoever has a key of his own could put it in the place of the one that attests."""
    kms, keeps = cloud.client("kms"), {**OWN, "Action": ["kms:PutKeyPolicy", "kms:Sign", "kms:ScheduleKeyDeletion"]}
    attests, forges = key(cloud, keeps, {**OWN, "Action": "kms:CreateAlias"}), key(cloud, OWN)
    kms.create_alias(AliasName=f"alias/{name('attests')}", TargetKeyId=attests)
    narrow = {"Action": "kms:*Alias", "Resource": forges}
    keys = role(cloud, name("moves-alias"), {"Action": "kms:*Alias", "Resource": "*"})
    without = role(cloud, name("moves-no-alias"), narrow)

    administrators: dict[str, str] = {}
    for holder in (keys, administrators):
        for call, members in (("update_alias", {"TargetKeyId": forges}), ("delete_alias", {})):
            with pytest.raises(ClientError, match="no resource-based policy allows the kms:"):
                getattr(cloud.client("kms", **holder), call)(AliasName=f"alias/{name('attests')}", **members)
    with pytest.raises(ClientError, match=rf"kms:CreateAlias on resource: \S+:alias/{name('forges')}"):
        cloud.client("kms", **without).create_alias(AliasName=f"alias/{name('forges')}", TargetKeyId=forges)
    open_again = {"Version": "2012-10-17", "Statement": [OWN]}
    kms.put_key_policy(KeyId=attests, PolicyName="default", Policy=json.dumps(open_again))  # or the alias could never be taken away


def test_a_ciphertext_says_which_key_decrypts_it(cloud: Accounts, name: Name) -> None:
    kms = cloud.client("kms")
    closed = {"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}
    shut = kms.create_key(Policy=json.dumps({"Version": "2012-10-17", "Statement": [OWN, closed]}))["KeyMetadata"]["Arn"]
    sealed = kms.encrypt(KeyId=shut, Plaintext=b"1")["CiphertextBlob"]

    with pytest.raises(ClientError, match="with an explicit deny in a resource-based policy"):
        kms.decrypt(CiphertextBlob=sealed)


def test_a_role_may_sign_digests_by_an_alias_only(cloud: Accounts, name: Name) -> None:
    """As the request says: its message type and the alias it is asked by."""
    digests = {"StringEquals": {"kms:MessageType": "DIGEST", "kms:RequestAlias": f"alias/{name('by-alias')}"}}
    arn = key(cloud, OWN)
    cloud.client("kms").create_alias(AliasName=f"alias/{name('by-alias')}", TargetKeyId=arn)
    signer = cloud.client("kms", **role(cloud, name("by-alias"), {**SIGN, "Condition": digests}))

    assert signer.sign(KeyId=f"alias/{name('by-alias')}", **DIGEST)["KeyId"] == arn
    for members in ({**DIGEST, "KeyId": arn}, {**DIGEST, "KeyId": f"alias/{name('by-alias')}", "MessageType": "RAW"}):
        with pytest.raises(ClientError, match="no identity-based policy"):
            signer.sign(**members)


def test_a_role_is_named_with_its_path(cloud: Accounts, name: Name) -> None:
    iam, trust = (
        cloud.client("iam"),
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ROOT}}]},
    )
    arn = iam.create_role(RoleName=name("kms-path"), Path="/evidence/", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    cloud.settle()
    signing = key(cloud, OWN, {**OWN, "Principal": {"AWS": arn}})

    assert arn.endswith(f":role/evidence/{name('kms-path')}")
    assert signs(cloud, cloud.assume(arn), signing) == "signed"


def test_a_key_policy_that_nobody_could_change_is_refused(cloud: Accounts, name: Name) -> None:
    """But where the request bypasses KMS's safety check. It can still be deleted."""
    kms = cloud.client("kms")
    nobody = json.dumps({"Version": "2012-10-17", "Statement": [{**OWN, "Action": ["kms:Sign", "kms:ScheduleKeyDeletion"]}]})
    arn = key(cloud, OWN)

    for call, members in ((kms.create_key, {}), (kms.put_key_policy, {"KeyId": arn, "PolicyName": "default"})):
        with pytest.raises(ClientError, match="will not allow you to update the key policy in the future") as caught:
            call(Policy=nobody, **members)
        assert caught.value.response["Error"]["Code"] == "MalformedPolicyDocumentException"
    kms.put_key_policy(KeyId=arn, PolicyName="default", Policy=nobody, BypassPolicyLockoutSafetyCheck=True)
    with pytest.raises(ClientError, match="no resource-based policy"):
        kms.put_key_policy(KeyId=arn, PolicyName="default", Policy=json.dumps({"Version": "2012-10-17", "Statement": [OWN]}))


def test_a_stacks_key_that_nobody_could_change_is_not_made(cloud: Accounts, name: Name) -> None:
    locked = {"Version": "2012-10-17", "Statement": [OWN, {**OWN, "Effect": "Deny", "Principal": "*", "Action": "kms:Put*"}]}

    status = deploy(cloud, name("locked-key"), {"Resources": {"Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": locked}}}})

    assert status == "ROLLBACK_COMPLETE"
    assert "will not allow you to update the key policy" in reasons(cloud, name("locked-key"))


def test_a_deny_of_a_role_wins_over_what_the_key_allows(cloud: Accounts, name: Name) -> None:
    keys = role(cloud, name("kms-denied"), SIGN, {"Effect": "Deny", **SIGN, "Condition": {"StringEquals": {"kms:CallerAccount": ACCOUNT}}})

    assert "with an explicit deny in an identity-based policy" in signs(cloud, keys, key(cloud, OWN))


def test_a_key_may_be_used_through_a_service_only(cloud: Accounts, name: Name) -> None:
    kms, s3 = cloud.client("kms"), cloud.client("s3")
    through = {"StringNotEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "kms:GenerateDataKey", "Resource": "*", "Condition": through}
    arn = kms.create_key(Policy=json.dumps({"Version": "2012-10-17", "Statement": [OWN, deny]}))["KeyMetadata"]["Arn"]
    through_s3 = cloud.create_bucket(name("through"))

    s3.put_object(Bucket=through_s3, Key="a", Body=b"1", ServerSideEncryption="aws:kms", SSEKMSKeyId=arn)
    with pytest.raises(ClientError, match="explicit deny"):
        kms.generate_data_key(KeyId=arn, KeySpec="AES_256")


def bucket(cloud: Accounts, name: str, *statements: Json) -> str:
    """A bucket with this policy; each statement is about its objects."""
    s3 = cloud.client("s3")
    cloud.create_bucket(name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=name, Key="held", Body=b"1")
    listed = [{"Principal": "*", "Resource": f"arn:aws:s3:::{name}/*", **s} for s in statements]
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": listed}))
    return name


@pytest.mark.aws("IAM: each stage, job and endpoint calls with its deployed role's credentials")
def test_a_bucket_denies_in_its_own_account(cloud: Accounts, name: Name) -> None:
    deny = {"Effect": "Deny", "Action": "s3:DeleteObjectVersion"}
    secure = {"Effect": "Deny", "Action": "s3:*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    denies = bucket(cloud, name("denies"), deny, secure)
    s3 = cloud.client("s3")
    version = s3.head_object(Bucket=denies, Key="held")["VersionId"]

    assert answer(s3.delete_object, Bucket=denies, Key="held", VersionId=version) == "AccessDenied"
    assert answer(s3.get_object, Bucket=denies, Key="held") == "done"
    assert answer(s3.delete_object, Bucket=denies, Key="held") == "done"
    assert s3.get_object(Bucket=denies, Key="held", VersionId=version)["Body"].read() == b"1"


@pytest.mark.aws("IAM: each stage, job and endpoint calls with its deployed role's credentials")
def test_a_bucket_lets_a_role_of_its_own_account_in(cloud: Accounts, name: Name) -> None:
    """Either policy is enough within an account. One about the account leaves it to the role's, and so does one that nobody can judge."""
    one, two = role(cloud, name("s3-named")), role(cloud, name("s3-not-named"))
    read = {"Effect": "Allow", "Action": "s3:GetObject"}
    from_somewhere = {**read, "Condition": {"StringEquals": {"aws:SourceVpce": "vpce-1"}}}
    lets_in = bucket(
        cloud,
        name("lets-in"),
        {**read, "Principal": {"AWS": arn_of(name("s3-named"))}},
        {**read, "Principal": {"AWS": ROOT}},
        from_somewhere,
    )

    assert answer(cloud.client("s3", **one).get_object, Bucket=lets_in, Key="held") == "done"
    assert answer(cloud.client("s3", **two).get_object, Bucket=lets_in, Key="held") == "AccessDenied"


@pytest.mark.aws("S3 writes of what must be new")
def test_a_bucket_takes_only_what_is_new(cloud: Accounts, name: Name) -> None:
    """As S3's guide has it ("Enforce conditional writes on Amazon S3 buckets"), uploads in parts included."""
    new = {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}
    only_new = bucket(cloud, name("only-new"), {"Effect": "Deny", "Action": "s3:PutObject", "Condition": new})
    s3 = cloud.client("s3")

    assert answer(s3.put_object, Bucket=only_new, Key="held", Body=b"2") == "AccessDenied"
    assert answer(s3.put_object, Bucket=only_new, Key="held", Body=b"2", IfNoneMatch="*") == "PreconditionFailed"
    assert answer(s3.put_object, Bucket=only_new, Key="new", Body=b"2", IfNoneMatch="*") == "done"
    assert answer(s3.create_multipart_upload, Bucket=only_new, Key="large") == "done"


@pytest.mark.aws("UpdateModelPackage allowed for rejections only")
def test_a_package_may_be_registered_as_pending_only(cloud: Accounts, name: Name) -> None:
    sagemaker = cloud.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName=name("pending"))
    inference = {
        "Containers": [{"Image": f"{REPOSITORY}:test"}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    deny = {"Effect": "Deny", "Action": "sagemaker:CreateModelPackage", "Resource": "*"}
    decided = {"StringEquals": {"sagemaker:ModelApprovalStatus": ["Approved", "Rejected"]}}
    edits = {"Effect": "Deny", "Action": "sagemaker:UpdateModelPackage", "Resource": "*"}
    keys = role(
        cloud,
        name("registers"),
        {"Action": ["sagemaker:CreateModelPackage", "sagemaker:UpdateModelPackage"], "Resource": "*"},
        {**deny, "Condition": decided},
        {**edits, "Condition": {"Null": {"sagemaker:ModelApprovalStatus": "true"}}},
        {**edits, "Condition": {"StringLike": {"sagemaker:CustomerMetadataProperties/digest": "*"}}},
    )
    stage = cloud.client("sagemaker", **keys)
    wanted = {"ModelPackageGroupName": name("pending"), "InferenceSpecification": inference}

    arn = stage.create_model_package(**wanted, ModelApprovalStatus="PendingManualApproval")["ModelPackageArn"]
    stage.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected")
    for call, members in (
        (stage.create_model_package, {**wanted, "ModelApprovalStatus": "Approved"}),
        (stage.update_model_package, {"ModelPackageArn": arn, "InferenceSpecification": inference}),
        (
            stage.update_model_package,
            {"ModelPackageArn": arn, "ModelApprovalStatus": "Rejected", "CustomerMetadataProperties": {"digest": "0"}},
        ),
    ):
        with pytest.raises(ClientError, match="with an explicit deny in an identity-based policy"):
            call(**members)
