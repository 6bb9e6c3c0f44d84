"""The permissions that a request requires, beyond what it asks for: S3 uses keys and lists on the caller's behalf.

Each comes with the condition keys whose values are known here. A key that is not among them depends on facts that exist only in AWS,
and conditions on it are not judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from moto.s3.models import s3_backends

from localcloud.kms import keys

ENCRYPTION_KEY = "x-amz-server-side-encryption-aws-kms-key-id"
Context = Mapping[str, list[str]]  # condition key → its values in this request; none for a key that is known to be absent


@dataclass(frozen=True, kw_only=True)
class Permission:
    """One permission. `resource` is an ARN, or None where the request does not tell which."""

    action: str
    resource: str | None
    context: Context = field(default_factory=dict)


def required(response: Any, action: str, resource: str | None) -> Iterator[Permission]:
    """What a request to do `action` on `resource` must be allowed, as moto's `response` object received it."""
    service = action.partition(":")[0]
    if service == "kms":
        key = keys.find(response._get_param("KeyId") or "", response.current_account, response.region)
        context: Context = {"kms:ViaService": [], "kms:ResourceAliases": list(key.aliases) if key else []}
        yield Permission(action=action, resource=key.arn if key else None, context=context)
    elif action == "sagemaker:UpdateModelPackage":
        status = response._get_param("ModelApprovalStatus")
        yield Permission(action=action, resource=resource, context={"sagemaker:ModelApprovalStatus": [status] if status else []})
    elif action == "events:PutEvents":
        here = f"arn:{response.partition}:events:{response.region}:{response.current_account}"
        for entry in response._get_param("Entries"):
            name = entry.get("EventBusName") or "default"
            context = {"events:source": [entry.get("Source", "")], "events:detail-type": [entry.get("DetailType", "")]}
            yield Permission(action=action, resource=name if name.startswith("arn:") else f"{here}:event-bus/{name}", context=context)
    elif service != "s3" or resource is None:
        yield Permission(action=action, resource=resource)
        if action in ("sagemaker:CreateEndpoint", "sagemaker:UpdateEndpoint"):
            yield from _alarms(response)
    elif action == "s3:ListBucket":
        yield Permission(action=action, resource=resource, context={"s3:prefix": response.querystring.get("prefix", [])})
    else:
        yield Permission(action=action, resource=resource)
        yield from _through_s3(response, action, resource)


def _alarms(response: Any) -> Iterator[Permission]:
    """SageMaker looks at the alarms that guard a deployment with the caller's permissions."""
    guards = (response._get_param("DeploymentConfig") or {}).get("AutoRollbackConfiguration", {})
    here = f"arn:{response.partition}:cloudwatch:{response.region}:{response.current_account}"
    for alarm in guards.get("Alarms", []):
        yield Permission(action="cloudwatch:DescribeAlarms", resource=f"{here}:alarm:{alarm['AlarmName']}")


def _through_s3(response: Any, action: str, resource: str) -> Iterator[Permission]:
    name, _, path = resource.rpartition(":")[2].partition("/")
    if name not in s3_backends.bucket_accounts:
        return
    partition, owner = s3_backends.bucket_accounts[name]
    bucket = s3_backends[owner][partition].buckets[name]
    if action == "s3:GetObject":
        stored = bucket.keys.get(unquote(path))
        if stored is None:  # S3 tells only those who may list that an object is missing
            yield Permission(action="s3:ListBucket", resource=resource.partition("/")[0], context={"s3:prefix": []})
        elif key := getattr(stored, "kms_key_id", None):
            yield from _use_of_key("kms:Decrypt", key, owner, bucket.region_name)
    elif action == "s3:PutObject":
        default = (bucket.encryption or {}).get("Rule", {}).get("ApplyServerSideEncryptionByDefault", {})
        if key := response.headers.get(ENCRYPTION_KEY) or default.get("KMSMasterKeyID"):
            yield from _use_of_key("kms:GenerateDataKey", key, owner, bucket.region_name)


def _use_of_key(action: str, name: str, account: str, region: str) -> Iterator[Permission]:
    """A key that S3 uses for the caller. One that is not there is AWS's own, which everybody may use."""
    if key := keys.find(name, account, region):
        via = f"s3.{key.region}.amazonaws.com"
        yield Permission(action=action, resource=key.arn, context={"kms:ViaService": [via], "kms:ResourceAliases": list(key.aliases)})
