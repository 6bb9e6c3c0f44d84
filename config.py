"""The one file a fork must edit: whose accounts, which repository, who is told.

Everything here is a fact about your organisation. Facts about a model live in that model's `model.toml`.
Account numbers may repeat: three accounts, two or one are all supported layouts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class ExistingNetwork:
    """Subnets and security groups that your firm made, in at least two availability zones. They may be shared from another account."""

    vpc_id: str
    subnet_ids: tuple[str, ...]
    security_group_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ManagedNetwork:
    """A VPC that the network stack makes: private subnets, endpoints of the AWS services that are called, no way out.

    `cidr` is divided among the subnets, one in each of `zones` (`eu-west-1a`) or in the region's first two. `endpoint_services` are
    reached beside AWS's, by their PrivateLink names: the firm's package index, for one.
    """

    cidr: str = "10.0.0.0/20"
    zones: tuple[str, ...] = ()
    endpoint_services: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What the project may cost in an account in a month: owners get a mail when 80 % of it is exceeded by AWS's forecast, and all of it
    by what is spent. It stops nothing, and sees what is tagged, once the payer has activated `project` as a cost allocation tag.
    """

    monthly_dollars: float


@dataclass(frozen=True, kw_only=True)
class Account:
    """An AWS account and region. `id` is the 12-digit account number.

    `network` is where builds, jobs and models run there; without one, in networks of AWS's own services.
    """

    id: str
    region: str
    network: ExistingNetwork | ManagedNetwork | None = None
    budget: Budget | None = None


@dataclass(frozen=True, kw_only=True)
class Builds:
    """How builds reach what they install, where the public registries are out of reach.

    `package_index` is the URL that pip and uv install from, `npm_registry` npm's. Where the index asks for credentials,
    `package_index_secret` is the name of a secret of the toolchain's account instead, whose text is the whole URL. `proxy` is the URL of
    what carries HTTP and HTTPS; hosts that end like one of `no_proxy` are reached without it.
    """

    package_index: str | None = None
    package_index_secret: str | None = None
    npm_registry: str | None = None
    proxy: str | None = None
    no_proxy: tuple[str, ...] = (".amazonaws.com",)


@dataclass(frozen=True, kw_only=True)
class SharedEndpoint:
    """An endpoint on whose instances several models have copies, those whose `model.toml` names it.

    SageMaker has as many instances as the copies need, at least `minimum_instances`: with 0, none while no model has a copy.
    """

    name: str
    instance_type: str
    maximum_instances: int
    minimum_instances: int = 1
    inference_ami: str | None = None


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Where a model serves. Deployed in the order of `Config.environments`.

    `approved_only`: refuse a model package whose status in the registry is not `Approved`, and put an approval
    in front of this environment. `shared_endpoints` are those that models may share there.
    """

    name: str
    account: Account
    approved_only: bool
    shared_endpoints: tuple[SharedEndpoint, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Repository:
    """The Git repository that CodeConnections watches. `id` is `owner/name`.

    On a server of your own (`GitHubEnterpriseServer`, `GitLabSelfManaged`) `host` is the ARN of its host in CodeConnections, which a person
    sets up once in the toolchain's account, and `url` where it answers: `https://git.example.com`.

    `connection` is the ARN of a connection that stands in the toolchain's account and was authorised; without it the toolchain makes one,
    which a person authorises.
    """

    id: str
    branch: str
    provider: str = "GitHub"
    host: str = ""
    url: str = ""
    connection: str = ""


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

    `permissions_boundary` and `execution_policies` name managed policies that every account has (with their path, without a first slash):
    the boundary of every role that is made, and what CloudFormation may do, instead of everything (`./road bootstrap --policies`).
    `access_logs` is the bucket, one in each account, that gets the access logs of all others, such as `bank-logs-{account}-{region}`: it
    must let `logging.s3.amazonaws.com` write. `job_log_days` is how long `bootstrap` has an account keep the logs of jobs, where nobody has
    said. `tags` are on everything beside `project`, `model`, `owner` and `environment`, such as the cost centre.
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
    builds: Builds = Builds()
    images: Images = Images()
    permissions_boundary: str | None = None
    execution_policies: tuple[str, ...] = ()
    access_logs: str | None = None
    job_log_days: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def accounts(self) -> tuple[Account, ...]:
        """Every distinct account, the toolchain's first."""
        return tuple(dict.fromkeys([self.toolchain, *(e.account for e in self.environments)]))

    def access_logs_of(self, account: Account) -> str | None:
        """The bucket that gets the access logs of those in an account."""
        return self.access_logs and self.access_logs.replace("{account}", account.id).replace("{region}", account.region)


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
