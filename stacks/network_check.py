"""Whether the networks that config.py names are ones that AWS could have made, or could make."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence

from config import Account, Config, ExistingNetwork, ManagedNetwork

ZONES = 2  # in which a managed network has a subnet, where none are named; a firm's own has so many at the least
MOST_SUBNETS, MOST_GROUPS = 16, 5  # API_VpcConfig of SageMaker, and of CodeBuild
LARGEST, SMALLEST = 16, 24  # prefixes of a managed network
SERVICE = re.compile(r"(com|aws|cn)(\.[\w-]+){2,}", re.ASCII)
ZONE = re.compile(r"[a-z]{2}(-[a-z]+)+-\d[a-z]")


def problems(config: Config) -> Iterator[str]:
    """What is wrong with them, a line each."""
    seen: dict[tuple[str, str], ExistingNetwork | ManagedNetwork | None] = {}
    for account in (config.toolchain, *(environment.account for environment in config.environments)):
        if seen.setdefault((account.id, account.region), account.network) != account.network:
            yield f"config.py: account {account.id}: found two networks in {account.region}; accepted is one an account and region"
    for account in config.accounts:
        for problem in _network(account):
            yield f"config.py: account {account.id}: network: {problem}"
    if config.pull_requests and isinstance(config.toolchain.network, ManagedNetwork):
        yield "config.py: pull_requests: found True in a managed network, which does not reach the repository's host; accepted is False"


def _network(account: Account) -> Iterator[str]:
    network = account.network
    if isinstance(network, ManagedNetwork):
        yield from _managed(network, account.region)
    if isinstance(network, ExistingNetwork):
        yield from _ids("vpc_id", "vpc", [network.vpc_id], most=1)
        yield from _ids("subnet_ids", "subnet", network.subnet_ids, least=ZONES, most=MOST_SUBNETS)
        yield from _ids("security_group_ids", "sg", network.security_group_ids, most=MOST_GROUPS)


def _ids(setting: str, kind: str, ids: Sequence[str], *, least: int = 1, most: int) -> Iterator[str]:
    for each in ids:
        if not re.fullmatch(rf"{kind}-[0-9a-f]{{8}}([0-9a-f]{{9}})?", each):
            yield f"{setting}: found {each!r}; accepted is {kind}- with 8 or 17 hexadecimal digits"
    if not least <= len(ids) <= most or len(set(ids)) != len(ids):
        twice = ", some of them twice" if len(set(ids)) != len(ids) else ""
        yield f"{setting}: found {len(ids)}{twice}; accepted are {least} to {most}, each once"


def _managed(network: ManagedNetwork, region: str) -> Iterator[str]:
    try:
        block = ipaddress.IPv4Network(network.cidr)
    except ValueError as error:
        yield f"cidr: found {network.cidr!r}: {error}; accepted is such as 10.0.0.0/20"
    else:
        if not LARGEST <= block.prefixlen <= SMALLEST:
            yield f"cidr: found {network.cidr!r}; accepted are /{LARGEST} to /{SMALLEST}"
        if not block.is_private:
            yield f"cidr: found {network.cidr!r}, which is public; accepted is a private range such as 10.0.0.0/20"
    if network.zones and not ZONES <= len(set(network.zones)) == len(network.zones) <= MOST_SUBNETS:
        yield f"zones: found {', '.join(network.zones)}; accepted are {ZONES} at the least, each once, or none named"
    for zone in network.zones:
        if not (ZONE.fullmatch(zone) and zone[:-1] == region):
            yield f"zones: found {zone!r}; accepted is a zone of {region} such as {region}a"
    for service in network.endpoint_services:
        if not SERVICE.fullmatch(service):
            yield f"endpoint_services: found {service!r}; accepted is a service's name such as com.amazonaws.{region}.codeartifact.api"
