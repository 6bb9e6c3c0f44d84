"""A missing permission must fail on the laptop."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from localcloud import iam
from tests.localcloud.running import ACCOUNT, OTHER, Running

READ = {"Action": "s3:GetObject", "Resource": "*"}


def code(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


def test_an_unknown_key_is_refused(cloud: Running) -> None:
    stranger = cloud.client("ssm", AccessKeyId="AKIAAAAAAAAAAAAAAAAA", SecretAccessKey="wrong")

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


@pytest.mark.parametrize(
    ("statement", "action", "resource", "allowed"),
    [
        ({"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}, "s3:GetObject", "arn:aws:s3:::b/k", True),
        ({"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::b/*"}, "s3:GetObject", "arn:aws:s3:::c/k", False),
        ({"Effect": "Allow", "Action": ["S3:getobject"], "Resource": ["arn:aws:s3:::b/?"]}, "s3:GetObject", "arn:aws:s3:::b/k", True),
        ({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}, "s3:GetObject", None, False),
        ({"Effect": "Deny", "Action": "*", "Resource": "*"}, "s3:GetObject", None, False),
        ({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/k"}, "s3:GetObject", None, True),
        ({"Effect": "Allow", "Action": "s3.GetObject", "Resource": "*"}, "s3:GetObject", None, False),
    ],
)
def test_statements_are_read_as_iam_reads_them(statement: dict[str, object], action: str, resource: str | None, allowed: bool) -> None:
    assert iam.allows([statement], action=action, resource=resource) is allowed


def test_a_deny_wins_over_an_allow() -> None:
    both = [{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "*"}]

    assert iam.allows(both, action="s3:GetObject", resource=None)
    assert not iam.allows(both, action="s3:DeleteObject", resource=None)


def test_a_condition_on_the_principal_is_judged() -> None:
    trusted = f"arn:aws:iam::{ACCOUNT}:role/deploy"
    document = json.dumps(
        {
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": "sts:AssumeRole",
                    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                    "Condition": {"ArnEquals": {"aws:PrincipalArn": [trusted]}},
                }
            ]
        }
    )

    assert iam.trusts(document, caller=trusted)
    assert not iam.trusts(document, caller=f"arn:aws:iam::{ACCOUNT}:role/other")
