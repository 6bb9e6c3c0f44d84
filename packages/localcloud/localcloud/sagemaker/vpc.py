"""Where in a VPC a job or model runs: what it names must be there, and its role must be able to attach it."""

from __future__ import annotations

from typing import Any

from localcloud.core.errors import invalid
from localcloud.core.validation import check
from localcloud.ec2 import networks


def attach(account: str, region: str, role_arn: str, vpc_config: dict[str, Any] | None) -> None:
    """Raise a ValidationException where that cannot be. The wording is localcloud's, with EC2's words inside."""
    if not vpc_config:
        return
    check("sagemaker", "VpcConfig", vpc_config)
    subnets, groups = vpc_config["Subnets"], vpc_config["SecurityGroupIds"]
    try:
        networks.one_vpc(account, region, subnets=subnets, groups=groups)
    except networks.Unknown as problem:
        raise invalid(f"VpcConfig: {problem}") from problem
    if action := networks.lacking(role_arn, region, subnets, groups, service="sagemaker"):
        raise invalid(f"The role {role_arn} may not do {action}, which SageMaker needs for a VPC")
