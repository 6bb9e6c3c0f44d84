"""Subnets and security groups that something is attached to: whether they are there, of one VPC, and open to a role."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Sequence
from typing import Any

from moto.core.exceptions import ServiceException
from moto.ec2.models import ec2_backends

from localcloud.core.cloud import PARTITION
from localcloud.iam import policies

NETWORK = "10.0.0.0/16"
LOOKS = tuple(f"ec2:Describe{kind}" for kind in ("DhcpOptions", "NetworkInterfaces", "SecurityGroups", "Subnets", "Vpcs"))
INTERFACES = {  # service → what its guide has a role do with network interfaces
    "codebuild": ("ec2:CreateNetworkInterfacePermission", "ec2:DeleteNetworkInterface"),
    "sagemaker": ("ec2:CreateNetworkInterfacePermission", "ec2:DeleteNetworkInterface", "ec2:DeleteNetworkInterfacePermission"),
}


class Unknown(Exception):
    """A subnet or group that is not there, or of another VPC; the message says which."""


def one_vpc(account: str, region: str, *, subnets: Sequence[str], groups: Sequence[str]) -> str:
    """The id of the VPC that all of them are in. Raises Unknown."""
    ec2 = ec2_backends[account][region]
    vpcs = {each: _vpc_of_subnet(ec2, each) for each in subnets} | {each: _vpc_of_group(ec2, each) for each in groups}
    first = vpcs[subnets[0]]
    if other := next((each for each, vpc in vpcs.items() if vpc != first), None):
        raise Unknown(f"{other} is in {vpcs[other]}, and {subnets[0]} in {first}")
    return first


def lacking(role_arn: str, region: str, subnets: Sequence[str], groups: Sequence[str], *, service: str) -> str | None:
    """The first action that a role would need to attach something there, and may not do; None where it may do all of them."""
    here = f"arn:{PARTITION}:ec2:{region}:{role_arn.split(':')[4]}"
    interface, each_subnet = f"{here}:network-interface/eni-0", [f"{here}:subnet/{each}" for each in subnets]
    placed = [interface, *each_subnet, *(f"{here}:security-group/{each}" for each in groups)]
    wanted = [
        *((action, interface, subnet) for action in LOOKS for subnet in each_subnet),
        *(("ec2:CreateNetworkInterface", on, subnet) for on in placed for subnet in each_subnet),
        *((action, interface, subnet) for action in INTERFACES[service] for subnet in each_subnet),
    ]
    for action, on, subnet in wanted:
        context = {"ec2:Subnet": [subnet], "ec2:AuthorizedService": [f"{service}.amazonaws.com"]}
        if not policies.role_allows(role_arn, action=action, resource=on, context=context):
            return action
    return None


def stand(account: str, region: str, *, vpc: str, subnets: Sequence[str], groups: Sequence[str]) -> None:
    """Make a network with these ids, as a firm has it before anything is deployed. moto makes ids up: they are put right afterwards."""
    ec2 = ec2_backends[account][region]
    made = ec2.create_vpc(NETWORK)
    zones = [zone.name for zone in ec2.describe_availability_zones()]
    blocks = ipaddress.IPv4Network(NETWORK).subnets(new_prefix=24)
    for wanted, zone, block in zip(subnets, itertools.cycle(zones), blocks, strict=False):
        _rename(ec2.subnets[zone], ec2.create_subnet(vpc_id=made.id, cidr_block=str(block), availability_zone=zone), wanted)
    for wanted in groups:
        _rename(ec2.groups[made.id], ec2.create_security_group(wanted, "made by the firm", vpc_id=made.id), wanted)
    ec2.groups[vpc] = ec2.groups.pop(made.id)
    for zone in zones:
        _move(ec2.subnets[zone], made.id, vpc)
    for held in (ec2.groups[vpc], ec2.network_acls, ec2.route_tables):
        _move(held, made.id, vpc)
    _rename(ec2.vpcs, made, vpc)


def _rename(held: dict[str, Any], record: Any, name: str) -> None:
    del held[record.id]
    record.id = name
    held[name] = record


def _move(held: dict[str, Any], old: str, new: str) -> None:
    for record in held.values():
        if record.vpc_id == old:
            record.vpc_id = new


def _vpc_of_subnet(ec2: Any, name: str) -> str:
    try:
        return str(ec2.get_subnet(name).vpc_id)
    except ServiceException:
        raise Unknown(f"The subnet ID '{name}' does not exist") from None


def _vpc_of_group(ec2: Any, name: str) -> str:
    if group := ec2.get_security_group_from_id(name):
        return str(group.vpc_id)
    raise Unknown(f"The security group '{name}' does not exist")
