"""A VPC without a way out: private subnets, and endpoints through which AWS's services are reached. What passes is logged.

Nothing in it has a public address, and it has neither an internet gateway nor NAT. Endpoints answer to the firm's own accounts, and what
is written to S3 goes to their buckets: credentials of somebody else's carry nothing away.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.constructs.key import Key
from stacks.constructs.service_role import ServiceRole

HTTPS = 443
# Interface endpoints whose documentation says nothing of an endpoint policy: one that the service does not know fails the deployment.
WITHOUT_POLICY = frozenset({"codepipeline"})


class Vpc(Construct):
    """`cidr` is divided among subnets, one in each of `zones`.

    `services` are the interface endpoints of AWS, as in `com.amazonaws.REGION.SERVICE`; `other_services` whole names of others.
    `accounts` are those that endpoints answer to. `ports` are open beside HTTPS, for what `other_services` or the firm's routes reach.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        cidr: str,
        zones: Sequence[str],
        services: Sequence[str],
        other_services: Sequence[str],
        accounts: Sequence[str],
        ports: Sequence[int],
    ) -> None:
        super().__init__(scope, name)
        self._region = Stack.of(self).region
        self.vpc = ec2.CfnVPC(self, "Vpc", cidr_block=cidr, enable_dns_support=True, enable_dns_hostnames=True)
        routes = ec2.CfnRouteTable(self, "Routes", vpc_id=self.vpc.ref)
        self.subnets = [self._subnet(place, block, zone, routes) for place, (block, zone) in enumerate(_divided(cidr, zones), start=1)]
        self.members = self._members(ports)
        self._storage(routes, accounts)
        doors = self._doors()
        for service in services:
            policy = None if service in WITHOUT_POLICY else _document(_anything(accounts, "aws:PrincipalAccount"))
            self._endpoint(service, f"com.amazonaws.{self._region}.{service}", doors, policy, named=True)
        for place, service in enumerate(other_services, start=1):
            self._endpoint(f"Other{place}", service, doors, None, named=service.startswith("com.amazonaws.") and ".vpce." not in service)
        self._flow_log()

    def _subnet(self, place: int, block: str, zone: str, routes: ec2.CfnRouteTable) -> str:
        subnet = ec2.CfnSubnet(
            self, f"Subnet{place}", vpc_id=self.vpc.ref, cidr_block=block, availability_zone=zone, map_public_ip_on_launch=False
        )
        ec2.CfnSubnetRouteTableAssociation(self, f"Routes{place}", route_table_id=routes.ref, subnet_id=subnet.ref)
        return subnet.ref

    def _members(self, ports: Sequence[int]) -> str:
        """The security group of what runs here. Machines of one job speak to each other; nothing else speaks to them."""
        group = ec2.CfnSecurityGroup(
            self,
            "Members",
            group_description="Builds, jobs and models",
            vpc_id=self.vpc.ref,
            security_group_egress=[_rule(port, "0.0.0.0/0", "Endpoints; there is no other route") for port in (HTTPS, *ports)],
        )
        among: dict[str, Any] = {"group_id": group.attr_group_id, "ip_protocol": "-1", "description": "Machines of one job"}
        ec2.CfnSecurityGroupIngress(self, "FromMembers", source_security_group_id=group.attr_group_id, **among)
        ec2.CfnSecurityGroupEgress(self, "ToMembers", destination_security_group_id=group.attr_group_id, **among)
        return group.attr_group_id

    def _doors(self) -> str:
        """The security group of the endpoints."""
        group = ec2.CfnSecurityGroup(
            self,
            "Endpoints",
            group_description="Endpoints of AWS services",
            vpc_id=self.vpc.ref,
            security_group_ingress=[_rule(HTTPS, self.vpc.attr_cidr_block, "What runs in this VPC")],
            security_group_egress=[_rule(HTTPS, self.vpc.attr_cidr_block, "Answers pass without a rule; nothing is called from here")],
        )
        return group.attr_group_id

    def _storage(self, routes: ec2.CfnRouteTable, accounts: Sequence[str]) -> None:
        read = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}  # ECR's layers lie in AWS's own buckets
        ec2.CfnVPCEndpoint(
            self,
            "s3",
            vpc_endpoint_type="Gateway",
            service_name=f"com.amazonaws.{self._region}.s3",
            vpc_id=self.vpc.ref,
            route_table_ids=[routes.ref],
            policy_document=_document(_anything(accounts, "aws:ResourceAccount"), read),
        )

    def _endpoint(self, name: str, service: str, doors: str, policy: dict[str, Any] | None, *, named: bool) -> None:
        """`named`: the service's public names lead to the endpoint here."""
        ec2.CfnVPCEndpoint(
            self,
            name,
            vpc_endpoint_type="Interface",
            service_name=service,
            vpc_id=self.vpc.ref,
            subnet_ids=self.subnets,
            security_group_ids=[doors],
            private_dns_enabled=named,
            policy_document=policy,
        )

    def _flow_log(self) -> None:
        key = Key(self, "Key", description="Flow logs")
        key.encrypts_logs()
        log = logs.LogGroup(self, "Log", encryption_key=key, retention=logs.RetentionDays.ONE_YEAR, removal_policy=RemovalPolicy.DESTROY)
        role = ServiceRole(
            self,
            "Writer",
            service="vpc-flow-logs.amazonaws.com",
            description="Writes flow logs",
            statements=[
                iam.PolicyStatement(
                    actions=["logs:CreateLogStream", "logs:DescribeLogGroups", "logs:DescribeLogStreams", "logs:PutLogEvents"],
                    resources=[log.log_group_arn],
                )
            ],
        )
        ec2.CfnFlowLog(
            self,
            "FlowLog",
            resource_id=self.vpc.ref,
            resource_type="VPC",
            traffic_type="ALL",
            log_group_name=log.log_group_name,
            deliver_logs_permission_arn=role.role_arn,
        )


def _divided(cidr: str, zones: Sequence[str]) -> list[tuple[str, str]]:
    """A range of addresses for each zone, as large as they can be."""
    blocks = ipaddress.IPv4Network(cidr).subnets(prefixlen_diff=(len(zones) - 1).bit_length())
    return [(str(block), zone) for block, zone in zip(blocks, zones, strict=False)]


def _rule(port: int, cidr: str, why: str) -> dict[str, Any]:
    return {"ipProtocol": "tcp", "fromPort": port, "toPort": port, "cidrIp": cidr, "description": why}


def _anything(accounts: Sequence[str], key: str) -> dict[str, Any]:
    """Everything, where the account that `key` names is one of ours."""
    ours = {"StringEquals": {key: list(accounts)}}
    return {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*", "Condition": ours}


def _document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}
