"""The one file a fork must edit: whose accounts, which repository, who is told.

Everything here is a fact about your organisation. Facts about a model live in that model's `model.toml`.
Account numbers may repeat: three accounts, two or one are all supported layouts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Account:
    """An AWS account and region. `id` is the 12-digit account number."""

    id: str
    region: str


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Where a model serves. Deployed in the order of `Config.environments`.

    `approved_only`: refuse a model package whose status in the registry is not `Approved`, and put an approval
    in front of this environment.
    """

    name: str
    account: Account
    approved_only: bool


@dataclass(frozen=True, kw_only=True)
class Repository:
    """The Git repository that CodeConnections watches. `id` is `owner/name`."""

    id: str
    branch: str
    provider: str = "GitHub"


@dataclass(frozen=True, kw_only=True)
class AcceptedVulnerability:
    """What a scan may find, by its `id` (`CVE-…`), until a day (`YYYY-MM-DD`) is over; each bill of materials repeats the `reason`."""

    id: str
    reason: str
    until: str


@dataclass(frozen=True, kw_only=True)
class Images:
    """What models' images are built on, and what ECR's scan may find in them.

    `base` is `REPOSITORY:TAG`, at ECR Public or at your own mirror; `./road base --renew` pins its digest in `base-image.lock`. A finding
    of severity `refused_from` or worse ends the build, unless it is `accepted`; with None nobody asks for a scan.
    """

    base: str = "public.ecr.aws/docker/library/python:3.11-slim-bookworm"
    refused_from: Literal["LOW", "MEDIUM", "HIGH", "CRITICAL"] | None = "CRITICAL"
    accepted: tuple[AcceptedVulnerability, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Config:
    """A fork's choices.

    `project` prefixes every name that AWS shows (naming.py); `owners` get approval requests and alarms by mail; `qualifier` is that of
    `cdk bootstrap`, which a firm may prescribe. `pull_requests`: have CodeBuild check them, where no other CI does. `ledger_years` is how
    long an entry of the ledger cannot be deleted: only with a permission for just that (`GOVERNANCE`), or by nobody (`COMPLIANCE`).
    """

    project: str
    toolchain: Account
    environments: tuple[Environment, ...]
    repository: Repository
    owners: tuple[str, ...]
    qualifier: str = "hnb659fds"
    pull_requests: bool = False
    ledger_years: int = 7
    ledger_lock: Literal["GOVERNANCE", "COMPLIANCE"] = "GOVERNANCE"
    images: Images = Images()

    @property
    def accounts(self) -> tuple[Account, ...]:
        """Every distinct account, the toolchain's first."""
        return tuple(dict.fromkeys([self.toolchain, *(e.account for e in self.environments)]))


CONFIG = Config(
    project="paved-road",
    toolchain=Account(id="111111111111", region="eu-west-1"),
    environments=(
        Environment(name="staging", account=Account(id="222222222222", region="eu-west-1"), approved_only=False),
        Environment(name="production", account=Account(id="333333333333", region="eu-west-1"), approved_only=True),
    ),
    repository=Repository(id="example/paved-road", branch="main"),
    owners=("ml-platform@example.com",),
)
