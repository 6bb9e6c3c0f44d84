"""Decides every request as IAM would, so that a missing permission fails on the laptop and not in the account.

The ARN that a request is about is read off the request, where it tells; bucket, key, bus and trust policies decide across accounts.
"""

from __future__ import annotations

import json
import logging
import re
from typing import Any
from urllib.parse import urlparse

from moto.core.authorization import ActionAuthenticatorMixin
from moto.events.models import events_backends
from moto.iam.access_control import PermissionResult, S3IAMRequest
from moto.iam.models import iam_backends
from moto.s3.models import FakeBucket, s3_backends

from localcloud.core.cloud import PARTITION
from localcloud.core.errors import error
from localcloud.iam.permissions import Context, Permission, required
from localcloud.iam.policies import Statement, allows, lets_in, statements, trusts
from localcloud.kms import keys

SERVICES = {"monitoring": "cloudwatch"}  # the name a request is signed with → IAM's prefix
UNSIGNED = ("/moto-api/", "/localcloud/")  # paths whose requests nobody signs
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


def install() -> None:
    """Put this judge in front of every moto service."""
    ActionAuthenticatorMixin._authenticate_and_authorize_action = _authorize  # type: ignore[method-assign]
    FakeBucket.get_permission = lambda *_: PermissionResult.PERMITTED  # type: ignore[method-assign]  # judged here already


def _authorize(self: Any, iam_request_cls: type, resource: str = "*") -> None:
    if urlparse(self.uri).path.startswith(UNSIGNED):
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
    denied = next((wanted for wanted in required(self, action, about) if not _granted(wanted, granted, caller)), None)
    if denied:
        logging.getLogger(__name__).warning("%s denied %s on %s", request._access_key.arn, denied.action, denied.resource)
        if "json" in self.headers.get("Content-Type", ""):
            where = f" on resource: {denied.resource}" if denied.resource else ""
            raise error("AccessDeniedException", f"User: {request._access_key.arn} is not authorized to perform: {denied.action}{where}")
        request._raise_access_denied()


def _granted(wanted: Permission, granted: list[Statement], caller: str) -> bool:
    if not allows(granted, action=wanted.action, resource=wanted.resource, context=wanted.context):
        return False
    service, _, operation = wanted.action.partition(":")
    if wanted.resource is None:
        return True
    if service == "s3":
        return _bucket_allows(wanted.resource, caller, wanted.action)
    if service == "kms":
        return _key_allows(wanted.resource, caller, wanted.action)
    if wanted.action == "events:PutEvents":
        return bus_allows(wanted.resource, caller, wanted.context)
    return (service, operation) != ("sts", "AssumeRole") or _may_assume(wanted.resource, caller)


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
    key = keys.find(resource, owner, resource.split(":")[3])
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
