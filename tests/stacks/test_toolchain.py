"""What all roads share: one connection, one store, one bus, told in parameters that every delivery stack asks for."""

from __future__ import annotations

import json
from dataclasses import replace

import naming
from tests.reference import CONFIG, MODEL
from tests.support.api_requests import accepted
from tests.support.layouts import STEADY, Layout

TOOLCHAIN = naming.toolchain_stack(CONFIG)


def test_owners_are_asked_for_approval(three: Layout) -> None:
    addresses = [subscription["Endpoint"] for subscription in three.all(TOOLCHAIN, "AWS::SNS::Subscription").values()]

    assert addresses == list(CONFIG.owners)


def test_the_connection_is_to_the_repositorys_provider(three: Layout) -> None:
    connection = three.only(TOOLCHAIN, "AWS::CodeConnections::Connection")

    assert connection == {"ConnectionName": naming.connection(CONFIG), "ProviderType": CONFIG.repository.provider}
    accepted("codeconnections", "CreateConnection", connection)


def test_a_provider_of_another_kind_has_a_connection_of_its_own() -> None:
    """CloudFormation cannot change a connection's provider, nor replace it under the same name."""
    elsewhere = replace(CONFIG, repository=replace(CONFIG.repository, provider="GitLab"))

    assert naming.connection(elsewhere) != naming.connection(CONFIG)


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
