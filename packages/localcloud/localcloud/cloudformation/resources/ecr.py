"""Repositories: moto leaves out the policy that lets other accounts pull."""

from __future__ import annotations

import json
from typing import Any

from moto.ecr.models import Repository

from localcloud.cloudformation.resource_type import complete

_moto_create = Repository.create_from_cloudformation_json
_moto_update = Repository.update_from_cloudformation_json


def install() -> None:
    """Complete moto's type."""
    complete(Repository, created=_create, updated=_update)


def _create(resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_: Any) -> Any:
    repository = _moto_create(resource_name, cloudformation_json, account_id, region_name)
    return _with_policy(repository, cloudformation_json["Properties"])


def _update(original_resource: Any, new_resource_name: str, cloudformation_json: Any, account_id: str, region_name: str) -> Any:
    repository = _moto_update(original_resource, new_resource_name, cloudformation_json, account_id, region_name)
    return _with_policy(repository, cloudformation_json["Properties"])


def _with_policy(repository: Any, properties: Any) -> Any:
    policy = properties.get("RepositoryPolicyText")
    repository.policy = json.dumps(policy) if isinstance(policy, dict) else policy
    return repository
