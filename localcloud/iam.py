"""Decides every request as IAM would, so that a missing permission fails on the laptop and not in the account.

moto knows users, roles and policies but compares resources with "*" only; here a statement's `Resource` is compared
with the ARN the request is about, where that ARN can be read off the request, and bucket, key, bus and trust policies
decide across accounts. Conditions are judged where the value of their key is known here (see docs/verified.md).
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlparse

from moto.core.authorization import ActionAuthenticatorMixin
from moto.events.models import events_backends
from moto.iam.access_control import IAMPolicy, PermissionResult, S3IAMRequest
from moto.iam.models import iam_backends
from moto.s3.models import FakeBucket, s3_backends

from localcloud import needs
from localcloud.cloud import PARTITION
from localcloud.errors import error
from localcloud.needs import Context, Need

SERVICES = {"monitoring": "cloudwatch"}  # the name a request is signed with → IAM's prefix
BOOTSTRAP = ("/moto-api/", "/localcloud/")
# (IAM prefix, request parameter) → the ARN that the parameter names, after arn:aws:SERVICE:REGION:ACCOUNT:
NAMED = {
    ("codebuild", "projectName"): "project/{}",
    ("codepipeline", "name"): "{}",
    ("codepipeline", "pipelineName"): "{}",
    ("ecr", "repositoryName"): "repository/{}",
    ("logs", "logGroupName"): "log-group:{}:*",
    ("sagemaker", "EndpointConfigName"): "endpoint-config/{}",
    ("sagemaker", "EndpointName"): "endpoint/{}",
    ("sagemaker", "ModelCardName"): "model-card/{}",
    ("sagemaker", "ModelName"): "model/{}",
    ("sagemaker", "ModelPackageGroupName"): "model-package-group/{}",
    ("sagemaker", "PipelineName"): "pipeline/{}",
    ("sagemaker", "ProcessingJobName"): "processing-job/{}",
    ("sagemaker", "TrainingJobName"): "training-job/{}",
    ("ssm", "Name"): "parameter{}",
}
Statement = dict[str, Any]
_EXACT, _LIKE = ("StringEquals",), ("ArnEquals", "ArnLike", "StringLike")


def install() -> None:
    """Put this judge in front of every moto service."""
    ActionAuthenticatorMixin._authenticate_and_authorize_action = _authorize  # type: ignore[method-assign]
    FakeBucket.get_permission = lambda *_: PermissionResult.PERMITTED  # type: ignore[method-assign]  # judged here already


def statements(policies: Iterable[Any]) -> Iterator[Statement]:
    """All statements of policies in whichever form moto keeps them: objects, records, JSON text, or parsed."""
    for policy in policies:
        document = policy if isinstance(policy, dict) and "Statement" in policy else IAMPolicy(policy)._policy_json
        found = document["Statement"]
        yield from (s for s in found if s is not None) if isinstance(found, list) else [found]  # moto keeps AWS::NoValue as None


def allows(found: Iterable[Statement], *, action: str, resource: str | None, context: Context | None = None) -> bool:
    """Whether the statements allow `action` on the ARN `resource` (None: the request does not tell which)."""
    allowed = False
    for statement in found:
        if _concerns(statement, action) and _covers(statement, resource):
            if statement["Effect"] == "Deny" and "Condition" not in statement:
                return False
            allowed = allowed or (statement["Effect"] == "Allow" and _conditions_hold(statement, context or {}))
    return allowed


def role_allows(role_arn: str, *, action: str, resource: str) -> bool:
    """Whether a role's own policies allow it `action` on `resource`."""
    backend = iam_backends[role_arn.split(":")[4]][PARTITION]
    name = backend.get_role_by_arn(role_arn).name
    inline = [backend.get_role_policy(name, p)[1] for p in backend.list_role_policies(name)]
    return allows(statements([*inline, *backend.list_attached_role_policies(name)[0]]), action=action, resource=resource)


def lets_in(policy: Any, *, caller: str, action: str, resource: str | None = None, context: Context | None = None) -> bool:
    """Whether the policy on a resource lets a principal of another account (its ARN), or a service (its name), do `action`."""
    found = statements([policy.decode() if isinstance(policy, bytes) else policy]) if policy else []
    asked = [s for s in found if _is_principal(s, caller)]
    return allows(asked, action=action, resource=resource, context={"aws:PrincipalArn": [caller], **(context or {})})


def trusts(document: str, *, caller: str, action: str = "sts:AssumeRole") -> bool:
    """Whether a role's trust policy lets `caller` (a principal's ARN, or a service name) assume it."""
    return any(
        s["Effect"] == "Allow" and _concerns(s, action) and _is_principal(s, caller) and _conditions_hold(s, {"aws:PrincipalArn": [caller]})
        for s in statements([document])
    )


def _authorize(self: Any, iam_request_cls: type, resource: str = "*") -> None:
    if urlparse(self.uri).path.startswith(BOOTSTRAP):
        return
    query = urlparse(self.uri).query
    request = iam_request_cls(
        account_id=self.current_account,
        method=self.method,
        path=self.raw_path + (f"?{query}" if query else ""),
        data=self.data,
        body=self.raw_body,
        headers=self.headers,
        action=self._get_action(),
    )
    if self.headers.get("Content-Length", "0") == "0":
        request._data = ""  # moto would sign what it made of an empty body
    if iam_request_cls is not S3IAMRequest:  # moto cannot recompute the signature of a streamed upload
        request.check_signature()
    service, _, operation = request._action.partition(":")
    action = f"{SERVICES.get(service, service)}:{operation}"
    about = _resource(self, action, resource)
    if action == "sts:GetCallerIdentity":
        return
    caller = _role_of(request._access_key.arn)
    granted = list(statements(request._access_key.collect_policies()))
    denied = next((need for need in needs.of(self, action, about) if not _granted(need, granted, caller)), None)
    if denied:
        logging.getLogger(__name__).warning("%s denied %s on %s", request._access_key.arn, denied.action, denied.resource)
        if "json" in self.headers.get("Content-Type", ""):
            where = f" on resource: {denied.resource}" if denied.resource else ""
            raise error("AccessDeniedException", f"User: {request._access_key.arn} is not authorized to perform: {denied.action}{where}")
        request._raise_access_denied()


def _granted(need: Need, granted: list[Statement], caller: str) -> bool:
    if not allows(granted, action=need.action, resource=need.resource, context=need.context):
        return False
    service, _, operation = need.action.partition(":")
    if need.resource is None:
        return True
    if service == "s3":
        return _bucket_allows(need.resource, caller, need.action)
    if service == "kms":
        return _key_allows(need.resource, caller, need.action)
    if need.action == "events:PutEvents":
        return bus_allows(need.resource, caller, need.context)
    return (service, operation) != ("sts", "AssumeRole") or _may_assume(need.resource, caller)


def _resource(response: Any, action: str, resource: str) -> str | None:
    service = action.partition(":")[0]
    if resource != "*":
        return resource
    if action == "sts:AssumeRole":
        return str(response._get_param("RoleArn"))
    here = f"arn:{response.partition}:{service}:{response.region}:{response.current_account}"
    if action == "sagemaker:InvokeEndpoint":
        return f"{here}:endpoint/{response.path.split('/')[2]}"
    if "x-amz-target" not in {name.lower() for name in dict(response.headers)}:
        return None
    body = json.loads(response.body or "{}")
    for parameter, value in body.items():
        if isinstance(value, str) and value.startswith("arn:"):
            return value if parameter.endswith(("Arn", "ARN", "Name", "KeyId")) and "Role" not in parameter else None
        if pattern := NAMED.get((service, parameter)):
            name = value if service != "ssm" or str(value).startswith("/") else f"/{value}"
            return f"{here}:{pattern.format(name)}"
    return None


def _may_assume(role_arn: str, caller: str) -> bool:
    """A role that does not exist is refused like one that does not trust: IAM tells nobody which it is."""
    roles = iam_backends[role_arn.split(":")[4]][PARTITION].roles.values()
    return any(trusts(role.assume_role_policy_document, caller=caller) for role in roles if role.arn == role_arn)


def _bucket_allows(resource: str, caller: str, action: str) -> bool:
    """A bucket of another account needs a bucket policy that lets the caller in; its own account needs none."""
    bucket = resource.rpartition(":")[2].split("/")[0]
    if bucket not in s3_backends.bucket_accounts:
        return True
    partition, owner = s3_backends.bucket_accounts[bucket]
    if owner == caller.split(":")[4]:
        return True
    return lets_in(s3_backends[owner][partition].buckets[bucket].policy, caller=caller, action=action, resource=resource)


def _key_allows(resource: str, caller: str, action: str) -> bool:
    """A key of another account needs a key policy that lets the caller in; every key of ours leaves its own account to IAM."""
    owner = resource.split(":")[4]
    key = needs.find_key(resource, owner, resource.split(":")[3])
    return owner == caller.split(":")[4] or key is None or lets_in(key.policy, caller=caller, action=action)


def bus_allows(resource: str, caller: str, context: Context) -> bool:
    """A bus of another account needs a policy that lets the caller in. One that is not there is refused by its own service."""
    _, _, _, region, owner, name = resource.split(":", 5)
    bus = events_backends[owner][region].event_buses.get(name.removeprefix("event-bus/"))
    if bus is None or owner == caller.split(":")[4]:
        return True
    return lets_in(bus.policy, caller=caller, action="events:PutEvents", resource=resource, context=context)


def _role_of(arn: str) -> str:
    """`arn:…:sts::1:assumed-role/R/session` → `arn:…:iam::1:role/R`: the principal that policies name."""
    match = re.fullmatch(r"arn:([^:]+):sts::(\d+):assumed-role/(.+)/[^/]+", arn)
    return f"arn:{match[1]}:iam::{match[2]}:role/{match[3]}" if match else arn


def _listed(value: Any) -> list[str]:
    return [str(v) for v in value] if isinstance(value, list) else [str(value)]


def _matches(pattern: str, value: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), value, re.DOTALL) is not None


def _concerns(statement: Statement, action: str) -> bool:
    if "NotAction" in statement:
        return not any(_matches(p.lower(), action.lower()) for p in _listed(statement["NotAction"]))
    return any(_matches(p.lower(), action.lower()) for p in _listed(statement["Action"]))


def _covers(statement: Statement, resource: str | None) -> bool:
    if resource is None or "Resource" not in statement:
        return True
    return any(_matches(p, resource) or _matches(p.removesuffix(":*"), resource.removesuffix(":*")) for p in _listed(statement["Resource"]))


def _is_principal(statement: Statement, caller: str) -> bool:
    principal = statement.get("Principal", {})
    if principal == "*":
        return True
    accepted = [p for kind in ("AWS", "Service") for p in _listed(principal.get(kind, []))]
    account = caller.split(":")[4] if caller.startswith("arn:") else None
    return any(p in ("*", caller) or (account and (p == account or p.endswith(f"::{account}:root"))) for p in accepted)


def _conditions_hold(statement: Statement, context: Context) -> bool:
    """Whether the conditions on keys of `context` are met; the others depend on facts that exist only in AWS."""
    return all(
        _meets(operator.removeprefix("ForAnyValue:"), _listed(accepted), context[key])
        for operator, keys in statement.get("Condition", {}).items()
        for key, accepted in keys.items()
        if key in context
    )


def _meets(operator: str, accepted: list[str], found: list[str]) -> bool:
    """A kind of comparison that is not known here is not met."""
    if operator in _EXACT:
        return not set(accepted).isdisjoint(found)
    return operator in _LIKE and any(_matches(pattern, value) for pattern in accepted for value in found)
