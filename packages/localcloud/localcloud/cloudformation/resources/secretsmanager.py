"""Policies of secrets."""

from __future__ import annotations

import json

from localcloud.cloudformation.resource_type import Resource, ResourceType, delete_by


def _put_policy(r: Resource, old: Resource | None) -> str:
    policy = json.dumps(r.properties["ResourcePolicy"])
    answer = r.call("secretsmanager", "PutResourcePolicy", SecretId=r.properties["SecretId"], ResourcePolicy=policy)
    return str(answer["ARN"])


TYPES = (ResourceType("AWS::SecretsManager::ResourcePolicy", _put_policy, delete_by("secretsmanager", "DeleteResourcePolicy", "SecretId")),)
