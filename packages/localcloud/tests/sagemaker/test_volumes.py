"""A job's disk is encrypted by a key that its role lets SageMaker use."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sagemaker_jobs import ended, training, until_hanging

from localcloud.testing.accounts import TRUST, Accounts
from localcloud.testing.names import Name
from localcloud.testing.waiting import until

pytestmark = pytest.mark.aws("KMS grants; `kms:GrantIsForAWSResource`")

FOR_SERVICES = {"Bool": {"kms:GrantIsForAWSResource": "true"}}


def resources(key: str) -> dict[str, Any]:
    return {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5, "VolumeKmsKeyId": key}


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
    iam, key = aws.client("iam"), aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    role = iam.create_role(RoleName=name("role"), AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    statements = [
        {"Effect": "Allow", "NotAction": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Action": [a for a in ("kms:DescribeKey", "kms:Decrypt") if a != missing], "Resource": key},
    ]
    if missing != "kms:CreateGrant":
        statements.append({"Effect": "Allow", "Action": "kms:CreateGrant", "Resource": key, "Condition": FOR_SERVICES})
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName=name("role"), PolicyName="all", PolicyDocument=document)

    aws.settle()

    training(aws, image, name("t"), ResourceConfig=resources(key), RoleArn=role)

    assert f"ClientError: User: {role} is not authorized to perform: {missing} on" in ended(aws, "training", name("t"))["FailureReason"]
