"""Requests that AWS's descriptions of its services forbid are refused, whatever a client lets pass."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.testing.running import Running

TRUST = '{"Statement": []}'


@pytest.mark.parametrize(
    ("service", "operation", "members", "words"),
    [
        (
            "sagemaker",
            "create_model_package_group",
            {"ModelPackageGroupName": "a_b"},
            "ValidationException.*'.*ModelPackageGroupName' must match",
        ),
        ("sagemaker", "create_model_package_group", {"ModelPackageGroupName": "a" * 64}, "ValidationException.*must be between 1 and 63"),
        ("ecr", "create_repository", {"repositoryName": "Upper/Case"}, "ValidationException.*repositoryName' must match"),
        ("logs", "create_log_group", {"logGroupName": "with space"}, "ValidationException.*logGroupName' must match"),
        ("logs", "create_log_group", {"logGroupName": "a" * 513}, "ValidationException.*must be between 1 and 512"),
        ("events", "put_rule", {"Name": "with space", "ScheduleExpression": "rate(1 day)"}, "ValidationException.*Name' must match"),
        ("kms", "create_alias", {"AliasName": "alias/a b", "TargetKeyId": "k"}, "ValidationException.*AliasName' must match"),
        ("codebuild", "create_webhook", {"projectName": "a b"}, "ValidationException.*projectName' must match"),
        ("codepipeline", "get_pipeline", {"name": "a b"}, "ValidationException.*name' must match"),
        ("scheduler", "get_schedule", {"Name": "a b"}, "ValidationException.*Name' must match"),
        ("iam", "create_role", {"RoleName": "a" * 65, "AssumeRolePolicyDocument": TRUST}, "ValidationError.*must be between 1 and 64"),
        ("iam", "create_role", {"RoleName": "a b", "AssumeRolePolicyDocument": TRUST}, "ValidationError.*RoleName' must match"),
        ("sts", "assume_role", {"RoleArn": "arn:aws:iam::1:role/a", "RoleSessionName": "a b"}, "ValidationError.*must"),
    ],
)
def test_a_request_is_judged_by_its_description(cloud: Running, service: str, operation: str, members: dict[str, Any], words: str) -> None:
    with pytest.raises(ClientError, match=words):
        getattr(cloud.client(service), operation)(**members)


@pytest.mark.parametrize("name", ["Upper", "a_b", "ab", "a" * 64, "192.168.0.1", "a..b"])
def test_a_bucket_has_a_name_that_s3_takes(cloud: Running, name: str) -> None:
    s3 = cloud.client("s3")

    with pytest.raises(ClientError, match="InvalidBucketName"):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})


def test_an_empty_body_is_a_body(cloud: Running) -> None:
    """It is asked where it goes, not refused for what it lacks."""
    with pytest.raises(ClientError, match="Endpoint nowhere of account"):
        cloud.client("sagemaker-runtime").invoke_endpoint(EndpointName="nowhere", Body=b"")
