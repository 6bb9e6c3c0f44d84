"""Dead letters: what EventBridge and its Scheduler could not deliver, and where it goes.

"Using dead-letter queues to process undelivered events in EventBridge", and "Configuring a dead-letter queue for EventBridge Scheduler",
which writes with the schedule's own role, so no policy of the queue is asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deployability.policy import lets_in
from deployability.rule import Finding, rule
from deployability.template import Properties, Template, get, items

RULE, QUEUE, KEY = "AWS::Events::Rule", "AWS::SQS::Queue", "AWS::KMS::Key"
TARGETS = {RULE: "Targets", "AWS::Scheduler::Schedule": "Target"}  # where a type has what it calls


@rule("W9270", "What a target does not take is kept", absent="DeadLetterConfig left out: after the last attempt it is dropped")
def is_kept(template: Template) -> Iterator[Finding]:
    for name, kind, properties in template:
        key = TARGETS.get(kind, "")
        if any(isinstance(target, dict) and "DeadLetterConfig" not in target for target in items(properties.get(key))):
            wrong = "one of its targets has no dead-letter queue: what that does not take is dropped after the last attempt"
            yield Finding(name, wrong, "name a queue in its DeadLetterConfig, and have an alarm watch what lies there", (key,))


@rule(
    "E9271",
    "A dead-letter queue takes what its rule sends",
    absent="without a policy a queue takes nothing from EventBridge; without KmsMasterKeyId it needs no key's",
)
def is_taken(template: Template) -> Iterator[Finding]:
    for name, queue in _of_rules(template).items():
        if template.handled_elsewhere(name):
            continue
        if not lets_in(_policies(template, name) or None, "events", "sqs:SendMessage"):
            wrong = "no policy lets events.amazonaws.com send to it: what a target does not take is lost all the same"
            yield Finding(name, wrong, "add an AWS::SQS::QueuePolicy that allows it sqs:SendMessage, for the rule by aws:SourceArn")
        key = template.pointed(queue.get("KmsMasterKeyId"), KEY)
        if key and not lets_in(key[1].get("KeyPolicy"), "events", "kms:Decrypt", "kms:GenerateDataKey"):
            wrong = f"the policy of its key {key[0]} does not let events.amazonaws.com in: what a target does not take is lost all the same"
            yield Finding(name, wrong, "allow events.amazonaws.com kms:Decrypt and kms:GenerateDataKey*", ("KmsMasterKeyId",))


def _of_rules(template: Template) -> dict[str, Properties]:
    """The queues of this template, by logical id, that are the dead-letter queues of rules."""
    targets = [target for _, properties in template.of(RULE) for target in items(properties.get("Targets"))]
    queues = (template.pointed(get(target, "DeadLetterConfig", "Arn"), QUEUE) for target in targets)
    return dict(queue for queue in queues if queue)


def _policies(template: Template, queue: str) -> list[Any]:
    """The policies that are about a queue, or whose queues are named by what this template does not show."""
    policies = []
    for _, properties in template.of("AWS::SQS::QueuePolicy"):
        about = [template.pointed(one, QUEUE) for one in items(properties.get("Queues"))]
        if any(one is None or one[0] == queue for one in about):
            policies.append(properties.get("PolicyDocument"))
    return policies
