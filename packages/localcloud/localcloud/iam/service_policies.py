"""Policies of topics, queues, repositories, registries, buses, log groups and secrets, which their services take or refuse.

What is refused is in each service's guide: "Amazon SNS API permissions: Actions and resources reference" (policy quotas), "Amazon SQS
policy quotas", "Repository policies in Amazon ECR", "Amazon EventBridge quotas", the APIs' PutResourcePolicy. The words are the services'
own where they are known; those of a bus, of a log group, and of SNS's quotas are localcloud's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from moto.ecr.exceptions import InvalidParameterException
from moto.ecr.models import ECRBackend
from moto.events.models import EventBus, EventsBackend
from moto.logs.models import LogsBackend
from moto.secretsmanager.models import SecretsManagerBackend
from moto.sns.exceptions import SNSInvalidParameter
from moto.sns.models import Topic
from moto.sqs.exceptions import SQSException
from moto.sqs.models import Queue

from localcloud.core.errors import error, invalid
from localcloud.iam import documents
from localcloud.iam.conditions import listed, matches
from localcloud.iam.documents import Json

OF_TOPICS = {"bytes": 30 * 1024, "statements": 100, "principals": 200}
OF_QUEUES = {"bytes": 8192, "statements": 20, "principals": 50, "conditions": 10}
MOST_ACTIONS = 7  # of a statement of a queue's policy
LARGEST_OF_BUS = 10 * 1024  # bytes
ON_TOPICS = {  # what a topic's policy may be about, in small letters
    "sns:addpermission",
    "sns:deletetopic",
    "sns:getdataprotectionpolicy",
    "sns:gettopicattributes",
    "sns:listsubscriptionsbytopic",
    "sns:listtagsforresource",
    "sns:publish",
    "sns:putdataprotectionpolicy",
    "sns:receive",
    "sns:removepermission",
    "sns:settopicattributes",
    "sns:subscribe",
}

_topic_policy: Any = Topic.policy
_queue_policy: Any = Queue.policy
_set_repository_policy, _put_registry_policy = ECRBackend.set_repository_policy, ECRBackend.put_registry_policy
_put_permission = EventsBackend.put_permission
_put_logs_policy, _put_secret_policy = LogsBackend.put_resource_policy, SecretsManagerBackend.put_resource_policy


def install() -> None:
    """Look at policies before their services keep them."""
    Topic.policy = property(_topic_policy.fget, set_topic_policy)  # type: ignore[assignment]
    Queue.policy = property(_queue_policy.fget, set_queue_policy)  # type: ignore[assignment]
    setattr(ECRBackend, "set_repository_policy", set_repository_policy)  # noqa: B010
    setattr(ECRBackend, "put_registry_policy", put_registry_policy)  # noqa: B010
    setattr(EventsBackend, "put_permission", put_permission)  # noqa: B010
    setattr(LogsBackend, "put_resource_policy", put_logs_policy)  # noqa: B010
    setattr(SecretsManagerBackend, "put_resource_policy", put_secret_policy)  # noqa: B010


def set_topic_policy(self: Any, policy: str) -> None:
    if documents.misread_on_resource(policy):
        raise SNSInvalidParameter("Invalid parameter: Policy Error: null")
    if documents.unknown_principal(policy):
        raise SNSInvalidParameter("Invalid parameter: Policy Error: PrincipalNotFound")
    for statement in documents.statements(policy):
        if {action.lower() for action in listed(statement.get("Action", []))} - ON_TOPICS:
            raise SNSInvalidParameter("Invalid parameter: Policy statement action out of service scope!")
        about = listed(statement.get("Resource", []))
        if len(about) != 1 or not matches(about[0], self.arn):
            raise SNSInvalidParameter(f"Invalid parameter: Policy Error: each statement's Resource must be {self.arn}")
    if over := _over(policy, OF_TOPICS):
        raise SNSInvalidParameter(f"Invalid parameter: Policy Error: {over}")
    _topic_policy.fset(self, policy)


def set_queue_policy(self: Any, policy: str | None) -> None:
    if policy and _refused_of_queue(policy):
        raise SQSException("InvalidAttributeValue", "Invalid value for the parameter Policy.")
    _queue_policy.fset(self, policy)


def _refused_of_queue(policy: Json) -> bool:
    if documents.malformed_on_resource(policy) or _over(policy, OF_QUEUES):
        return True
    return any(len(listed(statement.get("Action", []))) > MOST_ACTIONS for statement in documents.statements(policy))


def set_repository_policy(self: Any, registry_id: str, repository_name: str, policy_text: str) -> Any:
    require_of_repository(policy_text)
    return _set_repository_policy(self, registry_id, repository_name, policy_text)


def require_of_repository(policy: Json) -> None:
    """Raise ECR's error where a repository cannot have this policy, text or parsed. It is about the repository, and names no resource."""
    if documents.misread_on_resource(policy) or any({"Resource", "NotResource"} & set(s) for s in documents.statements(policy)):
        raise _refused("Invalid repository policy provided")
    if documents.unknown_principal(policy):
        raise _refused("Principal not found")


def put_registry_policy(self: Any, policy_text: str) -> Any:
    if documents.malformed_on_resource(policy_text):
        raise _refused("Invalid registry policy provided")
    return _put_registry_policy(self, policy_text)


def _refused(why: str) -> InvalidParameterException:
    return InvalidParameterException(f"Invalid parameter at 'PolicyText' failed to satisfy constraint: '{why}'")


def put_permission(
    self: Any, event_bus_name: str, action: str, principal: str, statement_id: str, condition: dict[str, str], policy: str
) -> None:
    if policy:
        require_of_bus(policy)
    with within_size(self.describe_event_bus(event_bus_name or "default")):
        _put_permission(self, event_bus_name, action, principal, statement_id, condition, policy)


def require_of_bus(policy: Json) -> None:
    """Raise EventBridge's error where a bus cannot have this policy, text or parsed."""
    if words := documents.malformed_on_resource(policy):
        raise invalid(f"Parameter Policy is not valid. Reason: {words}")


@contextmanager
def within_size(bus: EventBus) -> Iterator[None]:
    """Whatever is done to a bus's policy in here is undone, with EventBridge's error, where the policy becomes too large."""
    before = dict(bus._statements)
    yield
    if len((bus.policy or "").encode()) > LARGEST_OF_BUS:
        bus._statements = before
        raise error("PolicyLengthExceededException", "Policy size would be larger than the maximum allowed.")


def put_logs_policy(self: Any, policy_name: str, policy_doc: str) -> Any:
    if words := documents.malformed_on_resource(policy_doc):
        raise error("InvalidParameterException", words)
    return _put_logs_policy(self, policy_name, policy_doc)


def put_secret_policy(self: Any, secret_id: str, policy: str) -> Any:
    if documents.misread_on_resource(policy):
        raise error("MalformedPolicyDocumentException", "This policy has invalid syntax.")
    if documents.unknown_principal(policy):
        raise error("MalformedPolicyDocumentException", "This resource policy contains an unsupported principal.")
    return _put_secret_policy(self, secret_id, policy)


def _over(policy: Json, quotas: dict[str, int]) -> str | None:
    """Which of these quotas of its service a policy is over, or None."""
    statements = documents.statements(policy)
    sizes = {
        "bytes": len((policy if isinstance(policy, str) else json.dumps(policy, separators=(",", ":"))).encode()),
        "statements": len(statements),
        "principals": sum(1 for _ in documents.principals(policy)),
        "conditions": sum(len(keys) for statement in statements for keys in statement.get("Condition", {}).values()),
    }
    return next((f"{sizes[name]} {name} are more than {most}" for name, most in quotas.items() if sizes[name] > most), None)
