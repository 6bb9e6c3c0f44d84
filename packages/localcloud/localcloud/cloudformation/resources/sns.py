"""Subscriptions and topic policies."""

from __future__ import annotations

import json

from localcloud.cloudformation.resource_type import Resource, ResourceType, delete_by, goes_with_its_owner


def _subscribe(r: Resource, old: Resource | None) -> str:
    members = {k: r.properties[k] for k in ("TopicArn", "Protocol", "Endpoint")}
    return str(r.call("sns", "Subscribe", **members, ReturnSubscriptionArn=True)["SubscriptionArn"])


def _put_policy(r: Resource, old: Resource | None) -> str:
    for topic in r.properties["Topics"]:
        policy = json.dumps(r.properties["PolicyDocument"])
        r.call("sns", "SetTopicAttributes", TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    return r.name


TYPES = (
    ResourceType("AWS::SNS::Subscription", _subscribe, delete_by("sns", "Unsubscribe", "SubscriptionArn")),
    ResourceType("AWS::SNS::TopicPolicy", _put_policy, goes_with_its_owner),
)
