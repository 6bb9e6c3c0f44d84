"""What rules and schedules call: each target as its service's API, under the role or the resource policy that lets them.

What a target refuses for good is not tried again; anything else is, more and more seldom, as the target's RetryPolicy says. A delivery
that is given up is a line of localcloud.log and goes to the dead-letter queue, if there is one: EventBridge writes there as itself,
EventBridge Scheduler as the schedule's role.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from moto.logs.models import logs_backends
from moto.sns.models import sns_backends

from localcloud.core import clock
from localcloud.core.cloud import cloud
from localcloud.core.errors import error, invalid
from localcloud.iam import policies
from localcloud.sqs import queues

ATTEMPTS, AGE = 185, 86_400  # EventBridge's: how often a delivery is tried again, and for how many of its seconds
WORKERS = 4
WITH_ROLE = ("events", "codepipeline", "sagemaker")
FINAL = ("AccessDenied", "Validation", "NotFound", "NotExist", "NonExistent", "Invalid", "InputTransformer")
_workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="target")
_ended, _lock = threading.Event(), threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One text for one target. `by` is the ARN of the rule or schedule, `service` the principal that it acts as. A schedule writes dead
    letters as `role`.
    """

    by: str
    service: str
    target: Mapping[str, Any]
    text: str
    ended: Callable[[str | None], None]  # called with the reason for which it was given up, or None
    role: str | None = None

    @property
    def arn(self) -> str:
        return str(self.target["Arn"])

    @property
    def account(self) -> str:
        return self.by.split(":")[4]


def check(target: Mapping[str, Any]) -> None:
    """Raise an AWS error for a target that localcloud cannot call, or that lacks its role."""
    of = kind(target["Arn"])
    if of not in senders:
        raise invalid(f"localcloud has no targets like {target['Arn']}: it knows {', '.join(senders)}")
    if of == "events:event-bus" and any(target.get(k) for k in ("Input", "InputPath", "InputTransformer")):
        raise invalid(f"localcloud sends whole events to {target['Arn']}: no Input, InputPath or InputTransformer")
    if of.partition(":")[0] in WITH_ROLE and not target.get("RoleArn"):
        raise invalid(f"RoleArn is required for target {target.get('Id', target['Arn'])}.")


def deliver(delivery: Delivery) -> None:
    """Call the target, soon and elsewhere."""
    retry = delivery.target.get("RetryPolicy") or {}
    until = time.time() + retry.get("MaximumEventAgeInSeconds", AGE) / cloud().speed
    _submit(delivery, 0, retry.get("MaximumRetryAttempts", ATTEMPTS), until)


def shutdown() -> None:
    """Deliver nothing more, whatever ends from now on."""
    with _lock:
        _ended.set()
        _workers.shutdown(wait=False, cancel_futures=True)


def _try(delivery: Delivery, tried: int, most: int, until: float) -> None:
    try:
        senders[kind(delivery.arn)](delivery)
    except Exception as problem:  # tried again, or given up where whoever it concerns can see it
        code, why = _code_and_message(problem)
        again = time.time() + min(2**tried, 600) / cloud().speed
        final = any(word in code for word in FINAL)
        if tried < most and again < until and not final:
            if not tried:
                logging.getLogger(__name__).warning("%s will try %s again: %s: %s", delivery.by, delivery.arn, code, why)
            clock.at(("delivery", uuid.uuid4()), again, lambda: _submit(delivery, tried + 1, most, until))
        else:
            exhausted = "MaximumRetryAttempts" if tried >= most else "MaximumEventAgeInSeconds"
            reasons = {"ERROR_CODE": code, "ERROR_MESSAGE": why, "RETRY_ATTEMPTS": str(tried)}
            _give_up(delivery, reasons if final else {**reasons, "EXHAUSTED_RETRY_CONDITION": exhausted})
    else:
        delivery.ended(None)


def _submit(*attempt: Any) -> None:
    with _lock:
        if not _ended.is_set():
            _workers.submit(_try, *attempt)


def _code_and_message(problem: Exception) -> tuple[str, str]:
    """An error's code and message."""
    if isinstance(problem, ClientError):
        return problem.response["Error"]["Code"], problem.response["Error"]["Message"]
    code = getattr(problem, "error_type", None) or getattr(problem, "code", None) or type(problem).__name__
    return str(code), str(getattr(problem, "message", None) or problem)


def _give_up(delivery: Delivery, reasons: Mapping[str, str]) -> None:
    code, why = reasons["ERROR_CODE"], reasons["ERROR_MESSAGE"]
    logging.getLogger(__name__).warning("%s could not reach %s: %s: %s", delivery.by, delivery.arn, code, why)
    if queue := (delivery.target.get("DeadLetterConfig") or {}).get("Arn"):
        scheduled = bool(delivery.role)
        said = {"TARGET_ARN": delivery.arn, **reasons, "ERROR_CODE": code if scheduled else _error_code(code)}
        said["SCHEDULE_ARN" if scheduled else "RULE_ARN"] = delivery.by
        attributes = {name: {"DataType": "String", "StringValue": value} for name, value in said.items()}
        try:
            queues.send(
                queue, delivery.text, service=delivery.service, source=delivery.by, role=delivery.role, message_attributes=attributes
            )
        except Exception as problem:  # as on AWS, a dead-letter queue that cannot be reached loses the event: the log has it
            logging.getLogger(__name__).warning("dead-letter queue %s: %s: %s", queue, *_code_and_message(problem))
    delivery.ended(f"{code}: {why}")


def _error_code(code: str) -> str:
    """EventBridge's own name for a target's error: its guide, "Using dead-letter queues to process undelivered events"."""
    names = {"AccessDenied": "NO_PERMISSIONS", "NotFound": "NO_RESOURCE", "NonExistent": "NO_RESOURCE", "DoesNotExist": "NO_RESOURCE"}
    return next((name for word, name in names.items() if word in code), "ERROR_FROM_TARGET")


def kind(arn: str) -> str:
    """`service:resource-type` of an ARN that has both, else the service."""
    service, resource = arn.split(":")[2], arn.split(":", 5)[5]
    return f"{service}:{resource.partition('/')[0].partition(':')[0]}" if "/" in resource or service == "logs" else service


def assumed(role_arn: str, service: str) -> str:
    """The role, if the service may assume it. Raises an AWS error otherwise."""
    if not policies.role_trusts(role_arn, caller=service):
        raise error("AccessDeniedException", f"role {role_arn} does not let {service} assume it")
    return role_arn


def acts_as(delivery: Delivery, action: str) -> str:
    """The target's role, which must trust the service and be allowed `action`. Raises an AWS error otherwise."""
    role = assumed(delivery.target["RoleArn"], delivery.service)
    if not policies.role_allows(role, action=action, resource=delivery.arn):
        raise error("AccessDeniedException", f"role {role} is not allowed {action} on {delivery.arn}")
    return role


def _topic(delivery: Delivery) -> None:
    """A topic must let the service in, unless the target has a role."""
    account, region = where(delivery.arn)
    topic = sns_backends[account][region].get_topic(delivery.arn)
    if delivery.target.get("RoleArn"):
        acts_as(delivery, "sns:Publish")
    elif not policies.lets_in(
        topic.policy, caller=delivery.service, action="sns:Publish", resource=delivery.arn, context={"AWS:SourceOwner": []}
    ):
        raise error("AccessDeniedException", f"the policy of {delivery.arn} does not let {delivery.service} do sns:Publish")
    topic.publish(delivery.text)


def _queue(delivery: Delivery) -> None:
    role = acts_as(delivery, "sqs:SendMessage") if delivery.target.get("RoleArn") else None
    group = (delivery.target.get("SqsParameters") or {}).get("MessageGroupId")
    queues.send(delivery.arn, delivery.text, service=delivery.service, source=delivery.by, role=role, group_id=group)


def _logs(delivery: Delivery) -> None:
    account, region = where(delivery.arn)
    group = delivery.arn.split(":log-group:")[1].removesuffix(":*")
    arn = f"arn:aws:logs:{region}:{account}:log-group:{group}:*"
    documents = [p.policy_document for p in logs_backends[account][region].resource_policies.values()]
    actions = ("logs:CreateLogStream", "logs:PutLogEvents")
    if not all(any(policies.lets_in(d, caller=delivery.service, action=a, resource=arn) for d in documents) for a in actions):
        raise error("AccessDeniedException", f"no resource policy of CloudWatch Logs lets {delivery.service} write to {group}")
    if group not in logs_backends[account][region].groups:
        raise error("ResourceNotFoundException", f"log group {group} does not exist")
    cloud().log(account=account, region=region, group=group, stream=str(uuid.uuid4()), line=delivery.text)


def where(arn: str) -> tuple[str, str]:
    """The account and the region of an ARN."""
    return arn.split(":")[4], arn.split(":")[3]


senders: dict[str, Callable[[Delivery], None]] = {"sns": _topic, "sqs": _queue, "logs:log-group": _logs}  # other services add theirs
