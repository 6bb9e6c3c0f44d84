"""Queues and their policies: moto's stacks change little of a queue, and know no policies."""

from __future__ import annotations

import json
from typing import Any

from localcloud.cloudformation.resource_type import Resource, ResourceType, goes_with_its_owner

NOT_ATTRIBUTES = ("QueueName", "Tags")
DEFAULTS = {  # what a property that is left out again becomes: API_SetQueueAttributes
    "DelaySeconds": "0",
    "KmsDataKeyReusePeriodSeconds": "300",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "SqsManagedSseEnabled": "true",
    "VisibilityTimeout": "30",
}


def _put(r: Resource, old: Resource | None) -> str:
    attributes = {name: _text(value) for name, value in r.properties.items() if name not in NOT_ATTRIBUTES}
    tags = {tag["Key"]: tag["Value"] for tag in r.properties.get("Tags", [])}
    if old is None:
        return str(r.call("sqs", "CreateQueue", QueueName=r.name, Attributes=attributes, tags=tags)["QueueUrl"])
    left_out = {name: DEFAULTS.get(name, "") for name in old.properties if name not in (*NOT_ATTRIBUTES, *r.properties)}
    policy = r.call("sqs", "GetQueueAttributes", QueueUrl=old.id, AttributeNames=["Policy"]).get("Attributes", {})  # moto would drop it
    r.call("sqs", "SetQueueAttributes", QueueUrl=old.id, Attributes=attributes | left_out | policy)
    if gone := [tag["Key"] for tag in old.properties.get("Tags", []) if tag["Key"] not in tags]:
        r.call("sqs", "UntagQueue", QueueUrl=old.id, TagKeys=gone)
    if tags:
        r.call("sqs", "TagQueue", QueueUrl=old.id, Tags=tags)
    return old.id


def _text(value: Any) -> str:
    """An attribute's value, as the API takes it."""
    return str(value).lower() if isinstance(value, bool) else json.dumps(value) if isinstance(value, dict) else str(value)


def _put_policy(r: Resource, old: Resource | None) -> str:
    for queue in r.properties["Queues"]:
        r.call("sqs", "SetQueueAttributes", QueueUrl=queue, Attributes={"Policy": _text(r.properties["PolicyDocument"])})
    return r.name


TYPES = (
    ResourceType(
        "AWS::SQS::Queue",
        _put,
        lambda r: r.call("sqs", "DeleteQueue", QueueUrl=r.id),
        name="QueueName",
        attributes={
            "Arn": lambda r: r.arn("sqs", r.id.rpartition("/")[2]),
            "QueueName": lambda r: r.id.rpartition("/")[2],
            "QueueUrl": lambda r: r.id,
        },
    ),
    ResourceType("AWS::SQS::QueuePolicy", _put_policy, goes_with_its_owner),
)
