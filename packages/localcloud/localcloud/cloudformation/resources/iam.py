"""Roles: moto leaves out managed policies, does not update trust and inline policies, and makes up names that IAM does not take."""

from __future__ import annotations

import json
from typing import Any

from moto.iam.models import Role, iam_backends

from localcloud.cloudformation.resource_type import complete
from localcloud.core.cloud import PARTITION
from localcloud.iam import boundaries, documents

LONGEST = 64  # characters of a role's name ("IAM and AWS STS quotas"), to which CloudFormation shortens those that it makes up
_moto_create = Role.create_from_cloudformation_json


def install() -> None:
    """Complete moto's type."""
    complete(Role, created=_create, updated=_update)


def _create(resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_: Any) -> Any:
    if "RoleName" not in cloudformation_json["Properties"] and len(resource_name) > LONGEST:
        resource_name = f"{resource_name[: LONGEST - 13]}-{resource_name[-12:]}"
    _look(resource_name, cloudformation_json["Properties"])
    role = _moto_create(resource_name, cloudformation_json, account_id, region_name, **_)
    return _update(role, resource_name, cloudformation_json, account_id, region_name)


def _update(original_resource: Any, new_resource_name: str, cloudformation_json: Any, account_id: str, region_name: str) -> Any:
    """Boundary, trust, inline and managed policies become what the template says; policies of AWS::IAM::Policy resources stay."""
    properties = cloudformation_json["Properties"]
    _look(original_resource.name, properties)
    backend = iam_backends[account_id][PARTITION]
    boundaries.set_by_template(backend, original_resource, properties.get("PermissionsBoundary"))
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


def _look(role: str, properties: Any) -> None:
    documents.require_trust(properties["AssumeRolePolicyDocument"])
    documents.require_inline(role, {p["PolicyName"]: p["PolicyDocument"] for p in properties.get("Policies", [])})
