"""The network of an account that has none: what the network stack makes, which services are reached in it, and how other stacks find it.

Which endpoints there are follows from what is called there: `BUILD_SERVICES` by the stages of the roads, `JOB_SERVICES` by the monitor,
the one job that is not isolated, and `FEATURE_STORE` by endpoints whose models look features up, and by stages that compare what these are
answered with. What the isolated ones read and write, SageMaker carries through the VPC to S3 (API_VpcConfig's guide, "Give SageMaker AI
access to resources in your Amazon VPC").
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from aws_cdk import Environment, Fn, Stack
from constructs import Construct

import naming
from config import Account, Config, ExistingNetwork, ManagedNetwork
from stacks import facts
from stacks.constructs.vpc import HTTPS, Vpc
from stacks.constructs.vpc_config import VpcConfig
from stacks.network_check import ZONES

SUBNETS, SECURITY_GROUPS, VPC = "subnets", "security-groups", "vpc"  # what it tells
BUILD_SERVICES = (
    "cloudformation",
    "codepipeline",
    "ecr.api",
    "ecr.dkr",
    "kms",
    "logs",
    "monitoring",
    "sagemaker.api",
    "sagemaker.runtime",
    "ssm",
    "sts",
)
JOB_SERVICES = ("monitoring", "sagemaker.api", "sns")
SECRETS = "secretsmanager"
FEATURE_STORE = "sagemaker.featurestore-runtime"


class Network(Stack):
    """The managed network of one account."""

    def __init__(self, scope: Construct, name: str, *, config: Config, account: Account, features: bool = False) -> None:
        super().__init__(scope, name, env=Environment(account=account.id, region=account.region))
        network = account.network
        assert isinstance(network, ManagedNetwork)
        vpc = Vpc(
            self,
            "Network",
            cidr=network.cidr,
            zones=network.zones or [Fn.select(place, Fn.get_azs()) for place in range(ZONES)],
            services=services(config, account, features=features),
            other_services=network.endpoint_services,
            accounts=sorted({each.id for each in config.accounts}),
            ports=sorted(set(_ports(config))),
        )
        stored = {VPC: vpc.vpc.ref, SUBNETS: Fn.join(",", vpc.subnets), SECURITY_GROUPS: vpc.members}
        facts.tell(self, stored, lambda fact: naming.network_parameter(config, fact))

    def comes_first(self) -> None:
        """Have every other stack of the account wait for this one."""
        others = [stack for stack in self.node.root.node.children if isinstance(stack, Stack) and stack is not self]
        for stack in others:
            if (stack.account, stack.region) == (self.account, self.region):
                stack.add_stack_dependency(self)


def services(config: Config, account: Account, *, features: bool = False) -> list[str]:
    """The interface endpoints that an account's network needs, as in `com.amazonaws.REGION.SERVICE`; S3 has a gateway beside them.

    `features`: there are feature groups, which models in an environment's account may ask, and stages in the toolchain's.
    """
    builds = {*BUILD_SERVICES, *([SECRETS] if config.builds.package_index_secret else [])} if account == config.toolchain else set()
    jobs = set(JOB_SERVICES) if account == config.environments[-1].account else set()
    asked = {FEATURE_STORE} if features else set()
    return sorted(builds | jobs | asked)


def vpc_config(stack: Stack, config: Config, account: Account) -> VpcConfig | None:
    """Where things that `stack` declares run in its account. What a managed network holds is found when the stack is deployed."""
    network = account.network
    if network is None:
        return None
    if isinstance(network, ExistingNetwork):
        return VpcConfig(subnets=network.subnet_ids, security_groups=network.security_group_ids)
    subnets, group = (_find(stack, config, fact) for fact in (SUBNETS, SECURITY_GROUPS))
    each = [Fn.select(place, Fn.split(",", subnets)) for place in range(len(network.zones) or ZONES)]
    return VpcConfig(subnets=each, security_groups=[group])


def vpc_of_builds(stack: Stack, config: Config) -> tuple[str, VpcConfig] | None:
    """The same of the toolchain's account, with the VPC's id."""
    network, vpc = config.toolchain.network, vpc_config(stack, config, config.toolchain)
    if network is None or vpc is None:
        return None
    return network.vpc_id if isinstance(network, ExistingNetwork) else _find(stack, config, VPC), vpc


def _find(stack: Stack, config: Config, fact: str) -> str:
    return facts.find(stack, f"{naming.NETWORK}-{fact}", naming.network_parameter(config, fact))


def _ports(config: Config) -> Iterator[int]:
    """Where builds reach proxy and registries, other than HTTPS's."""
    for url in filter(None, (config.builds.package_index, config.builds.npm_registry, config.builds.proxy)):
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": HTTPS}[parts.scheme]
        if port != HTTPS:
            yield port
