"""What a request must be allowed, beyond what it asks for: S3 uses keys and lists on the caller's behalf.

Each need comes with the condition keys whose values are known here. A key that is not among them depends on facts that exist
only in AWS, and conditions on it are not judged (see docs/verified.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from moto.kms.models import kms_backends
from moto.s3.models import s3_backends

ENCRYPTION_KEY = "x-amz-server-side-encryption-aws-kms-key-id"
Context = Mapping[str, list[str]]  # condition key → its values in this request; none for a key that is known to be absent


@dataclass(frozen=True, kw_only=True)
class Need:
    """One permission. `resource` is an ARN, or None where the request does not tell which."""

    action: str
    resource: str | None
    context: Context = field(default_factory=dict)


def of(response: Any, action: str, resource: str | None) -> Iterator[Need]:
    """The needs of a request to do `action` on `resource`, as moto's `response` object received it."""
    service = action.partition(":")[0]
    if service == "kms":
        key = find_key(response._get_param("KeyId") or "", response.current_account, response.region)
        context: Context = {"kms:ViaService": [], "kms:ResourceAliases": list(key.aliases) if key else []}
        yield Need(action=action, resource=key.arn if key else None, context=context)
    elif action == "sagemaker:UpdateModelPackage":
        status = response._get_param("ModelApprovalStatus")
        yield Need(action=action, resource=resource, context={"sagemaker:ModelApprovalStatus": [status] if status else []})
    elif action == "events:PutEvents":
        here = f"arn:{response.partition}:events:{response.region}:{response.current_account}"
        for entry in response._get_param("Entries"):
            name = entry.get("EventBusName") or "default"
            context = {"events:source": [entry.get("Source", "")], "events:detail-type": [entry.get("DetailType", "")]}
            yield Need(action=action, resource=name if name.startswith("arn:") else f"{here}:event-bus/{name}", context=context)
    elif service != "s3" or resource is None:
        yield Need(action=action, resource=resource)
        if action in ("sagemaker:CreateEndpoint", "sagemaker:UpdateEndpoint"):
            yield from _watched(response)
    elif action == "s3:ListBucket":
        yield Need(action=action, resource=resource, context={"s3:prefix": response.querystring.get("prefix", [])})
    else:
        yield Need(action=action, resource=resource)
        yield from _through_s3(response, action, resource)


def _watched(response: Any) -> Iterator[Need]:
    """SageMaker looks at the alarms that guard a deployment with the caller's permissions."""
    guards = (response._get_param("DeploymentConfig") or {}).get("AutoRollbackConfiguration", {})
    here = f"arn:{response.partition}:cloudwatch:{response.region}:{response.current_account}"
    for alarm in guards.get("Alarms", []):
        yield Need(action="cloudwatch:DescribeAlarms", resource=f"{here}:alarm:{alarm['AlarmName']}")


def _through_s3(response: Any, action: str, resource: str) -> Iterator[Need]:
    name, _, path = resource.rpartition(":")[2].partition("/")
    if name not in s3_backends.bucket_accounts:
        return
    partition, owner = s3_backends.bucket_accounts[name]
    bucket = s3_backends[owner][partition].buckets[name]
    if action == "s3:GetObject":
        found = bucket.keys.get(unquote(path))
        if found is None:  # S3 tells only those who may list that an object is missing
            yield Need(action="s3:ListBucket", resource=resource.partition("/")[0], context={"s3:prefix": []})
        elif key := getattr(found, "kms_key_id", None):
            yield from _keys_use("kms:Decrypt", key, owner, bucket.region_name)
    elif action == "s3:PutObject":
        default = (bucket.encryption or {}).get("Rule", {}).get("ApplyServerSideEncryptionByDefault", {})
        if key := response.headers.get(ENCRYPTION_KEY) or default.get("KMSMasterKeyID"):
            yield from _keys_use("kms:GenerateDataKey", key, owner, bucket.region_name)


def _keys_use(action: str, name: str, account: str, region: str) -> Iterator[Need]:
    """A key that S3 uses for the caller. One that is not there is AWS's own, which everybody may use."""
    if key := find_key(name, account, region):
        via = f"s3.{key.region}.amazonaws.com"
        yield Need(action=action, resource=key.arn, context={"kms:ViaService": [via], "kms:ResourceAliases": list(key.aliases)})


def find_key(name: str, account: str, region: str) -> Any:
    """moto's record of a KMS key by ARN, id or alias; `account` and `region` are of one that no ARN names. None when there is none."""
    if name.startswith("arn:"):
        region, account, name = name.split(":", 5)[3:]
    known = kms_backends[account][region].keys.values()
    return next((key for key in known if name.removeprefix("key/") == key.id or name in key.aliases), None)
