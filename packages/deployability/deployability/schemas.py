"""What CloudFormation's own resource schemas say, which cfn-lint ships: nothing of it is copied here."""

from __future__ import annotations

from functools import cache
from typing import Any

from cfnlint.schema import PROVIDER_SCHEMA_MANAGER, ResourceNotFoundError  # type: ignore[import-untyped]

REGION = "us-east-1"  # which has every resource type


@cache
def _schema(kind: str) -> dict[str, Any]:
    try:
        return dict(PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema)
    except ResourceNotFoundError:
        return {}


def create_only(kind: str) -> set[str]:
    """The properties at a resource's top level that can only be changed by replacing it (`createOnlyProperties`).

    >>> "ModelPackageGroupDescription" in create_only("AWS::SageMaker::ModelPackageGroup")
    True
    """
    return {path.split("/")[2] for path in _schema(kind).get("createOnlyProperties", []) if path.count("/") == 2}


def name_property(kind: str) -> str | None:
    """The property with which a template names such a resource, where the name alone tells it from the others of an account and region.

    >>> name_property("AWS::SageMaker::ModelPackageGroup"), name_property("AWS::EC2::SecurityGroup")
    ('ModelPackageGroupName', None)
    """
    identifiers = [path.split("/")[-1] for path in _schema(kind).get("primaryIdentifier", [])]
    noun = kind.rpartition(":")[2]
    names = [key for key in create_only(kind) if key.endswith("Name") and f"{noun}Name".endswith(key)]
    alone = len(identifiers) == 1 and (identifiers[0] in names or identifiers[0].endswith("Arn"))
    return names[0] if len(names) == 1 and alone else None
