"""Policy documents that AWS does not take are refused: by their words, by whom they name, and by their size."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cloudformation_stacks import deploy, reasons

from localcloud.iam import documents
from localcloud.testing import ACCOUNT, REGION
from localcloud.testing.names import Name
from localcloud.testing.running import Running

ALLOW = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
ROOT, NOBODY = f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws:iam::{ACCOUNT}:role/nobody"


def policy(*statements: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements), **more}


def trust(*principals: Any) -> dict[str, Any]:
    return policy(*({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal} for principal in principals))


def of_size(characters: int, **element: Any) -> dict[str, Any]:
    """A policy of just so many characters, white space apart."""
    resource = "arn:aws:s3:::bucket/"
    bare = documents.size(policy({**ALLOW, **element, "Resource": resource}))
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
def test_a_principal_is_somebody(principal: Any, invalid: str | None) -> None:
    assert documents.malformed_on_resource(trust(principal)) == (invalid and f"Invalid principal in policy: {invalid}")


def test_iam_keeps_no_policy_that_is_malformed_or_too_large(cloud: Running, name: Name) -> None:
    iam, role, service = cloud.client("iam"), name("role")[:60], {"Service": "sagemaker.amazonaws.com"}
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


def test_a_stacks_role_has_no_larger_ones(cloud: Running, name: Name) -> None:
    def role(inline: int) -> dict[str, Any]:
        policies = [{"PolicyName": "all", "PolicyDocument": of_size(inline)}]
        properties = {"AssumeRolePolicyDocument": trust({"Service": "sagemaker.amazonaws.com"}), "Policies": policies}
        return {"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": properties}}}

    assert deploy(cloud, name("stack"), role(10_240)) == "CREATE_COMPLETE", reasons(cloud, name("stack"))
    assert deploy(cloud, name("stack"), role(10_241), "UPDATE") == "UPDATE_ROLLBACK_COMPLETE"
    assert "Maximum policy size of 10240 bytes exceeded" in reasons(cloud, name("stack"))


def test_a_key_and_a_bucket_are_for_somebody(cloud: Running, name: Name) -> None:
    kms, s3, bucket = cloud.client("kms"), cloud.client("s3"), name("bucket")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    mine = {"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": {"AWS": ROOT}}
    theirs = {**mine, "Principal": {"AWS": NOBODY}}

    for statements in ([mine], [{**mine, "Resource": f"arn:aws:s3:::{bucket}/*"}]):
        kms.create_key(Policy=json.dumps(policy(*statements)))
    with pytest.raises(ClientError, match=r"MalformedPolicyDocumentException.*Invalid principal"):
        kms.create_key(Policy=json.dumps(policy(mine, theirs)))
    with pytest.raises(ClientError, match="LimitExceededException"):
        kms.create_key(Policy=json.dumps(policy(mine, of_size(32 * 1024, Principal="*")["Statement"][0])))
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy(mine)))
    with pytest.raises(ClientError, match=r"MalformedPolicy.*Invalid principal"):
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy(theirs)))
    with pytest.raises(ClientError, match=r"MalformedPolicy.*exceeds the maximum allowed document size"):
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(of_size(20 * 1024, Principal="*")))
