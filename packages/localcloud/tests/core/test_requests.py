"""Requests that AWS's descriptions of its services forbid are refused, whatever a client lets pass."""

from __future__ import annotations

from typing import Any

import pytest
from answers import answer
from botocore.exceptions import ClientError

from localcloud.testing.accounts import Accounts
from localcloud.testing.names import Name

aws = pytest.mark.aws("requests outside of stacks")
wording = pytest.mark.laptop("the wording is localcloud's, and for some services the code of the error")
CODES = {"ValidationException", "ValidationError", "InvalidParameterException", "InvalidInputException", "InvalidAliasNameException"}
TRUST = '{"Statement": []}'
REQUESTS: list[tuple[str, str, dict[str, Any], str]] = [  # {} is a name of the test's own
    (
        "sagemaker",
        "create_model_package_group",
        {"ModelPackageGroupName": "{}a_b"},
        "ValidationException.*'.*ModelPackageGroupName' must match",
    ),
    (
        "sagemaker",
        "create_model_package_group",
        {"ModelPackageGroupName": "{}" + "a" * 64},
        "ValidationException.*must be between 1 and 63",
    ),
    ("ecr", "create_repository", {"repositoryName": "{}Upper/Case"}, "ValidationException.*repositoryName' must match"),
    ("logs", "create_log_group", {"logGroupName": "{}with space"}, "ValidationException.*logGroupName' must match"),
    ("logs", "create_log_group", {"logGroupName": "{}" + "a" * 513}, "ValidationException.*must be between 1 and 512"),
    ("events", "put_rule", {"Name": "{}with space", "ScheduleExpression": "rate(1 day)"}, "ValidationException.*Name' must match"),
    ("kms", "create_alias", {"AliasName": "alias/{}a b", "TargetKeyId": "k"}, "ValidationException.*AliasName' must match"),
    ("codebuild", "create_webhook", {"projectName": "{}a b"}, "ValidationException.*projectName' must match"),
    ("codepipeline", "get_pipeline", {"name": "{}a b"}, "ValidationException.*name' must match"),
    ("scheduler", "get_schedule", {"Name": "{}a b"}, "ValidationException.*Name' must match"),
    ("iam", "create_role", {"RoleName": "{}" + "a" * 65, "AssumeRolePolicyDocument": TRUST}, "ValidationError.*must be between 1 and 64"),
    ("iam", "create_role", {"RoleName": "{}a b", "AssumeRolePolicyDocument": TRUST}, "ValidationError.*RoleName' must match"),
    ("sts", "assume_role", {"RoleArn": "arn:aws:iam::1:role/{}", "RoleSessionName": "a b"}, "ValidationError.*must"),
]


def called(members: dict[str, Any], name: str) -> dict[str, Any]:
    """The members of a request, with the test's name in its place."""
    return {member: value.replace("{}", name) for member, value in members.items()}


@aws
@pytest.mark.parametrize(("service", "operation", "members"), [request[:3] for request in REQUESTS])
def test_a_request_that_its_description_forbids_is_refused(
    cloud: Accounts, name: Name, service: str, operation: str, members: dict[str, Any]
) -> None:
    assert answer(getattr(cloud.client(service), operation), **called(members, name("x"))) in CODES


@wording
@pytest.mark.parametrize(("service", "operation", "members", "words"), REQUESTS)
def test_a_request_is_judged_by_its_description(cloud: Accounts, service: str, operation: str, members: dict[str, Any], words: str) -> None:
    with pytest.raises(ClientError, match=words):
        getattr(cloud.client(service), operation)(**called(members, ""))


@aws
@pytest.mark.parametrize("end", ["Upper", "a_b", "a" * 64, "a..b"])
def test_a_bucket_has_a_name_that_s3_takes(cloud: Accounts, name: Name, end: str) -> None:
    with pytest.raises(ClientError, match="InvalidBucketName"):
        cloud.create_bucket(f"{name('x')}-{end}")


@pytest.mark.laptop("the names have no room for a prefix")
@pytest.mark.parametrize("name", ["ab", "192.168.0.1"])
def test_a_bucket_has_no_name_that_is_too_short_or_an_address(cloud: Accounts, name: str) -> None:
    with pytest.raises(ClientError, match="InvalidBucketName"):
        cloud.create_bucket(name)


@aws
def test_a_request_asks_for_an_endpoint_that_is_there(cloud: Accounts, name: Name) -> None:
    invoke = cloud.client("sagemaker-runtime").invoke_endpoint
    assert answer(invoke, EndpointName=name("nowhere"), ContentType="text/csv", Body=b"1,2") == "ValidationError"


@wording
def test_an_empty_body_is_a_body(cloud: Accounts) -> None:
    """It is asked where it goes, not refused for what it lacks."""
    with pytest.raises(ClientError, match="Endpoint nowhere of account"):
        cloud.client("sagemaker-runtime").invoke_endpoint(EndpointName="nowhere", Body=b"")
