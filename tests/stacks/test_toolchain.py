"""What all roads share: one connection, one store, one bus, told in parameters that every delivery stack asks for."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App
from moto.events.models import EventPattern

import naming
from localcloud.events import inputs
from localcloud.events.patterns import matches
from localcloud.testing.running import Running
from localcloud.testing.waiting import until
from stacks import layout
from stacks.toolchain import Toolchain
from tests.reference import CONFIG, MODEL
from tests.support.api_requests import accepted, plain
from tests.support.layouts import HOME, STEADY, Layout
from tests.support.production import create

pytestmark = pytest.mark.laptop("templates alone")

HOST = f"arn:aws:codeconnections:{HOME.region}:{HOME.id}:host/server/0123abcd"
Json = dict[str, Any]
TOOLCHAIN = naming.toolchain_stack(CONFIG)


def test_owners_are_asked_for_approval(three: Layout) -> None:
    addresses = [subscription["Endpoint"] for subscription in three.all(TOOLCHAIN, "AWS::SNS::Subscription").values()]

    assert addresses == list(CONFIG.owners)


def event(pipeline: str, state: str) -> Json:
    """The event that CodePipeline sends of an execution, as its guide shows one."""
    detail = {"pipeline": pipeline, "execution-id": "01234567-0123-0123-0123-012345678901", "state": state, "version": 3.0}
    kind = "CodePipeline Pipeline Execution State Change"
    return {"source": "aws.codepipeline", "detail-type": kind, "detail": detail, "time": "2026-11-29T12:00:00Z", "region": HOME.region}


def test_owners_are_told_of_every_execution_that_failed_and_of_no_other(three: Layout) -> None:
    rule = three.only(TOOLCHAIN, "AWS::Events::Rule")
    (target,) = rule["Targets"]
    pattern = EventPattern.load(json.dumps(rule["EventPattern"]))
    roads = (naming.delivery_pipeline(CONFIG, MODEL), naming.retraining_pipeline(CONFIG, MODEL), naming.onboarding_pipeline(CONFIG))

    for road in roads:
        told = [state for state in ("STARTED", "FAILED", "SUCCEEDED", "STOPPED", "SUPERSEDED") if matches(pattern, event(road, state))]
        assert told == ["FAILED"]
    assert not matches(pattern, event("another-teams", "FAILED"))
    text = json.loads(inputs.text(plain(target), event("p", "FAILED"), "rule"))
    assert text.startswith("p failed in execution 01234567-0123-0123-0123-012345678901; ./road status says at what")
    assert text.endswith(
        f": https://{HOME.region}.console.aws.amazon.com/codesuite/codepipeline/pipelines/p/executions/"
        f"01234567-0123-0123-0123-012345678901/timeline?region={HOME.region}"
    )
    (topic,) = three.all(TOOLCHAIN, "AWS::SNS::Topic")
    assert (target["Arn"], "RoleArn" in target) == ({"Ref": topic}, False)
    accepted("events", "PutRule", {"Name": "rule", "EventPattern": json.dumps(rule["EventPattern"])})
    accepted("events", "PutTargets", {"Rule": "rule", "Targets": [{**plain(target), "Arn": "arn"}]})


def test_whoever_is_subscribed_hears_of_a_pipeline_that_failed(three: Layout, tmp_path: Path) -> None:
    """A pipeline that is new starts by itself, and fails here: its branch has no commit yet."""
    with Running(tmp_path / "cloud", accounts=[HOME.id], region=HOME.region) as cloud:
        sns, sqs, ssm = (cloud.client(service, HOME.id) for service in ("sns", "sqs", "ssm"))
        ssm.put_parameter(Name=f"/cdk-bootstrap/{CONFIG.qualifier}/version", Value="27", Type="String")
        create(cloud, HOME.id, three.folder, TOOLCHAIN)
        queue = sqs.create_queue(QueueName="owner")["QueueUrl"]
        topic = ssm.get_parameter(Name=naming.toolchain_parameter(CONFIG, "approvals"))["Parameter"]["Value"]
        owner = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=owner)

        create(cloud, HOME.id, three.folder, naming.delivery_stack(CONFIG, naming.PLATFORM))

        messages = until(lambda: sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5).get("Messages"))
    text = json.loads(messages[0]["Body"])["Message"]
    assert re.match(rf'"{CONFIG.project}-(platform|onboarding) failed in execution [\w-]+; ./road status', text), text


def test_events_reach_the_encrypted_topic(layout: Layout) -> None:
    policies = [p["PolicyDocument"] for p in layout.all(TOOLCHAIN, "AWS::SNS::TopicPolicy").values()]
    keys = [key["KeyPolicy"] for key in layout.all(TOOLCHAIN, "AWS::KMS::Key").values()]

    for documents, actions in ((policies, "sns:Publish"), (keys, ["kms:Decrypt", "kms:GenerateDataKey*"])):
        (statement,) = [
            statement
            for document in documents
            for statement in document["Statement"]
            if statement["Principal"] == {"Service": "events.amazonaws.com"}
        ]
        assert (statement["Effect"], statement["Action"], statement.get("Condition")) == ("Allow", actions, None)


def test_the_connection_is_to_the_repositorys_provider(three: Layout) -> None:
    connection = three.only(TOOLCHAIN, "AWS::CodeConnections::Connection")

    assert connection == {"ConnectionName": naming.connection(CONFIG), "ProviderType": CONFIG.repository.provider}
    accepted("codeconnections", "CreateConnection", connection)


@pytest.mark.parametrize("provider", layout.SELF_MANAGED)
def test_the_connection_to_a_server_of_ones_own_goes_by_its_host(provider: str) -> None:
    app, repository = App(), replace(CONFIG.repository, provider=provider, host=HOST)
    config = replace(CONFIG, repository=repository)
    Toolchain(app, "Own", config=config)
    resources = app.synth().get_stack_by_name("Own").template["Resources"].values()
    (connection,) = [each["Properties"] for each in resources if each["Type"] == "AWS::CodeConnections::Connection"]

    assert connection == {"ConnectionName": naming.connection(config), "HostArn": HOST}
    accepted("codeconnections", "CreateConnection", connection)


def test_a_connection_that_stands_already_is_used_and_none_made() -> None:
    arn = HOST.replace(":host/server", ":connection")
    app, config = App(), replace(CONFIG, repository=replace(CONFIG.repository, connection=arn))
    Toolchain(app, "Own", config=config)
    template = app.synth().get_stack_by_name("Own").template
    parameters = [each["Properties"] for each in template["Resources"].values() if each["Type"] == "AWS::SSM::Parameter"]

    assert "AWS::CodeConnections::Connection" not in {each["Type"] for each in template["Resources"].values()}
    assert arn in [parameter["Value"] for parameter in parameters]


def test_a_provider_of_another_kind_has_a_connection_of_its_own() -> None:
    """CloudFormation cannot change a connection's provider or host, nor replace it under the same name."""
    own = [{"provider": "GitLab"}, {"provider": "GitLabSelfManaged", "host": HOST}, {"provider": "GitLabSelfManaged", "host": f"{HOST}2"}]
    others = [replace(CONFIG, repository=replace(CONFIG.repository, **each)) for each in own]

    assert len({naming.connection(config) for config in (CONFIG, *others)}) == 4


def test_what_delivery_stacks_ask_for_is_told_here(layout: Layout) -> None:
    known = {parameter["Name"] for parameter in layout.all(TOOLCHAIN, "AWS::SSM::Parameter").values()}

    assert known == {naming.toolchain_parameter(CONFIG, fact) for fact in ("approvals", "artifact-bucket", "connection", "key")}
    for stack, template in layout.templates.items():
        if stack.endswith("-Delivery"):
            asked = {parameter["Default"] for name, parameter in template["Parameters"].items() if name != "BootstrapVersion"}
            assert asked == known, stack


def test_it_holds_nothing_of_a_model(layout: Layout) -> None:
    text = json.dumps(layout.templates[TOOLCHAIN])

    assert not any(naming.slug(model) in text or model in text for model in (MODEL, STEADY))


def test_other_accounts_may_tell_of_alarms_and_of_nothing_else(layout: Layout) -> None:
    policies = layout.all(TOOLCHAIN, "AWS::Events::EventBusPolicy").values()
    others = {account.id for account in layout.config.accounts} - {layout.config.toolchain.id}
    named = {account for policy in policies for account in others if account in json.dumps(policy["Statement"]["Principal"])}

    assert named == others
    for policy in policies:
        conditions = {"events:source": "aws.cloudwatch", "events:detail-type": "CloudWatch Alarm State Change"}
        assert policy["Statement"]["Action"] == "events:PutEvents"
        assert policy["Statement"]["Condition"] == {"StringEquals": conditions}
