"""A missing permission must fail on the laptop."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from answers import answer
from botocore.exceptions import ClientError
from cloudformation_stacks import deploy, reasons

from localcloud.testing import ACCOUNT, OTHER, REGION, REPOSITORY
from localcloud.testing.accounts import Accounts
from localcloud.testing.marks import across
from localcloud.testing.names import Name
from localcloud.testing.waiting import until

READ = {"Action": "s3:GetObject", "Resource": "*"}
ROOT = f"arn:aws:iam::{ACCOUNT}:root"

pytestmark = pytest.mark.aws("IAM: each stage, job and endpoint calls with its deployed role's credentials")


def code(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


def test_an_unknown_key_is_refused(cloud: Accounts) -> None:
    stranger = cloud.client("iam", AccessKeyId="AKIAAAAAAAAAAAAAAAAA", SecretAccessKey="wrong")  # pragma: allowlist secret

    assert answer(stranger.list_roles) == "InvalidClientTokenId"


def test_a_wrong_secret_is_refused(cloud: Accounts, name: Name) -> None:
    keys = keys_of(cloud, name("forged"), READ)

    assert answer(cloud.client("iam", **{**keys, "SecretAccessKey": "wrong"}).list_roles) == "SignatureDoesNotMatch"


def test_a_role_may_do_what_its_policy_allows_and_no_more(cloud: Accounts, name: Name) -> None:
    mine, theirs = f"/{name('mine')}/x", f"/{name('theirs')}/x"
    allowed = {"Action": "ssm:GetParameter", "Resource": f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/{name('mine')}/*"}
    for parameter in (mine, theirs):
        cloud.client("ssm").put_parameter(Name=parameter, Value="1", Type="String")
    ssm = cloud.client("ssm", **keys_of(cloud, name("reader"), allowed))

    assert ssm.get_parameter(Name=mine)["Parameter"]["Value"] == "1"
    assert answer(ssm.get_parameter, Name=theirs) == "AccessDeniedException"
    assert answer(ssm.put_parameter, Name=mine, Value="2", Type="String") == "AccessDeniedException"


@across
def test_a_trust_policy_decides_who_may_assume_a_role(cloud: Accounts, name: Name) -> None:
    arn = cloud.role(name("closed"), trusts={"AWS": ROOT}, allows=[READ])

    with pytest.raises(ClientError) as caught:
        cloud.assume(arn, OTHER)

    assert code(caught) == "AccessDenied"


@across
def test_another_account_reads_a_bucket_only_with_a_bucket_policy(cloud: Accounts, name: Name) -> None:
    s3, theirs, shared = cloud.client("s3"), cloud.client("s3", OTHER), cloud.create_bucket(name("shared"))
    s3.put_object(Bucket=shared, Key="a", Body=b"1")
    assert answer(theirs.get_object, Bucket=shared, Key="a") == "AccessDenied"
    principal = {"AWS": f"arn:aws:iam::{OTHER}:root"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{shared}/*"}

    s3.put_bucket_policy(Bucket=shared, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))

    until(lambda: answer(theirs.get_object, Bucket=shared, Key="a") == "done")
    assert theirs.get_object(Bucket=shared, Key="a")["Body"].read() == b"1"


def keys_of(cloud: Accounts, name: str, *allows: dict[str, Any]) -> dict[str, str]:
    """Temporary keys of a new role of ACCOUNT that may do this."""
    return cloud.assume(cloud.role(name, trusts={"AWS": ROOT}, allows=list(allows)))


def test_a_key_is_used_by_those_who_may_use_its_alias(cloud: Accounts, name: Name) -> None:
    kms, alias, other = cloud.client("kms"), f"alias/{name('mine')}", f"alias/{name('theirs')}"
    mine, theirs = (kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"] for _ in range(2))
    kms.create_alias(AliasName=alias, TargetKeyId=mine)
    kms.create_alias(AliasName=other, TargetKeyId=theirs)
    condition = {"ForAnyValue:StringLike": {"kms:ResourceAliases": f"{alias[:-3]}*"}}
    allowed = {"Action": ["kms:Sign"], "Resource": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/*", "Condition": condition}
    signer = cloud.client("kms", **keys_of(cloud, name("signer"), allowed))
    digest = {"Message": bytes(32), "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256"}

    until(lambda: answer(signer.sign, KeyId=mine, **digest) == "done")
    assert signer.sign(KeyId=mine, **digest)["KeyId"] == mine
    assert signer.sign(KeyId=alias, **digest)["KeyId"] == mine
    for unlike in (theirs, theirs.rpartition("/")[2], other):
        assert answer(signer.sign, KeyId=unlike, **digest) == "AccessDeniedException"


THROUGH_S3 = {"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}}


def encrypted(cloud: Accounts, bucket: str) -> str:
    """Make a bucket that encrypts with a key of ours; the key's ARN."""
    key: str = cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    cloud.create_bucket(bucket)
    cloud.client("s3").put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    return key


def test_objects_need_the_use_of_their_buckets_key(cloud: Accounts, name: Name) -> None:
    locked = name("locked")
    key = encrypted(cloud, locked)
    cloud.client("s3").put_object(Bucket=locked, Key="a", Body=b"1")
    objects = {"Action": ["s3:GetObject", "s3:PutObject"], "Resource": f"arn:aws:s3:::{locked}/*"}
    through = {"Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": key, "Condition": THROUGH_S3}
    without = cloud.client("s3", **keys_of(cloud, name("without-key"), objects))
    keys = keys_of(cloud, name("with-key"), objects, through)

    assert answer(without.get_object, Bucket=locked, Key="a") == "AccessDenied"
    assert answer(without.put_object, Bucket=locked, Key="b", Body=b"2") == "AccessDenied"
    cloud.client("s3", **keys).put_object(Bucket=locked, Key="b", Body=b"2")
    assert cloud.client("s3", **keys).get_object(Bucket=locked, Key="b")["Body"].read() == b"2"
    assert answer(cloud.client("kms", **keys).generate_data_key, KeyId=key, KeySpec="AES_256") == "AccessDeniedException"


@across
def test_another_account_uses_a_key_only_where_the_keys_policy_lets_it(cloud: Accounts, name: Name) -> None:
    lent = name("lent")
    key = encrypted(cloud, lent)
    cloud.client("s3").put_object(Bucket=lent, Key="a", Body=b"1")
    statement = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"}}
    bucket = {"Version": "2012-10-17", "Statement": [{**statement, "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{lent}/*"}]}
    cloud.client("s3").put_bucket_policy(Bucket=lent, Policy=json.dumps(bucket))
    theirs = cloud.client("s3", OTHER)
    assert answer(theirs.get_object, Bucket=lent, Key="a") == "AccessDenied"

    policy = json.loads(cloud.client("kms").get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    policy["Statement"].append({**statement, "Action": "kms:Decrypt", "Resource": "*"})
    cloud.client("kms").put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))

    until(lambda: answer(theirs.get_object, Bucket=lent, Key="a") == "done")


def test_a_missing_object_is_told_to_those_who_may_list(cloud: Accounts, name: Name) -> None:
    shelf = cloud.create_bucket(name("shelf"))
    read = {"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{shelf}/*"}
    listing = {"Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{shelf}"}
    narrow = {**listing, "Condition": {"StringLike": {"s3:prefix": "ledger/*"}}}
    blind, half, sees = (
        cloud.client("s3", **keys_of(cloud, name(kind), read, *more))
        for kind, more in (("blind", ()), ("half", (narrow,)), ("sees", (listing,)))
    )

    for client, said in ((blind, "AccessDenied"), (half, "AccessDenied"), (sees, "NoSuchKey")):
        assert answer(client.get_object, Bucket=shelf, Key="none") == said
    assert half.list_objects_v2(Bucket=shelf, Prefix="ledger/x")["KeyCount"] == 0
    assert answer(half.list_objects_v2, Bucket=shelf) == "AccessDenied"


def test_a_model_card_is_known_by_its_name(cloud: Accounts, name: Name) -> None:
    allowed = {"Action": "sagemaker:CreateModelCard", "Resource": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-card/{name('lead')}-*"}
    sagemaker = cloud.client("sagemaker", **keys_of(cloud, name("librarian"), allowed))
    card = {"Content": "{}", "ModelCardStatus": "Draft"}

    sagemaker.create_model_card(ModelCardName=f"{name('lead')}-1", **card)
    assert answer(sagemaker.create_model_card, ModelCardName=f"{name('credit')}-1", **card) == "AccessDeniedException"


def test_a_transform_job_is_asked_about_by_its_own_name(cloud: Accounts, name: Name) -> None:
    """Not by its model's, which the request may have first."""
    allowed = {"Action": "sagemaker:CreateTransformJob", "Resource": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:transform-job/{name('lead')}-*"}
    sagemaker = cloud.client("sagemaker", **keys_of(cloud, name("scorer"), allowed))
    request: dict[str, Any] = {
        "ModelName": name("nobody"),
        "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/k"}}},
        "TransformOutput": {"S3OutputPath": "s3://b/out"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }

    assert answer(sagemaker.create_transform_job, **request, TransformJobName=f"{name('lead')}-1") == "ValidationException"
    assert answer(sagemaker.create_transform_job, **request, TransformJobName=f"{name('credit')}-1") == "AccessDeniedException"


@pytest.mark.aws("UpdateModelPackage allowed for rejections only")
def test_who_may_only_reject_cannot_approve(cloud: Accounts, name: Name) -> None:
    sagemaker = cloud.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName=name("judged"))
    inference = {
        "Containers": [{"Image": f"{REPOSITORY}:test"}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    arn = sagemaker.create_model_package(ModelPackageGroupName=name("judged"), InferenceSpecification=inference)["ModelPackageArn"]
    rejects = {"StringEquals": {"sagemaker:ModelApprovalStatus": "Rejected"}}
    allowed = {"Action": "sagemaker:UpdateModelPackage", "Resource": "*", "Condition": rejects}
    stage = cloud.client("sagemaker", **keys_of(cloud, name("rejects"), allowed))

    stage.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected", CustomerMetadataProperties={"rolled_back": "now"})
    for change in ({"ModelApprovalStatus": "Approved"}, {"CustomerMetadataProperties": {"commit": "forged"}}):
        assert answer(stage.update_model_package, ModelPackageArn=arn, **change) == "AccessDeniedException"

    package = sagemaker.describe_model_package(ModelPackageName=arn)
    assert (package["ModelApprovalStatus"], package["CustomerMetadataProperties"]) == ("Rejected", {"rolled_back": "now"})


def boundary(cloud: Accounts, name: str, *statements: dict[str, Any]) -> str:
    """The ARN of a managed policy."""
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    return str(cloud.client("iam").create_policy(PolicyName=name, PolicyDocument=document)["Policy"]["Arn"])


@pytest.mark.aws("a permissions boundary on every role")
def test_a_boundary_is_the_most_that_a_role_may_do_and_gives_nothing(cloud: Accounts, name: Name) -> None:
    iam, role, open_, secret = cloud.client("iam"), name("bound"), f"/{name('bound')}/open", f"/{name('bound')}/secret"
    wide = {"Action": ["ssm:GetParameter", "ssm:PutParameter"], "Resource": "*"}
    least = {"Effect": "Allow", "Action": ["ssm:GetParameter", "ssm:DescribeParameters"], "Resource": "*"}
    never = {"Effect": "Deny", "Action": "ssm:GetParameter", "Resource": f"arn:aws:ssm:*:*:parameter{secret}"}
    limits = boundary(cloud, name("boundary"), least, never)
    arn = cloud.role(role, trusts={"AWS": ROOT}, allows=[wide])
    for parameter in (open_, secret):
        cloud.client("ssm").put_parameter(Name=parameter, Value="1", Type="String")
    iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=limits)
    cloud.settle()
    ssm = cloud.client("ssm", **cloud.assume(arn))

    assert ssm.get_parameter(Name=open_)["Parameter"]["Value"] == "1"
    refused: list[tuple[Callable[[], object], str]] = [
        (lambda: ssm.put_parameter(Name=open_, Value="2", Type="String"), "no permissions boundary allows the ssm:PutParameter"),
        (lambda: ssm.get_parameter(Name=secret), "explicit deny in a permissions boundary"),
        (lambda: ssm.describe_parameters(), "no identity-based policy allows"),
    ]
    for call, why in refused:
        with pytest.raises(ClientError, match=why):
            call()
    iam.delete_role_permissions_boundary(RoleName=role)
    until(lambda: answer(ssm.put_parameter, Name=open_, Value="2", Type="String", Overwrite=True) == "done")


@pytest.mark.aws("a permissions boundary on every role")
def test_a_boundary_that_is_not_there_is_refused(cloud: Accounts, name: Name) -> None:
    iam, absent = cloud.client("iam"), f"arn:aws:iam::{ACCOUNT}:policy/{name('absent')}"
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ROOT}}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    cloud.role(name("boundless"), trusts={"AWS": ROOT}, allows=[READ])

    with pytest.raises(ClientError, match=r"NoSuchEntity.*does not exist or is not attachable"):
        iam.create_role(RoleName=name("unborn"), AssumeRolePolicyDocument=trust, PermissionsBoundary=absent)
    with pytest.raises(ClientError, match=r"NoSuchEntity.*does not exist or is not attachable"):
        iam.put_role_permissions_boundary(RoleName=name("boundless"), PermissionsBoundary=absent)


@pytest.mark.aws("a permissions boundary on every role")
def test_a_template_gives_a_role_its_boundary_and_takes_it_away(cloud: Accounts, name: Name) -> None:
    iam, role, stack = cloud.client("iam"), name("by-template"), name("bounded")
    limits = boundary(cloud, name("of-templates"), {"Effect": "Allow", "Action": "s3:*", "Resource": "*"})

    def deployed(kind: str, **more: str) -> str:
        trust = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "events.amazonaws.com"}}]}
        resource = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": role, "AssumeRolePolicyDocument": trust, **more}}
        return deploy(cloud, stack, {"Resources": {"Role": resource}}, kind)

    assert deployed("CREATE", PermissionsBoundary=limits) == "CREATE_COMPLETE"
    assert iam.get_role(RoleName=role)["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == limits
    assert deployed("UPDATE", PermissionsBoundary=f"{limits}-absent") == "UPDATE_ROLLBACK_COMPLETE"
    assert "does not exist or is not attachable" in reasons(cloud, stack)
    assert iam.get_role(RoleName=role)["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == limits
    assert deployed("UPDATE") == "UPDATE_COMPLETE"
    assert "PermissionsBoundary" not in iam.get_role(RoleName=role)["Role"]


def test_who_asks_a_component_must_be_let_ask_it_and_its_endpoint(cloud: Accounts, name: Name) -> None:
    here = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"
    endpoint, component = f"{here}:endpoint/{name('e')}", f"{here}:inference-component/{name('c')}"
    asked = {"EndpointName": name("e"), "InferenceComponentName": name("c"), "Body": b"x"}

    def answers(who: str, *resources: str) -> str:
        allowed = {"Action": "sagemaker:InvokeEndpoint", "Resource": list(resources)}
        return answer(cloud.client("sagemaker-runtime", **keys_of(cloud, name(who), allowed)).invoke_endpoint, **asked)

    assert answers("half", endpoint) == "AccessDeniedException"
    assert answers("whole", endpoint, component) == "ValidationError"  # there is none
