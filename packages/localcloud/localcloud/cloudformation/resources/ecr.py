"""Repositories, of which moto leaves out the policy that lets other accounts pull, and the policy of a registry."""

from __future__ import annotations

import json
from typing import Any

from moto.ecr.models import Repository

from localcloud.cloudformation.resource_type import Resource, ResourceType, complete
from localcloud.iam import service_policies

_moto_create = Repository.create_from_cloudformation_json
_moto_update = Repository.update_from_cloudformation_json


def install() -> None:
    """Complete moto's type."""
    complete(Repository, created=_create, updated=_update)


def _create(resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_: Any) -> Any:
    _look(cloudformation_json["Properties"])
    repository = _moto_create(resource_name, cloudformation_json, account_id, region_name)
    return _with_policy(repository, cloudformation_json["Properties"])


def _update(original_resource: Any, new_resource_name: str, cloudformation_json: Any, account_id: str, region_name: str) -> Any:
    _look(cloudformation_json["Properties"])
    repository = _moto_update(original_resource, new_resource_name, cloudformation_json, account_id, region_name)
    return _with_policy(repository, cloudformation_json["Properties"])


def _look(properties: Any) -> None:
    if policy := properties.get("RepositoryPolicyText"):
        service_policies.require_of_repository(policy)


def _with_policy(repository: Any, properties: Any) -> Any:
    policy = properties.get("RepositoryPolicyText")
    repository.policy = json.dumps(policy) if isinstance(policy, dict) else policy
    return repository


def _put_registry_policy(r: Resource, old: Resource | None) -> str:
    r.call("ecr", "PutRegistryPolicy", policyText=json.dumps(r.properties["PolicyText"]))
    return r.account


TYPES = (ResourceType("AWS::ECR::RegistryPolicy", _put_registry_policy, lambda r: r.call("ecr", "DeleteRegistryPolicy")),)
