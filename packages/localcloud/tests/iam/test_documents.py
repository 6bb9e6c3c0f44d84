"""Policy documents that AWS does not take are refused: by their words, by whom they name, and by their size."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cloudformation_stacks import deploy, reasons

from localcloud.iam import documents
from localcloud.testing import ACCOUNT, named
from localcloud.testing.accounts import Accounts
from localcloud.testing.names import Name

ALLOW = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
ROOT, NOBODY = f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws:iam::{ACCOUNT}:role/{named('nobody')}"


def policy(*statements: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements), **more}


def trust(*principals: Any) -> dict[str, Any]:
    return policy(*({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal} for principal in principals))


def of_size(characters: int, **element: Any) -> dict[str, Any]:
    """A policy of just so many characters, white space apart."""
    resource = "arn:aws:s3:::bucket/"
    bare = len(json.dumps(policy({**ALLOW, **element, "Resource": resource}), separators=(",", ":")))
    return policy({**ALLOW, **element, "Resource": resource + "a" * (characters - bare)})


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (policy(ALLOW), None),
        (json.dumps(policy(ALLOW)), None),
        ({"Statement": ALLOW}, None),
        ("{", "Syntax errors in policy."),
        (policy(ALLOW, Colour="red"), "Syntax errors in policy."),
        ({**policy(ALLOW), "Version": "2026-11-29"}, "Syntax errors in policy."),
        (policy({**ALLOW, "Colour": "red"}), "Syntax errors in policy."),
        (policy({**ALLOW, "Effect": "allow"}), "Syntax errors in policy."),
        (policy({"Effect": "Allow", "Resource": "*"}), "Policy statement must contain actions."),
        (policy({"Effect": "Allow", "Action": "s3:*"}), "Policy statement must contain resources."),
        (policy({**ALLOW, "Principal": "*"}), "Policy document should not specify a principal."),
        (policy({**ALLOW, "Sid": "A"}, {**ALLOW, "Sid": "A"}), "Statement IDs (SID) in a single policy must be unique."),
    ],
)
@pytest.mark.laptop("a function of localcloud that reads policies")
def test_a_policy_of_a_role_is_read(document: Any, words: str | None) -> None:
    assert documents.malformed_of_identity(document) == words


@pytest.mark.parametrize(
    ("principal", "invalid"),
    [
        ("*", None),
        ({"AWS": "*"}, None),
        ({"AWS": ACCOUNT}, None),
        ({"AWS": [ROOT, f"arn:aws:sts::{ACCOUNT}:assumed-role/a/b"]}, None),
        ({"Service": ["sagemaker.amazonaws.com", "codebuild.amazonaws.com"]}, None),
        ({"AWS": NOBODY}, f'"AWS":"{NOBODY}"'),
        ({"AWS": [ROOT, "somebody"]}, '"AWS":"somebody"'),
        ({"AWS": "1234"}, '"AWS":"1234"'),
        ({"Service": "sagemaker"}, '"Service":"sagemaker"'),
        ({"Colour": "red"}, '"Colour":"red"'),
    ],
)
@pytest.mark.laptop("a function of localcloud that reads policies")
def test_a_principal_is_somebody(principal: Any, invalid: str | None) -> None:
    assert documents.malformed_on_resource(trust(principal)) == (invalid and f"Invalid principal in policy: {invalid}")


@pytest.mark.aws("policy documents: unknown elements, invalid principals, sizes")
def test_iam_keeps_no_policy_that_is_malformed_or_too_large(cloud: Accounts, name: Name) -> None:
    iam, role, service = cloud.client("iam"), name("role"), {"Service": "sagemaker.amazonaws.com"}
    with pytest.raises(ClientError, match=r"MalformedPolicyDocument.*Invalid principal in policy"):
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust({"AWS": NOBODY})))
    with pytest.raises(ClientError, match=r"LimitExceeded.*ACLSizePerRole: 2048"):
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust(*[service] * 30)))
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust(service)))

    iam.put_role_policy(RoleName=role, PolicyName="first", PolicyDocument=json.dumps(of_size(5000)))
    iam.put_role_policy(RoleName=role, PolicyName="second", PolicyDocument=json.dumps(of_size(5240), indent=8))
    with pytest.raises(ClientError, match=f"LimitExceeded.*Maximum policy size of 10240 bytes exceeded for role {role}"):
        iam.put_role_policy(RoleName=role, PolicyName="second", PolicyDocument=json.dumps(of_size(5241)))
    iam.create_policy(PolicyName=name("fits"), PolicyDocument=json.dumps(of_size(6144)))
    with pytest.raises(ClientError, match=r"LimitExceeded.*PolicySize: 6144"):
        iam.create_policy(PolicyName=name("too-large"), PolicyDocument=json.dumps(of_size(6145)))


@pytest.mark.aws("policy documents: unknown elements, invalid principals, sizes")
def test_a_stacks_role_has_no_larger_ones(cloud: Accounts, name: Name) -> None:
    def role(inline: int) -> dict[str, Any]:
        policies = [{"PolicyName": "all", "PolicyDocument": of_size(inline)}]
        properties = {"AssumeRolePolicyDocument": trust({"Service": "sagemaker.amazonaws.com"}), "Policies": policies}
        return {"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": properties}}}

    assert deploy(cloud, name("stack"), role(10_240)) == "CREATE_COMPLETE", reasons(cloud, name("stack"))
    assert deploy(cloud, name("stack"), role(10_241), "UPDATE") == "UPDATE_ROLLBACK_COMPLETE"
    assert "Maximum policy size of 10240 bytes exceeded" in reasons(cloud, name("stack"))


@pytest.mark.aws("policy documents: unknown elements, invalid principals, sizes")
def test_a_key_and_a_bucket_are_for_somebody(cloud: Accounts, name: Name) -> None:
    kms, s3, bucket = cloud.client("kms"), cloud.client("s3"), cloud.create_bucket(name("bucket"))
    own = {"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Principal": {"AWS": ROOT}}
    mine = {"Effect": "Allow", "Action": "s3:*", "Resource": f"arn:aws:s3:::{bucket}/*", "Principal": {"AWS": ROOT}}
    nobody = {"Principal": {"AWS": NOBODY}}

    kms.create_key(Policy=json.dumps(policy(own)))
    with pytest.raises(ClientError, match=r"MalformedPolicyDocumentException.*Invalid principal"):
        kms.create_key(Policy=json.dumps(policy(own, {**own, **nobody})))
    with pytest.raises(ClientError, match="LimitExceededException"):
        kms.create_key(Policy=json.dumps(policy(own, of_size(32 * 1024, Principal={"AWS": ROOT})["Statement"][0])))
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy(mine)))
    with pytest.raises(ClientError, match=r"MalformedPolicy.*Invalid principal"):
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy({**mine, **nobody})))
    too_large = policy(*({**mine, "Sid": f"{number:0100}"} for number in range(100)))
    with pytest.raises(ClientError, match=r"MalformedPolicy.*exceeds the maximum allowed document size"):
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(too_large))
