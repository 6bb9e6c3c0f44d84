"""How a stage in the toolchain's account looks into an environment's: with the verifier role, which may read and ask only.

That role comes with the serving stack. Whether the stack is there at all is asked with CDK's deploy role, which bootstrap makes.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

import boto3
from botocore.exceptions import ClientError

from pipelines.steps.step import code

QUALIFIER = "hnb659fds"  # of CDK's bootstrap, when none is chosen


def add_arguments(arguments: ArgumentParser, *, required: bool = True) -> None:
    """`--account`, `--region` and `--role`: where to look, and as whom."""
    for flag in ("--account", "--region", "--role"):
        arguments.add_argument(flag, required=required)


def verifier(given: Namespace) -> boto3.Session:
    """A session as the verifier role."""
    return _session(given, given.role)


def deployed(given: Namespace, stack: str) -> bool:
    """Whether the stack stands in the environment."""
    deployer = _session(given, f"cdk-{QUALIFIER}-deploy-role-{given.account}-{given.region}")
    return stack_outputs(deployer, stack) is not None


def _session(given: Namespace, role: str) -> boto3.Session:
    partition = boto3.Session().get_partition_for_region(given.region)
    sts = boto3.client("sts", region_name=given.region)
    arn = f"arn:{partition}:iam::{given.account}:role/{role}"
    taken = sts.assume_role(RoleArn=arn, RoleSessionName="paved-road-verify")["Credentials"]
    return boto3.Session(taken["AccessKeyId"], taken["SecretAccessKey"], taken["SessionToken"], region_name=given.region)


def stack_outputs(environment: boto3.Session, stack: str) -> dict[str, str] | None:
    """A stack's outputs; None when the stack is not deployed."""
    cloudformation: Any = environment.client("cloudformation")
    try:
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if code(error) == "ValidationError" and "does not exist" in str(error):
            return None
        raise
    if found["StackStatus"] in ("REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE"):
        return None  # nothing of it was ever made, or nothing is left
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
