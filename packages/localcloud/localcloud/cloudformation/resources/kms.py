"""Keys: moto's stacks know symmetric keys only, and do not update key policies."""

from __future__ import annotations

import json
from typing import Any

from moto.kms.models import Key
from moto.kms.utils import generate_private_key

from localcloud.cloudformation.resource_type import complete
from localcloud.core.cloud import PARTITION
from localcloud.core.errors import invalid
from localcloud.kms import key_policies

_moto_create = Key.create_from_cloudformation_json


def install() -> None:
    """Complete moto's type."""
    complete(Key, created=_create, updated=_update)


def _create(resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_: Any) -> Any:
    properties = cloudformation_json["Properties"]
    _look(properties, account_id)
    key = _moto_create(resource_name, cloudformation_json, account_id, region_name)
    key.policy = json.dumps(properties["KeyPolicy"])  # moto expects the text that CreateKey takes
    spec = properties.get("KeySpec", "SYMMETRIC_DEFAULT")
    if spec != "SYMMETRIC_DEFAULT":
        if properties.get("EnableKeyRotation"):
            raise invalid("You cannot set the EnableKeyRotation property to true on asymmetric KMS keys.")
        key.key_spec, key.key_usage = spec, properties["KeyUsage"]
        key.private_key = generate_private_key(spec)
    return key


def _update(original_resource: Any, new_resource_name: str, cloudformation_json: Any, account_id: str, region_name: str) -> Any:
    _look(cloudformation_json["Properties"], account_id)
    original_resource.policy = json.dumps(cloudformation_json["Properties"]["KeyPolicy"])
    return original_resource


def _look(properties: Any, account: str) -> None:
    """CloudFormation acts as an administrator, who must be able to change the policy again."""
    key_policies.require_taken(properties["KeyPolicy"])
    if str(properties.get("BypassPolicyLockoutSafetyCheck", False)).lower() != "true":
        key_policies.refuse_lockout(properties["KeyPolicy"], f"arn:{PARTITION}:iam::{account}:user/administrator")
