"""The disk of a job or an endpoint is encrypted by a key that its role lets SageMaker use."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sagemaker_jobs import ended, training, until_hanging
from sagemaker_transforms import modelled, stored, transformed

from localcloud.testing.accounts import TRUST, Accounts
from localcloud.testing.endpoints import configured, described, routing, serving, updated, version
from localcloud.testing.names import Name
from localcloud.testing.waiting import until

pytestmark = pytest.mark.aws("KMS grants; `kms:GrantIsForAWSResource`")

FOR_SERVICES = {"Bool": {"kms:GrantIsForAWSResource": "true"}}


def resources(key: str) -> dict[str, Any]:
    return {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5, "VolumeKmsKeyId": key}


def without(aws: Accounts, missing: str, key: str, name: str) -> str:
    """A role that may do everything that a job or a model does with a key, but for one action."""
    iam = aws.client("iam")
    role: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    statements = [
        {"Effect": "Allow", "NotAction": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Action": [a for a in ("kms:DescribeKey", "kms:Decrypt") if a != missing], "Resource": key},
    ]
    if missing != "kms:CreateGrant":
        statements.append({"Effect": "Allow", "Action": "kms:CreateGrant", "Resource": key, "Condition": FOR_SERVICES})
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=document)
    aws.settle()
    return role


def test_a_grant_is_there_as_long_as_the_disk(aws: Accounts, image: str, name: Name) -> None:
    kms = aws.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]

    training(aws, image, name("t"), ResourceConfig=resources(key), Environment={"BEHAVIOUR": "hang"})
    until_hanging(aws, name("t"))

    (grant,) = kms.list_grants(KeyId=key)["Grants"]
    assert grant["GranteePrincipal"] == "sagemaker.amazonaws.com"
    aws.client("sagemaker").stop_training_job(TrainingJobName=name("t"))
    ended(aws, "training", name("t"))
    until(lambda: kms.list_grants(KeyId=key)["Grants"] == [])


@pytest.mark.parametrize("missing", ["kms:CreateGrant", "kms:DescribeKey"])
def test_a_role_that_cannot_have_a_grant_made_has_no_disk(aws: Accounts, image: str, name: Name, missing: str) -> None:
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    role = without(aws, missing, key, name("role"))

    training(aws, image, name("t"), ResourceConfig=resources(key), RoleArn=role)

    assert f"ClientError: User: {role} is not authorized to perform: {missing} on" in ended(aws, "training", name("t"))["FailureReason"]


def test_an_endpoints_disks_have_a_grant_until_it_is_deleted(aws: Accounts, image: str, name: Name) -> None:
    """An update gives the new fleet's disks theirs, and takes those of the old one back."""
    kms = aws.client("kms")
    first, second = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
    endpoint = serving(aws, configured(aws, image, name("one"), key=first), name("e"))

    (grant,) = kms.list_grants(KeyId=first)["Grants"]
    assert grant["GranteePrincipal"] == "sagemaker.amazonaws.com"
    updated(aws, endpoint, configured(aws, image, name("two"), "two", key=second), routing("ALL_AT_ONCE", 0))
    assert described(aws, endpoint)["EndpointStatus"] == "InService"
    until(lambda: [len(kms.list_grants(KeyId=key)["Grants"]) for key in (first, second)] == [0, 1])
    aws.client("sagemaker").delete_endpoint(EndpointName=endpoint)
    until(lambda: kms.list_grants(KeyId=second)["Grants"] == [])


@pytest.mark.parametrize("missing", ["kms:CreateGrant", "kms:DescribeKey"])
def test_a_model_whose_role_cannot_have_a_grant_made_is_not_served(aws: Accounts, image: str, name: Name, missing: str) -> None:
    """Neither by a new endpoint nor in the place of one that serves, which serves on."""
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    role = without(aws, missing, key, name("role"))
    closed = configured(aws, image, name("closed"), "closed", key=key, role=role)

    failed = described(aws, serving(aws, closed, name("e")))
    assert failed["EndpointStatus"] == "Failed"
    assert f"User: {role} is not authorized to perform: {missing} on" in failed["FailureReason"]

    endpoint = serving(aws, configured(aws, image, name("open")), name("o"))
    updated(aws, endpoint, closed, routing("ALL_AT_ONCE", 0))
    assert f"not authorized to perform: {missing}" in described(aws, endpoint)["FailureReason"]
    assert version(aws, endpoint) == "one"
    assert aws.client("kms").list_grants(KeyId=key)["Grants"] == []


@pytest.mark.parametrize("allowed", [True, False])
def test_the_role_of_a_model_has_the_disk_of_its_transform_job_encrypted(aws: Accounts, image: str, name: Name, allowed: bool) -> None:
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    role = aws.worker() if allowed else without(aws, "kms:CreateGrant", key, name("role"))
    stored(aws, name("t"), a__csv="1\n")
    disks = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeKmsKeyId": key}
    outcome = transformed(aws, name("t"), modelled(aws, image, name("m"), role=role), TransformResources=disks)

    assert outcome["TransformJobStatus"] == ("Completed" if allowed else "Failed")
    assert allowed or f"{role} is not authorized to perform: kms:CreateGrant" in outcome["FailureReason"]
