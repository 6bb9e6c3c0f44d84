"""Networks of the reference's accounts: one that the firm made, one that the network stack makes, and a configuration with either."""

from __future__ import annotations

from dataclasses import replace

from config import Builds, Config, ExistingNetwork, ManagedNetwork
from tests.support.layouts import configuration

SUBNETS = ("subnet-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60002")
GROUPS = ("sg-0a1b2c3d4e5f60001",)
EXISTING = ExistingNetwork(vpc_id="vpc-0a1b2c3d4e5f60001", subnet_ids=SUBNETS, security_group_ids=GROUPS)
MANAGED = ManagedNetwork()
PRIVATE = Builds(package_index="https://packages.acme.test/simple", npm_registry="https://packages.acme.test/npm")


def with_networks(layout: str, toolchain: ExistingNetwork | ManagedNetwork, environments: ExistingNetwork | ManagedNetwork) -> Config:
    """A layout of accounts in which all have a network. In an account that both share, it is the toolchain's."""
    config = configuration(layout)
    home = replace(config.toolchain, network=toolchain)
    places = tuple(
        replace(each, account=home if each.account == config.toolchain else replace(each.account, network=environments))
        for each in config.environments
    )
    return replace(config, toolchain=home, environments=places, builds=PRIVATE)
