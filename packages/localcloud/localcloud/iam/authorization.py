"""Decides every request as IAM would, so that a missing permission fails on the laptop and not in the account.

The ARN that a request is about is read off the request, where it tells. Bucket, key, bus and trust policies are asked too: across accounts
both sides must allow, within one account either, and of a key its own policy first.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlparse

from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.utils import get_service_model
from moto.iam.access_control import PermissionResult, S3IAMRequest
from moto.s3.models import FakeBucket

from localcloud.core.errors import error
from localcloud.iam import callers, kms_permissions, permissions, policies, resource_policies, roles, s3_permissions, sessions
from localcloud.iam.conditions import hold
from localcloud.iam.permissions import Permission, feature_group
from localcloud.iam.policies import Statement, statements
from localcloud.iam.resource_policies import Guarded
from localcloud.kms import grants

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
    ("sagemaker", "FeatureGroupName"): "feature-group/{}",
    ("sagemaker", "HyperParameterTuningJobName"): "hyper-parameter-tuning-job/{}",
    ("sagemaker", "InferenceComponentName"): "inference-component/{}",
    ("sagemaker", "ModelCardName"): "model-card/{}",
    ("sagemaker", "ModelName"): "model/{}",
    ("sagemaker", "ModelPackageGroupName"): "model-package-group/{}",
    ("sagemaker", "PipelineName"): "pipeline/{}",
    ("sagemaker", "ProcessingJobName"): "processing-job/{}",
    ("sagemaker", "TrainingJobName"): "training-job/{}",
    ("sagemaker", "TransformJobName"): "transform-job/{}",
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
    sessions.require_valid(self)
    service, _, operation = request._action.partition(":")
    action = f"{SERVICES.get(service, service)}:{operation}"
    about = _resource(self, action, resource)
    if action == "sts:GetCallerIdentity":
        return
    caller = callers.principal(request._access_key.arn)
    identity = policies.of_role(caller) if ":role/" in caller else list(statements(request._access_key.collect_policies()))
    for wanted in _required(self, action, about):
        if why := _refusal(wanted, identity, caller):
            _refuse(self, request, wanted, why)


def _required(response: Any, action: str, resource: str | None) -> Iterator[Permission]:
    if action.startswith("s3:") and resource:
        return s3_permissions.required(response, action, resource)
    if action.startswith("kms:"):
        return kms_permissions.required(response, action)
    return permissions.required(response, action, resource)


def _refuse(response: Any, request: Any, wanted: Permission, why: str) -> None:
    """Raise AWS's error: a sentence where the service speaks JSON, and S3's short words elsewhere."""
    who = request._access_key.arn
    logging.getLogger(__name__).warning("%s denied %s on %s: %s", who, wanted.action, wanted.resource, why)
    if "json" in response.headers.get("Content-Type", "") or _speaks_json(response):
        where = f" on resource: {wanted.resource}" if wanted.resource else ""
        raise error("AccessDeniedException", f"User: {who} is not authorized to perform: {wanted.action}{where} {why}")
    request._raise_access_denied()


def _speaks_json(response: Any) -> bool:
    """Whether the service answers in JSON what is asked without a body."""
    return response.service_name is not None and get_service_model(response.boto3_service_name).protocol == "rest-json"


def refusal_of_role(role_arn: str, wanted: Permission) -> str | None:
    """Why a role may not do what a service does as it, in AWS's words, or None where it may."""
    return _refusal(wanted, policies.of_role(role_arn), role_arn)


def _refusal(wanted: Permission, identity: list[Statement], caller: str) -> str | None:
    """Why a principal may not do it, in AWS's words, or None where it may. An explicit Deny in any policy wins."""
    asked: dict[str, Any] = {
        "action": wanted.action,
        "resource": wanted.resource,
        "context": {**policies.known_of(caller), **wanted.context},
    }
    if policies.denies(identity, **asked):
        return "with an explicit deny in an identity-based policy"
    if why := _outside(caller, asked):
        return why
    granted = policies.grants(identity, **asked)
    if wanted.action == "sts:AssumeRole" and wanted.resource:
        trusted = granted and _may_assume(wanted.resource, caller)
        return None if trusted else _nothing_allows("resource-based" if granted else "identity-based", wanted)
    guarded = resource_policies.of(wanted)
    if guarded is None:
        return None if granted else _nothing_allows("identity-based", wanted)
    return _refusal_with(guarded, wanted, asked, caller, granted=granted)


def _outside(caller: str, asked: dict[str, Any]) -> str | None:
    """Why the caller's permissions boundary does not let it through, in AWS's words.

    A boundary gives nothing; it limits what the caller's own policies give, and what the policy on a resource gives a role by its ARN
    ("Permissions boundaries for IAM entities").
    """
    boundary = policies.boundary_of(caller)
    if boundary is None or policies.allows(boundary, **asked):
        return None
    if policies.denies(boundary, **asked):
        return "with an explicit deny in a permissions boundary"
    return f"because no permissions boundary allows the {asked['action']} action"


def _refusal_with(guarded: Guarded, wanted: Permission, asked: dict[str, Any], caller: str, *, granted: bool) -> str | None:
    """Why not, by the policy of what is asked about too; `granted` is what the caller's own policies say."""
    about = policies.addressing(guarded.policy, caller)
    if policies.denies(about, **asked):
        return "with an explicit deny in a resource-based policy"
    if wanted.action.startswith("kms:") and grants.lets(str(wanted.resource), caller, wanted.action):
        return None
    let_in = policies.grants(about, **asked)
    here = guarded.owner == caller.split(":")[4]
    by_name = [s for s in about if not policies.delegates(s, caller) and hold(s, asked["context"])]  # nothing is given on a guess
    if here and policies.grants(by_name, **asked):
        return None
    if not granted:
        return _nothing_allows("identity-based", wanted)
    return None if let_in or (here and not guarded.alone) else _nothing_allows("resource-based", wanted)


def _nothing_allows(kind: str, wanted: Permission) -> str:
    return f"because no {kind} policy allows the {wanted.action} action"


def _resource(response: Any, action: str, resource: str) -> str | None:
    service, _, operation = action.partition(":")
    if resource != "*":
        return resource
    if action == "sts:AssumeRole":
        return str(response._get_param("RoleArn"))
    here = f"arn:{response.partition}:{service}:{response.region}:{response.current_account}"
    if action in ("sagemaker:InvokeEndpoint", "sagemaker:InvokeEndpointAsync"):
        return f"{here}:endpoint/{response.path.split('/')[2]}"
    if response.path.startswith("/FeatureGroup/"):
        return feature_group(here, unquote(response.path.split("/")[2]))
    if "x-amz-target" not in {name.lower() for name in dict(response.headers)}:
        return None
    body, made = json.loads(response.body or "{}"), f"{operation.removeprefix('Create')}Name"
    for parameter, value in sorted(body.items(), key=lambda member: member[0] != made):
        if isinstance(value, str) and value.startswith("arn:"):
            return value if parameter.endswith(("Arn", "ARN", "Name", "KeyId", "SecretId")) and "Role" not in parameter else None
        if pattern := NAMED.get((service, parameter)):
            name = value if service != "ssm" or str(value).startswith("/") else f"/{value}"
            return f"{here}:{pattern.format(name)}"
    return None


def _may_assume(role_arn: str, caller: str) -> bool:
    """A role that does not exist is refused like one that does not trust: IAM tells nobody which it is."""
    return roles.exists(role_arn) and roles.of(role_arn) is not None and policies.role_trusts(role_arn, caller=caller)
