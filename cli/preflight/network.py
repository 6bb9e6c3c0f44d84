"""The network that `config.py` names: there, in one VPC, over two zones, and with a way to every service that is called from within."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cli.preflight.finding import Finding, Visit
from config import ExistingNetwork
from paved_runtime import feature_groups

SUBJECT = "network"
ANYWHERE = "0.0.0.0/0"


def check(visit: Visit) -> Iterator[Finding]:
    """An existing network; what the network stack makes is right by itself."""
    network = visit.account.network
    if not isinstance(network, ExistingNetwork):
        return
    subnets = _subnets(visit, network)
    missing = sorted(set(network.subnet_ids) - {subnet["SubnetId"] for subnet in subnets})
    if missing:
        yield visit.wrong(SUBJECT, f"there is no subnet {', '.join(missing)}", "correct `network` in config.py, or share the subnets")
        return
    if elsewhere := sorted({subnet["VpcId"] for subnet in subnets} - {network.vpc_id}):
        yield visit.wrong(SUBJECT, f"subnets are in {', '.join(elsewhere)}, not in {network.vpc_id}", "name those of one VPC")
    if len({subnet["AvailabilityZone"] for subnet in subnets}) < 2:
        yield visit.wrong(SUBJECT, "every subnet is in the same availability zone", "name subnets in two zones at least")
    if foreign := _foreign_groups(visit, network):
        yield visit.wrong(SUBJECT, f"security groups {', '.join(foreign)} are not in {network.vpc_id}", "name groups of that VPC")
    if closed := [subnet for subnet in network.subnet_ids if not _has_way_out(visit, network.vpc_id, subnet)]:
        yield from _endpoints(visit, network, closed)
    else:
        yield visit.right(SUBJECT, f"{network.vpc_id}: every subnet has a way out")


def _subnets(visit: Visit, network: ExistingNetwork) -> list[dict[str, Any]]:
    named = [{"Name": "subnet-id", "Values": list(network.subnet_ids)}]
    pages = visit.clients("ec2").get_paginator("describe_subnets").paginate(Filters=named)
    return [subnet for page in pages for subnet in page["Subnets"]]


def _foreign_groups(visit: Visit, network: ExistingNetwork) -> list[str]:
    named = [{"Name": "group-id", "Values": list(network.security_group_ids)}]
    pages = visit.clients("ec2").get_paginator("describe_security_groups").paginate(Filters=named)
    own = {group["GroupId"] for page in pages for group in page["SecurityGroups"] if group["VpcId"] == network.vpc_id}
    return sorted(set(network.security_group_ids) - own)


def _has_way_out(visit: Visit, vpc: str, subnet: str) -> bool:
    """Whether a subnet's route table, or else the VPC's main one, sends what is for anywhere somewhere."""
    pages = visit.clients("ec2").get_paginator("describe_route_tables").paginate(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    tables = [table for page in pages for table in page["RouteTables"]]
    own = [table for table in tables if any(each.get("SubnetId") == subnet for each in table["Associations"])]
    main = [table for table in tables if any(each.get("Main") for each in table["Associations"])]
    return any(route.get("DestinationCidrBlock") == ANYWHERE for table in own or main for route in table["Routes"])


def _endpoints(visit: Visit, network: ExistingNetwork, closed: Sequence[str]) -> Iterator[Finding]:
    """What must be reached from subnets without a way out, and has no endpoint in their VPC."""
    from stacks.network import services  # here, because the CDK takes its time

    pages = visit.clients("ec2").get_paginator("describe_vpc_endpoints").paginate(Filters=[{"Name": "vpc-id", "Values": [network.vpc_id]}])
    there = {endpoint["ServiceName"].partition(f"{visit.account.region}.")[2] for page in pages for endpoint in page["VpcEndpoints"]}
    called = ["s3", *services(visit.config, visit.account, features=bool(feature_groups.names()))]
    if lacking := [service for service in called if service not in there]:
        state = f"{', '.join(closed)} has no way out, and {network.vpc_id} no endpoint of {', '.join(lacking)}"
        yield visit.wrong(SUBJECT, state, "have the endpoints made, or a route to anywhere")
    else:
        yield visit.right(SUBJECT, f"{network.vpc_id} has an endpoint of every service that is called")
