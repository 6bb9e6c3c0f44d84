"""What AWS's services put into queues: the queue's policy must let the service in, and so must that of the key that encrypts it.

By "Key management" in the developer guide of Amazon SQS. A service that acts as a role writes as that role, by the role's own policies.
"""

from __future__ import annotations

from typing import Any

from moto.sqs.models import sqs_backends

from localcloud.core.errors import error
from localcloud.iam import authorization, policies
from localcloud.iam.conditions import Context
from localcloud.iam.kms_permissions import of_key
from localcloud.iam.permissions import Permission
from localcloud.kms import keys

WITH_THE_KEY = ("kms:GenerateDataKey", "kms:Decrypt")  # whoever sends


def send(queue_arn: str, text: str, *, service: str, source: str, role: str | None = None, **more: Any) -> None:
    """Put a message into a queue, on behalf of `source` (an ARN). Raises an AWS error where there is none, or the sender may not."""
    _, _, _, region, account, name = queue_arn.split(":")
    backend = sqs_backends[account][region]
    queue: Any = backend.get_queue(name)
    if role:
        _role_may(role, "sqs:SendMessage", queue_arn, {})
    elif not policies.lets_in(queue.policy, caller=service, action="sqs:SendMessage", resource=queue_arn, context=_about(source)):
        raise error("AccessDeniedException", f"the policy of {queue_arn} does not let {service} do sqs:SendMessage")
    if queue.kms_master_key_id:
        _may_use_key(queue.kms_master_key_id, account, region, service=service, role=role)
    backend.send_message(queue_name=name, message_body=text, **more)


def _may_use_key(name: str, account: str, region: str, *, service: str, role: str | None) -> None:
    key = keys.find(name, account, region)
    if key is None:
        raise error("KMS.NotFoundException", f"Key '{name}' does not exist")
    context = of_key(key, account, via=f"sqs.{region}.amazonaws.com")
    for action in WITH_THE_KEY:
        if role:
            _role_may(role, action, key.arn, context)
        elif not policies.lets_in(key.policy, caller=service, action=action, resource=key.arn, context=context):
            raise error("KMS.AccessDeniedException", f"the policy of {key.arn} does not let {service} do {action}")


def _role_may(role: str, action: str, resource: str, context: Context) -> None:
    if why := authorization.refusal_of_role(role, Permission(action=action, resource=resource, context=context)):
        raise error("AccessDeniedException", f"role {role} is not allowed {action} on {resource} {why}")


def _about(source: str) -> Context:
    return {"aws:SourceAccount": [source.split(":")[4]], "aws:SourceArn": [source], "AWS:SourceOwner": []}
