"""Resource types that moto knows but makes or updates incompletely: buckets, repositories, roles, keys, log groups."""

from __future__ import annotations

import json
from typing import Any

from moto.ecr.models import Repository
from moto.iam.models import Role, iam_backends
from moto.kms.models import Key
from moto.logs.models import LogGroup
from moto.s3.models import FakeBucket

from localcloud.cloud import PARTITION
from localcloud.errors import invalid
from localcloud.resources import client
from localcloud.shapes import request

_create_bucket = FakeBucket.create_from_cloudformation_json
_create_role = Role.create_from_cloudformation_json
_create_repository = Repository.create_from_cloudformation_json
_update_repository = Repository.update_from_cloudformation_json
_update_bucket = FakeBucket.update_from_cloudformation_json


def install() -> None:
    """Mend moto's classes."""
    made: tuple[tuple[Any, Any], ...] = ((FakeBucket, _bucket_created), (Repository, _repository_created), (Role, _role_created))
    for kind, created in made:
        kind.create_from_cloudformation_json = staticmethod(created)
    kept: tuple[tuple[Any, Any], ...] = (
        (FakeBucket, _bucket_updated),
        (Repository, _repository_updated),
        (Role, _role_updated),
        (Key, _key_updated),
        (LogGroup, _log_group_updated),
    )
    for kind, updated in kept:
        kind.update_from_cloudformation_json = staticmethod(updated)


def _settings(bucket: Any, properties: Any, account: str, region: str) -> Any:
    if versioning := properties.get("VersioningConfiguration"):
        bucket.versioning_status = versioning["Status"]
    s3 = client("s3", account, region)
    if "NotificationConfiguration" in properties:
        if other := set(properties["NotificationConfiguration"]) - {"EventBridgeConfiguration"}:
            raise invalid(f"localcloud does not do {', '.join(sorted(other))} of bucket {bucket.name}: it sends events to EventBridge only")
        wanted = properties["NotificationConfiguration"].get("EventBridgeConfiguration", {}).get("EventBridgeEnabled", True)
        asked: Any = {"EventBridgeConfiguration": {}} if str(wanted).lower() == "true" else {}
        s3.put_bucket_notification_configuration(Bucket=bucket.name, NotificationConfiguration=asked)
    if rules := properties.get("LifecycleConfiguration", {}).get("Rules"):
        made = {"Rules": [_lifecycle_rule(rule) for rule in rules]}
        s3.put_bucket_lifecycle_configuration(Bucket=bucket.name, LifecycleConfiguration=made)
    return bucket


def _lifecycle_rule(rule: Any) -> Any:
    """CloudFormation's form of a rule as S3's. Objects do not expire here: the rules are there to be read."""
    same = ("Status", "AbortIncompleteMultipartUpload", "NoncurrentVersionExpiration")
    expiration = {"ExpirationInDays": "Days", "ExpiredObjectDeleteMarker": "ExpiredObjectDeleteMarker"}
    if unknown := set(rule) - {*same, *expiration, "Id", "Prefix"}:
        raise invalid(f"localcloud does not know {', '.join(sorted(unknown))} of a bucket's lifecycle rule")
    made = {k: rule[k] for k in same if k in rule} | {"Filter": {"Prefix": rule.get("Prefix", "")}}
    made |= {"ID": rule["Id"]} if "Id" in rule else {}
    if ends := {name: rule[k] for k, name in expiration.items() if k in rule}:
        made["Expiration"] = ends
    fitted: Any = request("s3", "PutBucketLifecycleConfiguration", {"Rules": [made]}, member="LifecycleConfiguration")
    return fitted["Rules"][0]


def _bucket_created(resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_: Any) -> Any:
    bucket = _create_bucket(resource_name, cloudformation_json, account_id, region_name)
    return _settings(bucket, cloudformation_json["Properties"], account_id, region_name)


def _bucket_updated(original_resource: Any, new_resource_name: str, cloudformation_json: Any, account_id: str, region_name: str) -> Any:
    properties = {"BucketName": original_resource.name, **cloudformation_json["Properties"]}
    bucket = _update_bucket(original_resource, new_resource_name, {"Properties": properties}, account_id, region_name)
    return _settings(bucket, properties, account_id, region_name)


def _repository_created(resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_: Any) -> Any:
    repository = _create_repository(resource_name, cloudformation_json, account_id, region_name)
    return _share(repository, cloudformation_json["Properties"])


def _repository_updated(original_resource: Any, new_resource_name: str, cloudformation_json: Any, account_id: str, region_name: str) -> Any:
    repository = _update_repository(original_resource, new_resource_name, cloudformation_json, account_id, region_name)
    return _share(repository, cloudformation_json["Properties"])


def _share(repository: Any, properties: Any) -> Any:
    """moto leaves out the policy that lets other accounts pull."""
    policy = properties.get("RepositoryPolicyText")
    repository.policy = json.dumps(policy) if isinstance(policy, dict) else policy
    return repository


def _role_created(resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_: Any) -> Any:
    """moto leaves out managed policies."""
    role = _create_role(resource_name, cloudformation_json, account_id, region_name, **_)
    return _role_updated(role, resource_name, cloudformation_json, account_id, region_name)


def _role_updated(original_resource: Any, new_resource_name: str, cloudformation_json: Any, account_id: str, region_name: str) -> Any:
    """Trust, inline and managed policies become what the template says; policies of AWS::IAM::Policy resources stay."""
    properties = cloudformation_json["Properties"]
    backend = iam_backends[account_id][PARTITION]
    original_resource.assume_role_policy_document = json.dumps(properties["AssumeRolePolicyDocument"])
    inline = {p["PolicyName"]: json.dumps(p["PolicyDocument"]) for p in properties.get("Policies", [])}
    for name in getattr(original_resource, "inline", set()) - set(inline):
        original_resource.policies.pop(name, None)
    original_resource.policies.update(inline)
    original_resource.inline = set(inline)
    for arn in properties.get("ManagedPolicyArns", []):
        if arn not in original_resource.managed_policies:
            backend.attach_role_policy(arn, original_resource.name)
    return original_resource


def _key_updated(original_resource: Any, new_resource_name: str, cloudformation_json: Any, account_id: str, region_name: str) -> Any:
    original_resource.policy = json.dumps(cloudformation_json["Properties"]["KeyPolicy"])
    return original_resource


def _log_group_updated(original_resource: Any, new_resource_name: str, cloudformation_json: Any, account_id: str, region_name: str) -> Any:
    original_resource.set_retention_policy(cloudformation_json["Properties"].get("RetentionInDays"))
    return original_resource
