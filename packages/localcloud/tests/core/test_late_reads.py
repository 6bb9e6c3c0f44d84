"""What AWS shows late is seen late, in AWS's own words meanwhile, and is seen in the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.testing import ACCOUNT, REGION
from localcloud.testing.running import Running
from localcloud.testing.waiting import until

LATE = 3.0  # seconds: long enough that a call right after another comes before
EVERYTHING = {"Action": "*", "Resource": "*"}
HERE = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
ALLOWED = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **EVERYTHING}]}


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A cloud in which a change is seen after LATE seconds."""
    with Running(tmp_path_factory.mktemp("late") / "cloud", "--reads-late", str(LATE), speed=1) as running:
        yield running


def code(call: Callable[..., Any], **members: Any) -> str | None:
    """The code of the error that a call ends with, if it does."""
    try:
        call(**members)
    except ClientError as problem:
        return str(problem.response["Error"]["Code"])
    return None


def test_a_new_role_is_not_found_and_not_assumed_at_first(late: Running) -> None:
    arn = late.role("new", trusts=HERE, allows=[EVERYTHING])
    get, assume = late.client("iam").get_role, late.client("sts").assume_role

    assert code(get, RoleName="new") == "NoSuchEntity"
    assert code(assume, RoleArn=arn, RoleSessionName="test") == "AccessDenied"

    late.client("iam").get_waiter("role_exists").wait(RoleName="new")
    until(lambda: code(assume, RoleArn=arn, RoleSessionName="test") is None)


def test_a_changed_policy_is_in_force_later(late: Running) -> None:
    arn = late.role("worker", trusts=HERE, allows=[{"Action": "s3:*", "Resource": "*"}])
    until(lambda: code(late.assume, role_arn=arn) is None)
    ssm = late.client("ssm", **late.assume(arn))
    until(lambda: code(late.client("s3", **late.assume(arn)).list_buckets) is None)

    late.client("iam").put_role_policy(RoleName="worker", PolicyName="inline", PolicyDocument=json.dumps(ALLOWED))

    assert code(ssm.describe_parameters) == "AccessDeniedException"
    until(lambda: code(ssm.describe_parameters) is None)


def test_a_new_alias_of_a_key_names_none_at_first(late: Running) -> None:
    kms = late.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/new", TargetKeyId=key)

    assert code(kms.encrypt, KeyId="alias/new", Plaintext=b"x") == "NotFoundException"

    until(lambda: code(kms.encrypt, KeyId="alias/new", Plaintext=b"x") is None)


def test_events_do_not_match_a_new_rule_at_once(late: Running) -> None:
    events, sqs = late.client("events"), late.client("sqs")
    queue = sqs.create_queue(QueueName="seen")["QueueUrl"]
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:seen"
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(open_to_events(arn))})
    events.put_rule(Name="new", EventPattern=json.dumps({"source": ["tests"]}))
    events.put_targets(Rule="new", Targets=[{"Id": "queue", "Arn": arn}])

    def sent(number: int) -> None:
        events.put_events(Entries=[{"Source": "tests", "DetailType": "test", "Detail": json.dumps({"number": number})}])

    def received() -> list[int]:
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"])["detail"]["number"] for message in messages]

    sent(0)
    numbers = iter(range(1, 10_000))

    def matched() -> list[int]:
        sent(next(numbers))
        return received()

    assert 0 not in until(matched)


def open_to_events(arn: str) -> dict[str, Any]:
    """A policy of a queue that lets EventBridge send to it."""
    statement = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}
    return {"Version": "2012-10-17", "Statement": [statement]}


def test_a_new_version_is_described_and_not_yet_listed(late: Running) -> None:
    sagemaker = late.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="group")
    arn = sagemaker.create_model_package(ModelPackageGroupName="group", ModelPackageDescription="the first")["ModelPackageArn"]

    def listed() -> list[str]:
        return [p["ModelPackageArn"] for p in sagemaker.list_model_packages(ModelPackageGroupName="group")["ModelPackageSummaryList"]]

    assert sagemaker.describe_model_package(ModelPackageName=arn)["ModelPackageArn"] == arn
    assert listed() == []

    until(lambda: listed() == [arn])


def test_a_stack_is_complete_when_what_it_made_is_seen(late: Running, tmp_path: Path) -> None:
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": HERE}]}
    role = {"RoleName": "of-a-stack", "AssumeRolePolicyDocument": trust, "Policies": [{"PolicyName": "all", "PolicyDocument": ALLOWED}]}
    template = {"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": role}}}
    cloudformation = late.client("cloudformation")

    cloudformation.create_stack(StackName="made", TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_NAMED_IAM"])
    cloudformation.get_waiter("stack_create_complete").wait(StackName="made")

    keys = late.assume(f"arn:aws:iam::{ACCOUNT}:role/of-a-stack")
    assert code(late.client("ssm", **keys).describe_parameters) is None
