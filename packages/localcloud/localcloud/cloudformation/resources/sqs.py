"""Policies of queues."""

from __future__ import annotations

import json

from localcloud.cloudformation.resource_type import Resource, ResourceType, goes_with_its_owner


def _put_policy(r: Resource, old: Resource | None) -> str:
    for queue in r.properties["Queues"]:
        r.call("sqs", "SetQueueAttributes", QueueUrl=queue, Attributes={"Policy": json.dumps(r.properties["PolicyDocument"])})
    return r.name


TYPES = (ResourceType("AWS::SQS::QueuePolicy", _put_policy, goes_with_its_owner),)
