"""Where features are kept: a group in the toolchain's account, on which models are trained, and one in each environment's, which they ask.

They are one where the account is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.config import Config as ClientConfig
from botocore.exceptions import ClientError

import naming
from cli import target
from cli.problem import Problem
from cli.target import Target
from config import CONFIG, Account
from paved_runtime import feature_groups
from paved_runtime.feature_groups import FeatureGroup
from pipelines.deployment import accounts
from pipelines.deployment.accounts import Clients
from pipelines.deployment.errors import code

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

WRITERS = 16  # threads that put records into a group
ATTEMPTS = 10  # of a request that is throttled


@dataclass(frozen=True)
class Place:
    """An account with feature groups; `name` is what people call it: `toolchain`, an environment, or several where they share it."""

    name: str
    account: Account
    clients: Clients

    @cached_property
    def s3(self) -> S3Client:
        """Where the offline store is."""
        client: S3Client = self.clients("s3")
        return client

    @cached_property
    def runtime(self) -> Any:
        """What records are put with: it waits where the store is busy."""
        config = ClientConfig(retries={"mode": "adaptive", "total_max_attempts": ATTEMPTS}, max_pool_connections=WRITERS)
        return self.clients("sagemaker-featurestore-runtime", config=config)

    def describe(self, group: FeatureGroup) -> dict[str, Any]:
        """What SageMaker says of a group.

        Raises:
            Problem: it is not there, does not take records yet, or has other features than its declaration.
        """
        name = naming.feature_group(CONFIG, group.name)
        what = f"feature group {name} in {self.name}"
        try:
            described: dict[str, Any] = self.clients("sagemaker").describe_feature_group(FeatureGroupName=name)
        except ClientError as error:
            if code(error) not in ("ResourceNotFound", "ResourceNotFoundException"):
                raise
            raise Problem(what, "it is not deployed", "./road up, or push it and wait for the platform's pipeline") from error
        if (status := described["FeatureGroupStatus"]) != "Created":
            raise Problem(what, f"it is {status}", described.get("FailureReason") or "wait until it is Created")
        kinds = {each["FeatureName"]: each["FeatureType"] for each in described["FeatureDefinitions"]}
        if kinds != group.definitions:
            differ = ", ".join(sorted({name for name, _ in kinds.items() ^ group.definitions.items()}))
            raise Problem(what, f"not as group.toml declares it: {differ}", "push it and wait for the platform's pipeline")
        return described


def everywhere(aws: Target, environments: Sequence[str] | None = None) -> list[Place]:
    """The toolchain's account and those of the environments, of all without names; each account once. Raises Problem."""
    wanted = CONFIG.environments if environments is None else [target.environment(name) for name in environments]
    named: dict[Account, list[str]] = {CONFIG.toolchain: [naming.TOOLCHAIN]}
    for environment in wanted:
        named.setdefault(environment.account, []).append(environment.name)
    return [_place(aws, account, ", ".join(names)) for account, names in named.items()]


def one(aws: Target, environment: str | None) -> Place:
    """The place of an environment; the toolchain's without one. Raises Problem."""
    if environment is None:
        return _place(aws, CONFIG.toolchain, naming.TOOLCHAIN)
    return _place(aws, target.environment(environment).account, environment)


def group(name: str) -> FeatureGroup:
    """The group of that name. Raises Problem when there is none, FeatureGroupError when its declaration is wrong."""
    if name not in feature_groups.names():
        raise Problem(f"feature group {name}", f"there are {', '.join(feature_groups.names()) or 'none'}", "name one of them", code=2)
    return feature_groups.load(name)


def _place(aws: Target, account: Account, name: str) -> Place:
    session = aws.session(account) if account == CONFIG.toolchain else aws.acting(account, naming.features_role(CONFIG))
    return Place(name, account, accounts.of(session))
