"""Policies of topics, queues, repositories, registries, buses, log groups and secrets are refused as their services refuse them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cloudformation_stacks import deploy, reasons

from localcloud.testing import ACCOUNT, REGION
from localcloud.testing.names import Name
from localcloud.testing.running import Running

pytestmark = pytest.mark.laptop("the account's own registry is among them, and words that are localcloud's")

Json = dict[str, Any]
ROOT, NOBODY = f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws:iam::{ACCOUNT}:role/nobody"


class Held:
    """One thing that has a policy: how one is put, through the API and by a template, and what a good statement of it says."""

    def __init__(self, kind: str, put: Callable[[str], Any], statement: Json, properties: Callable[[Json], Json]) -> None:
        self.kind, self.put, self.statement, self.properties = kind, put, statement, properties

    def policy(self, **more: Any) -> Json:
        return {"Version": "2012-10-17", "Statement": [{"Sid": "one", "Effect": "Allow", **self.statement, **more}]}

    def template(self, policy: Json) -> Json:
        return {"Resources": {"Policy": {"Type": self.kind, "Properties": self.properties(policy)}}}


def held(cloud: Running, service: str, name: str) -> Held:
    """Something of a service, by the API."""
    client = cloud.client({"registry": "ecr", "repository": "ecr"}.get(service, service))
    mine: Json = {"Principal": {"AWS": ROOT}}
    if service == "sns":
        arn = client.create_topic(Name=name)["TopicArn"]
        return Held(
            "AWS::SNS::TopicPolicy",
            lambda policy: client.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy),
            {**mine, "Action": "sns:Publish", "Resource": arn},
            lambda policy: {"Topics": [arn], "PolicyDocument": policy},
        )
    if service == "sqs":
        url = client.create_queue(QueueName=name)["QueueUrl"]
        return Held(
            "AWS::SQS::QueuePolicy",
            lambda policy: client.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy}),
            {**mine, "Action": "sqs:SendMessage", "Resource": "*"},
            lambda policy: {"Queues": [url], "PolicyDocument": policy},
        )
    if service == "repository":
        client.create_repository(repositoryName=name)
        return Held(
            "AWS::ECR::Repository",
            lambda policy: client.set_repository_policy(repositoryName=name, policyText=policy),
            {**mine, "Action": "ecr:BatchGetImage"},
            lambda policy: {"RepositoryName": f"{name}-{uuid.uuid4()}", "RepositoryPolicyText": policy},
        )
    if service == "registry":
        return Held(
            "AWS::ECR::RegistryPolicy",
            lambda policy: client.put_registry_policy(policyText=policy),
            {**mine, "Action": "ecr:CreateRepository", "Resource": f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/*"},
            lambda policy: {"PolicyText": policy},
        )
    if service == "events":
        arn = client.create_event_bus(Name=name)["EventBusArn"]
        return Held(
            "AWS::Events::EventBusPolicy",
            lambda policy: client.put_permission(EventBusName=name, Policy=policy),
            {**mine, "Action": "events:PutEvents", "Resource": arn},
            lambda policy: {"EventBusName": name, "StatementId": "one", "Statement": policy["Statement"][0]},
        )
    if service == "logs":
        return Held(
            "AWS::Logs::ResourcePolicy",
            lambda policy: client.put_resource_policy(policyName=name, policyDocument=policy),
            {"Principal": {"Service": "events.amazonaws.com"}, "Action": "logs:PutLogEvents", "Resource": "*"},
            lambda policy: {"PolicyName": name, "PolicyDocument": json.dumps(policy)},
        )
    arn = client.create_secret(Name=name, SecretString="1")["ARN"]
    return Held(
        "AWS::SecretsManager::ResourcePolicy",
        lambda policy: client.put_resource_policy(SecretId=arn, ResourcePolicy=policy),
        {**mine, "Action": "secretsmanager:GetSecretValue", "Resource": "*"},
        lambda policy: {"SecretId": arn, "ResourcePolicy": policy},
    )


MALFORMED = {
    "sns": "Invalid parameter: Policy Error: null",
    "sqs": "Invalid value for the parameter Policy",
    "repository": "Invalid repository policy provided",
    "registry": "Invalid registry policy provided",
    "events": "Syntax errors in policy",
    "logs": "Syntax errors in policy",
    "secretsmanager": "This policy has invalid syntax",
}
UNKNOWN = {
    **MALFORMED,
    "sns": "PrincipalNotFound",
    "repository": "Principal not found",
    "events": "Invalid principal in policy",
    "logs": "Invalid principal in policy",
    "secretsmanager": "This resource policy contains an unsupported principal",
}


@pytest.mark.parametrize("service", MALFORMED)
def test_a_policy_is_for_somebody_and_of_known_elements(cloud: Running, name: Name, service: str) -> None:
    thing = held(cloud, service, name("held"))

    thing.put(json.dumps(thing.policy()))
    with pytest.raises(ClientError, match=MALFORMED[service]):
        thing.put(json.dumps(thing.policy(Colour="red")))
    for principal in ({"AWS": NOBODY}, {"AWS": "somebody"}, {"Service": "events"}):
        with pytest.raises(ClientError, match=UNKNOWN[service]):
            thing.put(json.dumps(thing.policy(Principal=principal)))


@pytest.mark.parametrize("service", MALFORMED)
def test_a_stack_has_no_other_ones(cloud: Running, name: Name, service: str) -> None:
    thing = held(cloud, service, name("held"))

    assert deploy(cloud, name("good"), thing.template(thing.policy())) == "CREATE_COMPLETE", reasons(cloud, name("good"))
    assert deploy(cloud, name("bad"), thing.template(thing.policy(Principal={"AWS": NOBODY}))) == "ROLLBACK_COMPLETE"
    assert UNKNOWN[service] in reasons(cloud, name("bad"))


def several(thing: Held, *statements: Json) -> str:
    """A policy of several statements, each with an id of its own."""
    said = [{**thing.policy()["Statement"][0], **statement, "Sid": f"s{number}"} for number, statement in enumerate(statements)]
    return json.dumps({"Version": "2012-10-17", "Statement": said})


def test_a_topics_policy_is_about_the_topic(cloud: Running, name: Name) -> None:
    """And about what SNS does, within its quotas."""
    thing = held(cloud, "sns", name("topic"))

    thing.put(several(thing, *[{}] * 100))
    for action in ("sns:*", "sqs:SendMessage"):
        with pytest.raises(ClientError, match="Policy statement action out of service scope!"):
            thing.put(several(thing, {"Action": action}))
    for resource in (f"{thing.statement['Resource']}-other", [thing.statement["Resource"]] * 2):
        with pytest.raises(ClientError, match="each statement's Resource must be"):
            thing.put(several(thing, {"Resource": resource}))
    long = {"Condition": {"StringEquals": {"sns:Protocol": "a" * 31_000}}}
    over: list[list[Json]] = [[{}] * 101, [{"Principal": {"AWS": [ROOT] * 201}}], [long]]
    for statements in over:
        with pytest.raises(ClientError, match="are more than"):
            thing.put(several(thing, *statements))


def test_a_queues_policy_keeps_to_its_quotas(cloud: Running, name: Name) -> None:
    thing = held(cloud, "sqs", name("queue"))
    actions = [f"sqs:{a}Message" for a in ("Send", "Receive", "Delete")] + ["sqs:GetQueueUrl"] * 4

    thing.put(several(thing, *[{}] * 20))
    thing.put(several(thing, {"Action": actions}))
    keys = {"StringEquals": {f"aws:RequestTag/{number}": "1" for number in range(11)}}
    over: list[list[Json]] = [[{}] * 21, [{"Action": [*actions, "sqs:PurgeQueue"]}], [{"Principal": {"AWS": [ROOT] * 51}}]]
    for statements in (*over, [{"Condition": keys}], [{"Resource": "a" * 8192}]):
        with pytest.raises(ClientError, match="Invalid value for the parameter Policy"):
            thing.put(several(thing, *statements))


def test_a_repositorys_policy_names_no_resource(cloud: Running, name: Name) -> None:
    thing = held(cloud, "repository", name("repository"))

    with pytest.raises(ClientError, match="Invalid repository policy provided"):
        thing.put(several(thing, {"Resource": "*"}))


def test_a_buss_policy_has_room_for_so_much(cloud: Running, name: Name) -> None:
    """What is too much leaves the policy as it was."""
    thing, events = held(cloud, "events", name("bus")), cloud.client("events")
    thing.put(several(thing, {}))
    before = events.describe_event_bus(Name=name("bus"))["Policy"]

    with pytest.raises(ClientError, match="Policy size would be larger than the maximum allowed") as caught:
        thing.put(several(thing, {}, {"Condition": {"StringEquals": {"events:source": "a" * 10_240}}}))

    assert caught.value.response["Error"]["Code"] == "PolicyLengthExceededException"
    assert events.describe_event_bus(Name=name("bus"))["Policy"] == before
