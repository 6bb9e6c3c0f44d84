"""What tests make on accounts goes again, whoever made it and however the run ended; and nothing else is touched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from localcloud.testing import ACCOUNT, OTHER, REGION, removal, sweep, ways
from localcloud.testing.guard import Refused
from localcloud.testing.journal import Journal
from localcloud.testing.real import RealAccounts
from localcloud.testing.running import Running
from localcloud.testing.verification import Verification

pytestmark = pytest.mark.laptop("how tests on accounts are kept apart from what else is there")
PREFIX = "va0a1b2c"
RETAINED = {"Resources": {"Kept": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": {"BucketName": f"{PREFIX}-kept"}}}}


@pytest.fixture
def verification(cloud: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Verification:
    """Two accounts, met through profiles."""
    profiles = {account: f"account-{account}" for account in (ACCOUNT, OTHER)}
    lines = []
    for account, profile in profiles.items():
        keys = cloud.state["accounts"][account]
        lines += [f"[profile {profile}]", f"endpoint_url = {cloud.state['url']}", *(f"{k.lower()} = {v}" for k, v in keys.items())]
    (tmp_path / "config").write_text("\n".join(lines))
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(variable)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    return Verification(prefix=PREFIX, region=REGION, profiles=profiles, folder=tmp_path, pause=0.001, propagation=0)


@pytest.fixture
def accounts(verification: Verification) -> RealAccounts:
    return RealAccounts(verification)


def there(cloud: Running) -> list[str]:
    """What has the prefix in its name, by what made it."""
    looked = (entry for account in (ACCOUNT, OTHER) for entry in sweep.look(Session(cloud, account), account, PREFIX))
    return [f"{entry.operation} {entry.request or entry.response}" for entry in looked]


class Session:
    """The administrator's clients of one account."""

    def __init__(self, cloud: Running, account: str) -> None:
        self.cloud, self.account = cloud, account

    def client(self, service: str) -> Any:
        return self.cloud.client(service, self.account)


def make_much(accounts: RealAccounts) -> str:
    """Things that hold on to each other, and some that nobody asked for by name; returns the ARN of a key."""
    bucket = accounts.create_bucket(f"{PREFIX}-lab", ObjectLockEnabledForBucket=True)
    s3 = accounts.client("s3")
    s3.put_object(Bucket=bucket, Key="x", Body=b"1")
    s3.put_object(Bucket=bucket, Key="x", Body=b"2")
    until = datetime.now(UTC) + timedelta(hours=1)
    s3.put_object(Bucket=bucket, Key="held", Body=b"3", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until)
    s3.delete_object(Bucket=bucket, Key="x")
    allows = [{"Action": "s3:*", "Resource": "*"}]
    accounts.role(f"{PREFIX}-role", trusts={"Service": "sagemaker.amazonaws.com"}, allows=allows, account=OTHER)
    accounts.client("cloudformation").create_stack(StackName=f"{PREFIX}-stack", TemplateBody=json.dumps(RETAINED))
    queue = accounts.client("sqs").create_queue(QueueName=f"{PREFIX}-queue")["QueueUrl"]
    accounts.client("sqs").send_message(QueueUrl=queue, MessageBody="x")
    accounts.client("events").create_event_bus(Name=f"{PREFIX}-bus")
    accounts.client("events").put_rule(Name=f"{PREFIX}-rule", EventBusName=f"{PREFIX}-bus", EventPattern='{"source": ["x"]}')
    accounts.client("ecr").create_repository(repositoryName=f"{PREFIX}/models")
    accounts.client("logs").create_log_group(logGroupName=f"/aws/codebuild/{PREFIX}-x")
    accounts.client("ssm").put_parameter(Name=f"/{PREFIX}/x", Value="1", Type="String")
    return str(accounts.client("kms").create_key()["KeyMetadata"]["Arn"])


def test_everything_goes_with_what_stacks_retained(cloud: Running, verification: Verification, accounts: RealAccounts) -> None:
    cloud.client("s3").create_bucket(Bucket="somebodys", CreateBucketConfiguration={"LocationConstraint": REGION})
    key = make_much(accounts)
    assert len(there(cloud)) == 9

    assert removal.remove_all(verification) == []

    assert there(cloud) == []
    assert cloud.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    assert "somebodys" in [bucket["Name"] for bucket in cloud.client("s3").list_buckets()["Buckets"]]
    assert removal.remove_all(verification) == []


def test_a_run_that_was_killed_leaves_its_journal(cloud: Running, verification: Verification, accounts: RealAccounts) -> None:
    """Killed between the call and its answer: what was written before the call is enough."""
    make_much(accounts)
    lines = verification.journal.read_text().splitlines()
    verification.journal.write_text("\n".join(line for line in lines if json.loads(line)[3]) + "\n")

    assert removal.remove_all(verification) == []

    assert there(cloud) == []


def test_what_cannot_go_is_named(verification: Verification) -> None:
    other = replace(verification, prefix="va9f8e7d", looks=3)
    accounts = RealAccounts(other)
    name = accounts.create_bucket(f"{other.prefix}-locked", ObjectLockEnabledForBucket=True)
    until = datetime.now(UTC) + timedelta(hours=1)
    s3 = accounts.client("s3")
    s3.put_object(Bucket=name, Key="x", Body=b"1", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=until)

    (left,) = removal.remove_all(other)

    assert f"s3:CreateBucket {name}" in left
    assert "AccessDenied" in left


@pytest.mark.parametrize(
    ("service", "call", "arguments", "why"),
    [
        ("sqs", "create_queue", {"QueueName": "somebodys"}, "nothing in it begins with va0a1b2c"),
        ("iam", "delete_role", {"RoleName": "somebodys"}, "nothing in it begins with va0a1b2c"),
        ("ecr", "put_registry_policy", {"policyText": PREFIX}, "it changes what the whole account has"),
        ("ec2", "run_instances", {"MinCount": 1, "MaxCount": 1, "ImageId": PREFIX}, "no way is known to take back what it makes"),
    ],
)
def test_what_could_not_be_taken_back_is_not_done(
    accounts: RealAccounts, service: str, call: str, arguments: dict[str, Any], why: str
) -> None:
    with pytest.raises(Refused, match=why):
        getattr(accounts.client(service), call)(**arguments)


def test_what_the_run_was_given_an_identifier_for_is_its_own(cloud: Running, accounts: RealAccounts) -> None:
    own = accounts.client("kms").create_key()["KeyMetadata"]["KeyId"]
    other = cloud.client("kms").create_key()["KeyMetadata"]["KeyId"]

    accounts.client("kms").disable_key(KeyId=own)
    with pytest.raises(Refused, match="nothing in it begins with"):
        accounts.client("kms").disable_key(KeyId=other)


def operations() -> Iterator[tuple[str, str]]:
    yield from (tuple(key.split(":")) for key in ways.SPECIAL)  # type: ignore[misc]
    yield from ((kind.service, kind.makes) for kind in sweep.KINDS)


@pytest.mark.parametrize(("service", "operation"), sorted(set(operations())))
def test_each_operation_is_one_of_botocores_and_has_a_way_back(service: str, operation: str) -> None:
    model = botocore.session.get_session().get_service_model(service)

    assert ways.way(model.operation_model(operation))


def test_each_kind_is_listed_by_a_call_that_has_the_member(cloud: Running) -> None:
    for kind in sweep.KINDS:
        client = cloud.client(kind.service)
        operation = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[kind.lists])
        assert f"'{kind.member}'" in shapes(operation.output_shape), kind


def shapes(shape: Any, depth: int = 4) -> str:
    """The names of all members, quoted."""
    if shape.type_name == "list":
        return shapes(shape.member, depth)
    if shape.type_name != "structure" or not depth:
        return ""
    return "".join(f"'{name}'{shapes(member, depth - 1)}" for name, member in shape.members.items())


def test_a_journal_is_read_from_its_end(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.begin(ACCOUNT, "s3", "CreateBucket", {"Bucket": "b"})
    journal.end(ACCOUNT, "kms", "CreateKey", {"KeyId": "k", "at": datetime(2026, 1, 1, tzinfo=UTC), "ResponseMetadata": {}})

    assert [(entry.operation, entry.request, entry.response) for entry in journal.entries()] == [
        ("CreateKey", {}, {"KeyId": "k", "at": "2026-01-01 00:00:00+00:00"}),
        ("CreateBucket", {"Bucket": "b"}, {}),
    ]
