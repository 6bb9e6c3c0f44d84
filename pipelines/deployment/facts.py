"""What a model's registry tells of itself: its SSM parameters, read once."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Self

from pipelines.deployment.errors import DeploymentError

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

DATA = "data"
MAY_LACK = {"release_key", "subnets", "security_groups"}


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """The data set to train on: one file, known by its digest. `version` is the object's in S3, empty where an older pointer has none."""

    uri: str
    sha256: str
    rows: int
    version: str = ""

    @classmethod
    def read(cls, text: str) -> Self:
        """As `road data put` wrote it; it may say more."""
        pointer = json.loads(text)
        return cls(**{field.name: pointer[field.name] for field in fields(cls) if field.name in pointer})


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Names of buckets, ARNs of roles and keys, the repository's URI. `data` is None until a data set was stored.

    The parameter `data-bucket` is the field `data_bucket`. A registry that was deployed with 0.1.0 has no `release_key` until the road's
    Update has brought it up to date; what comes before that does without. `subnets` and `security_groups` are ids, comma-separated, and
    empty where the account has no network of its own.
    """

    data_bucket: str
    artifacts_bucket: str
    training_role: str
    image_repository: str
    key: str
    evidence_key: str
    release_key: str | None = None
    subnets: str = ""
    security_groups: str = ""
    data: DataSet | None = None

    @classmethod
    def read(cls, ssm: SSMClient, path: str) -> Self:
        """The parameters under `path`; those that are no fact of a registry are left out.

        Raises:
            DeploymentError: one is missing.
        """
        values = {
            parameter["Name"].removeprefix(path): parameter["Value"]
            for page in ssm.get_paginator("get_parameters_by_path").paginate(Path=path)
            for parameter in page["Parameters"]
        }
        names = {field.name: field.name.replace("_", "-") for field in fields(cls) if field.name != DATA}
        if missing := [name for field, name in names.items() if name not in values and field not in MAY_LACK]:
            raise DeploymentError(f"{path}{missing[0]}: no such parameter: the model's registry stack is not deployed: deploy it")
        data = DataSet.read(values[DATA]) if DATA in values else None
        return cls(**{field: values[name] for field, name in names.items() if name in values}, data=data)
