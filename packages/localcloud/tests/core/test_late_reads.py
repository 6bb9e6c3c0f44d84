"""What AWS shows late is seen late, in AWS's own words meanwhile, and is seen in the end.

Everything is changed first, one thing after the other, and looked at right after its change; then the whole is waited for once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.core import late_reads
from localcloud.testing import ACCOUNT, REGION
from localcloud.testing.in_process import Aws
from localcloud.testing.running import Running
from localcloud.testing.waiting import until

pytestmark = pytest.mark.laptop("reads that are late on purpose")

LATE = 6  # seconds: on a busy machine too, a call right after a change comes sooner
EVERYTHING = {"Action": "*", "Resource": "*"}
ALLOWED = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **EVERYTHING}]}
HERE = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": HERE}]}
SEEN = "seen"
Look = Callable[[], str]


def outcome(call: Callable[..., Any], **members: Any) -> str:
    """SEEN, or the code and the words of the error that a call ends with."""
    try:
        call(**members)
    except ClientError as problem:
        return "{Code}: {Message}".format(**problem.response["Error"])
    return SEEN


def arn(role: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{role}"


@dataclass
class Scene:
    """Changes of a cloud, each with how it is looked at. Clients are made beforehand: that takes longer than a call."""

    cloud: Running

    def __post_init__(self) -> None:
        services = ("cloudformation", "events", "iam", "kms", "s3", "sagemaker", "sqs", "ssm", "sts")
        self.clients = {service: self.cloud.client(service) for service in services}
        for name in ("old", "grantee"):
            self.role(name, {"Action": "s3:*", "Resource": "*"})
        self.role("serving", EVERYTHING, service="sagemaker.amazonaws.com")
        self.queue = self.clients["sqs"].create_queue(QueueName="told")["QueueUrl"]
        until(lambda: self.assumed("old") == self.assumed("grantee") == SEEN)
        self.of_old = self.cloud.client("ssm", **self.cloud.assume(arn("old")))
        self.of_grantee = self.cloud.client("kms", **self.cloud.assume(arn("grantee")))
        self.keys = [self.clients["kms"].create_key()["KeyMetadata"]["Arn"] for _ in range(2)]
        self.model()

    def role(self, name: str, allows: dict[str, Any], service: str = "") -> str:
        """Make a role."""
        principal = {"Service": service} if service else HERE
        trust = {**TRUST, "Statement": [{**TRUST["Statement"][0], "Principal": principal}]}  # type: ignore[dict-item]
        self.clients["iam"].create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
        policy = json.dumps({**ALLOWED, "Statement": [{"Effect": "Allow", **allows}]})
        self.clients["iam"].put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=policy)
        return name

    def assumed(self, role: str) -> str:
        return outcome(self.clients["sts"].assume_role, RoleArn=arn(role), RoleSessionName="test")

    def model(self) -> None:
        """What an endpoint configuration needs, and the group of versions."""
        sagemaker, image = self.clients["sagemaker"], f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/none@sha256:{'0' * 64}"
        container = {"ModelName": "m", "ExecutionRoleArn": arn("serving"), "PrimaryContainer": {"Image": image}}
        until(lambda: outcome(sagemaker.create_model, **container) == SEEN)
        sagemaker.create_model_package_group(ModelPackageGroupName="group")

    def new_role(self) -> list[Look]:
        """GetRole, and AssumeRole."""
        self.role("new", EVERYTHING)
        return [lambda: outcome(self.clients["iam"].get_role, RoleName="new"), lambda: self.assumed("new")]

    def changed_policy(self) -> list[Look]:
        self.clients["iam"].put_role_policy(RoleName="old", PolicyName="inline", PolicyDocument=json.dumps(ALLOWED))
        return [lambda: outcome(self.of_old.describe_parameters)]

    def new_alias(self) -> list[Look]:
        kms = self.clients["kms"]
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName="alias/new", TargetKeyId=key)
        return [lambda: outcome(kms.encrypt, KeyId="alias/new", Plaintext=b"x")]

    def new_grant(self) -> list[Look]:
        self.clients["kms"].create_grant(KeyId=self.keys[0], GranteePrincipal=arn("grantee"), Operations=["Encrypt"])
        return [lambda: outcome(self.of_grantee.encrypt, KeyId=self.keys[0], Plaintext=b"x")]

    def key_policy(self) -> list[Look]:
        everybody = {"Effect": "Allow", "Principal": HERE, "Action": "kms:*", "Resource": "*"}
        grantee = {**everybody, "Principal": {"AWS": arn("grantee")}}
        policy = json.dumps({**ALLOWED, "Statement": [everybody, grantee]})
        self.clients["kms"].put_key_policy(KeyId=self.keys[1], PolicyName="default", Policy=policy)
        return [lambda: outcome(self.of_grantee.encrypt, KeyId=self.keys[1], Plaintext=b"x")]

    def bucket_policy(self) -> list[Look]:
        """What was open is closed."""
        s3 = self.clients["s3"]
        s3.create_bucket(Bucket="closed", CreateBucketConfiguration={"LocationConstraint": REGION})
        deny = {"Effect": "Deny", "Principal": HERE, "Action": "s3:PutObject", "Resource": "arn:aws:s3:::closed/*"}
        s3.put_bucket_policy(Bucket="closed", Policy=json.dumps({**ALLOWED, "Statement": [deny]}))

        def look() -> str:
            return SEEN if outcome(s3.put_object, Bucket="closed", Key="k", Body=b"x").startswith("AccessDenied") else "open"

        return [look]

    def new_rule(self) -> list[Look]:
        """Each look sends an event, and sees what has come."""
        events, sqs, to = self.clients["events"], self.clients["sqs"], f"arn:aws:sqs:{REGION}:{ACCOUNT}:told"
        statement = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": to}
        sqs.set_queue_attributes(QueueUrl=self.queue, Attributes={"Policy": json.dumps({**ALLOWED, "Statement": [statement]})})
        events.put_rule(Name="new", EventPattern=json.dumps({"source": ["tests"]}))
        events.put_targets(Rule="new", Targets=[{"Id": "queue", "Arn": to}])

        def look() -> str:
            messages = sqs.receive_message(QueueUrl=self.queue).get("Messages", [])
            events.put_events(Entries=[{"Source": "tests", "DetailType": "test", "Detail": "{}"}])
            return SEEN if messages else "no event"

        return [look, look]

    def new_version(self) -> list[Look]:
        sagemaker = self.clients["sagemaker"]
        made = sagemaker.create_model_package(ModelPackageGroupName="group", ModelPackageDescription="the first")["ModelPackageArn"]

        def listed() -> str:
            versions = sagemaker.list_model_packages(ModelPackageGroupName="group")["ModelPackageSummaryList"]
            return SEEN if [version["ModelPackageArn"] for version in versions] == [made] else "not listed"

        return [listed, lambda: outcome(sagemaker.describe_model_package, ModelPackageName=made)]

    def new_configuration(self) -> list[Look]:
        sagemaker = self.clients["sagemaker"]
        variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m7i.large", "InitialInstanceCount": 1}
        sagemaker.create_endpoint_config(EndpointConfigName="new", ProductionVariants=[variant])
        return [lambda: outcome(sagemaker.create_endpoint, EndpointName="e", EndpointConfigName="new")]


Sights = dict[str, tuple[list[str], list[str]]]


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A cloud in which a change is seen after LATE seconds."""
    with Running(tmp_path_factory.mktemp("late") / "cloud", "--reads-late", str(LATE), speed=1) as running:
        yield running


@pytest.fixture(scope="module")
def sights(late: Running) -> Sights:
    """What was seen right after each change, and in the end."""
    scene = Scene(late)
    of_permissions = (scene.new_role, scene.changed_policy, scene.bucket_policy, scene.new_grant, scene.key_policy)
    changes = (*of_permissions, scene.new_alias, scene.new_rule, scene.new_version, scene.new_configuration)
    looks, first = dict[str, list[Look]](), dict[str, list[str]]()
    for change in changes:
        looks[change.__name__] = change()
        first[change.__name__] = [look() for look in looks[change.__name__]]
    return {name: (first[name], [until(partial(_seen, look)) for look in looks[name]]) for name in first}


def _seen(look: Look) -> str | None:
    return SEEN if look() == SEEN else None


@pytest.mark.parametrize(
    ("change", "meanwhile"),
    [
        ("new_role", ["NoSuchEntity: The role with name new cannot be found.", "AccessDenied: "]),
        ("changed_policy", ["AccessDeniedException: "]),
        ("new_alias", ["NotFoundException: "]),
        ("new_grant", ["AccessDeniedException: "]),
        ("key_policy", ["AccessDeniedException: "]),
        ("bucket_policy", ["open"]),
        ("new_rule", ["no event", "no event"]),
        ("new_version", ["not listed", SEEN]),
        ("new_configuration", ['ValidationException: Could not find endpoint configuration "']),
    ],
)
def test_a_change_is_seen_late(sights: Sights, change: str, meanwhile: list[str]) -> None:
    first, last = sights[change]

    assert [seen.startswith(words) for seen, words in zip(first, meanwhile, strict=True)] == [True] * len(meanwhile), first
    assert last == [SEEN] * len(meanwhile)


def test_a_stack_is_complete_when_what_it_made_is_seen(late: Running) -> None:
    role = {"RoleName": "of-a-stack", "AssumeRolePolicyDocument": TRUST, "Policies": [{"PolicyName": "all", "PolicyDocument": ALLOWED}]}
    template = {"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": role}}}
    cloudformation = late.client("cloudformation")

    cloudformation.create_stack(StackName="made", TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_NAMED_IAM"])
    cloudformation.get_waiter("stack_create_complete").wait(StackName="made")

    ssm = late.client("ssm", **late.assume(arn("of-a-stack")))
    assert outcome(ssm.describe_parameters) == SEEN


@pytest.fixture
def slow(aws: Aws) -> Iterator[Aws]:
    """The cloud in this process, in which nothing that changes is seen before the test ends."""
    aws.cloud.reads_late = 1e9
    yield aws
    aws.cloud.reads_late = 0


@pytest.mark.usefixtures("slow")
def test_of_several_changes_the_first_hides_the_others() -> None:
    held = {"here": {"a": 1, "b": 1}, "there": {"a": 5}}
    kind = late_reads.Kind("tests", "none", lambda account, region: dict(held[account]))

    with kind.changing("here", REGION):
        held["here"] |= {"a": 2, "new": 1}
    with kind.changing("here", REGION):
        held["here"].update(a=3, new=2)
        del held["here"]["b"]

    assert kind.stale("here", REGION) == {"a": 1, "b": 1, "new": None}
    assert kind.stale("here", "elsewhere") == kind.stale("there", REGION) == {}


def test_where_reads_are_not_late_everything_is_seen_at_once(aws: Aws) -> None:
    held = {"a": 1}
    kind = late_reads.Kind("tests", "none", lambda account, region: dict(held))

    with kind.changing("here", REGION):
        held["a"] = 2

    assert aws.cloud.reads_late == 0
    assert kind.stale("here", REGION) == {}
