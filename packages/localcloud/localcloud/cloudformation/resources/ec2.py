"""A VPC without a way out: subnets, routes, security groups, endpoints and flow logs, as EC2's own calls make them.

Of what CloudFormation changes in place, tags and an endpoint's policy are; a change of anything else (DNS settings, a group's rules) is
refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from localcloud.cloudformation.resource_type import Put, Resource, ResourceType, delete_by
from localcloud.core.errors import error
from localcloud.core.validation import request


def _properties(r: Resource, kind: str, *others: str) -> dict[str, Any]:
    """Those that the Create call takes; `others` go elsewhere."""
    tags = [{"ResourceType": kind, "Tags": r.properties["Tags"]}] if r.properties.get("Tags") else None
    own = {name: value for name, value in r.properties.items() if name not in (*others, "Tags")}
    return {**own, **({"TagSpecifications": tags} if tags else {})}


def _made(operation: str, kind: str, read: Callable[[dict[str, Any]], str], *others: str) -> Put:
    """A `put` that is one Create call, whose answer has the id."""

    def put(r: Resource, old: Resource | None) -> str:
        return read(r.call("ec2", operation, **request("ec2", operation, _properties(r, kind, *others))))

    return put


def _put_vpc(r: Resource, old: Resource | None) -> str:
    flags = ("EnableDnsSupport", "EnableDnsHostnames")
    name = _made("CreateVpc", "vpc", lambda answer: str(answer["Vpc"]["VpcId"]), *flags)(r, old)
    for flag in (flag for flag in flags if flag in r.properties):
        members = {"VpcId": name, flag: {"Value": str(r.properties[flag]).lower() == "true"}}
        r.call("ec2", "ModifyVpcAttribute", **members)
    return name


def _put_subnet(r: Resource, old: Resource | None) -> str:
    name = _made("CreateSubnet", "subnet", lambda answer: str(answer["Subnet"]["SubnetId"]), "MapPublicIpOnLaunch")(r, old)
    public = str(r.properties.get("MapPublicIpOnLaunch", False)).lower() == "true"
    r.call("ec2", "ModifySubnetAttribute", SubnetId=name, MapPublicIpOnLaunch={"Value": public})
    return name


def _put_group(r: Resource, old: Resource | None) -> str:
    """Without egress rules, a group may send everything everywhere; with some, just that."""
    rules = ("SecurityGroupIngress", "SecurityGroupEgress")
    properties = {"GroupName": r.name, **{("Description" if k == "GroupDescription" else k): v for k, v in r.properties.items()}}
    made = Resource(r.account, r.region, r.name, properties)
    group = _made("CreateSecurityGroup", "security-group", lambda answer: str(answer["GroupId"]), *rules)(made, None)
    if r.properties.get("SecurityGroupEgress"):
        everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        r.call("ec2", "RevokeSecurityGroupEgress", GroupId=group, IpPermissions=[everything])
    for kind in rules:
        for rule in r.properties.get(kind, []):
            _authorize(r, kind, group, rule)
    return group


def _put_rule(kind: str) -> Put:
    def put(r: Resource, old: Resource | None) -> str:
        _authorize(r, kind, r.properties["GroupId"], r.properties)
        return r.name

    return put


def _delete_rule(kind: str) -> Callable[[Resource], Any]:
    def delete(r: Resource) -> Any:
        return r.call("ec2", f"Revoke{kind}", GroupId=r.properties["GroupId"], IpPermissions=[_permission(r.properties)])

    return delete


def _authorize(r: Resource, kind: str, group: str, rule: dict[str, Any]) -> None:
    r.call("ec2", f"Authorize{kind}", GroupId=group, IpPermissions=[_permission(rule)])


def _permission(rule: dict[str, Any]) -> dict[str, Any]:
    """A rule as EC2's calls have it."""
    said = {"Description": rule["Description"]} if rule.get("Description") else {}
    ports: dict[str, Any] = {name: int(rule[name]) for name in ("FromPort", "ToPort") if name in rule}
    other = rule.get("SourceSecurityGroupId") or rule.get("DestinationSecurityGroupId")
    groups = {"UserIdGroupPairs": [{"GroupId": other, **said}]}
    whom = groups if other else {"IpRanges": [{"CidrIp": rule["CidrIp"], **said}]}
    return {"IpProtocol": str(rule["IpProtocol"]), **ports, **whom}


def _put_association(r: Resource, old: Resource | None) -> str:
    answer = r.call("ec2", "AssociateRouteTable", RouteTableId=r.properties["RouteTableId"], SubnetId=r.properties["SubnetId"])
    return str(answer["AssociationId"])


def _put_endpoint(r: Resource, old: Resource | None) -> str:
    policy = r.properties.get("PolicyDocument")
    properties = _properties(r, "vpc-endpoint") | ({"PolicyDocument": json.dumps(policy)} if isinstance(policy, dict) else {})
    answer = r.call("ec2", "CreateVpcEndpoint", **request("ec2", "CreateVpcEndpoint", properties))
    return str(answer["VpcEndpoint"]["VpcEndpointId"])


def _put_flow_log(r: Resource, old: Resource | None) -> str:
    """The one of its resource; AWS says of what could not be made in its answer, not by an error."""
    properties = _properties(r, "vpc-flow-log", "ResourceId") | {"ResourceIds": [r.properties["ResourceId"]]}
    answer = r.call("ec2", "CreateFlowLogs", **request("ec2", "CreateFlowLogs", properties))
    if failures := answer.get("Unsuccessful"):
        raise error("InvalidRequest", failures[0]["Error"]["Message"])
    return str(answer["FlowLogIds"][0])


def _in_place(put: Put) -> Put:
    """A `put` that creates, and changes of what stands the tags and an endpoint's policy."""

    def put_or_change(r: Resource, old: Resource | None) -> str:
        if old is None:
            return put(r, None)
        changed = {key for key in r.properties.keys() | old.properties.keys() if r.properties.get(key) != old.properties.get(key)}
        if others := changed - {"Tags", "PolicyDocument"}:
            raise error("InvalidRequest", f"localcloud does not change {', '.join(sorted(others))} of {old.id} in place: delete it first")
        if "Tags" in changed and r.properties.get("Tags"):
            r.call("ec2", "CreateTags", Resources=[old.id], Tags=r.properties["Tags"])
        if "PolicyDocument" in changed:
            r.call("ec2", "ModifyVpcEndpoint", VpcEndpointId=old.id, PolicyDocument=json.dumps(r.properties["PolicyDocument"]))
        return old.id

    return put_or_change


_KINDS = (
    ResourceType(
        "AWS::EC2::VPC",
        _put_vpc,
        delete_by("ec2", "DeleteVpc", "VpcId"),
        attributes={"CidrBlock": lambda r: r.properties["CidrBlock"], "VpcId": lambda r: r.id},
    ),
    ResourceType(
        "AWS::EC2::Subnet",
        _put_subnet,
        delete_by("ec2", "DeleteSubnet", "SubnetId"),
        attributes={"SubnetId": lambda r: r.id},
    ),
    ResourceType(
        "AWS::EC2::RouteTable",
        _made("CreateRouteTable", "route-table", lambda answer: str(answer["RouteTable"]["RouteTableId"])),
        delete_by("ec2", "DeleteRouteTable", "RouteTableId"),
        attributes={"RouteTableId": lambda r: r.id},
    ),
    ResourceType(
        "AWS::EC2::SubnetRouteTableAssociation",
        _put_association,
        delete_by("ec2", "DisassociateRouteTable", "AssociationId"),
    ),
    ResourceType(
        "AWS::EC2::SecurityGroup",
        _put_group,
        delete_by("ec2", "DeleteSecurityGroup", "GroupId"),
        name="GroupName",
        attributes={"GroupId": lambda r: r.id, "VpcId": lambda r: r.properties["VpcId"]},
    ),
    *(ResourceType(f"AWS::EC2::{kind}", _put_rule(kind), _delete_rule(kind)) for kind in ("SecurityGroupIngress", "SecurityGroupEgress")),
    ResourceType(
        "AWS::EC2::VPCEndpoint",
        _put_endpoint,
        lambda r: r.call("ec2", "DeleteVpcEndpoints", VpcEndpointIds=[r.id]),
        attributes={"Id": lambda r: r.id},
    ),
    ResourceType(
        "AWS::EC2::FlowLog",
        _put_flow_log,
        lambda r: r.call("ec2", "DeleteFlowLogs", FlowLogIds=[r.id]),
        attributes={"Id": lambda r: r.id},
    ),
)
TYPES = tuple(replace(kind, put=_in_place(kind.put)) for kind in _KINDS)
