"""How a stage in the toolchain's account looks into an environment's: with the verifier role, which may read and ask only.

That role comes with the serving stack. Whether the stack is there at all is asked with CDK's deploy role, which bootstrap makes.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

import boto3
import botocore.session
from botocore.credentials import RefreshableCredentials

from pipelines.steps import stack as stacks

QUALIFIER = "hnb659fds"  # of CDK's bootstrap, when none is chosen


def add_arguments(arguments: ArgumentParser, *, required: bool = True) -> None:
    """`--account`, `--region` and `--role`: where to look, and as whom."""
    for flag in ("--account", "--region", "--role"):
        arguments.add_argument(flag, required=required)


def verifier(given: Namespace) -> boto3.Session:
    """A session as the verifier role."""
    return session(given.account, given.region, given.role)


def deployer(given: Namespace) -> boto3.Session:
    """A session as CDK's deploy role, which updates stacks."""
    return session(given.account, given.region, bootstrap_role("deploy", given.account, given.region))


def bootstrap_role(kind: str, account: str, region: str) -> str:
    """The name of a role that CDK's bootstrap made: `deploy` updates stacks, `lookup` looks at everything."""
    return f"cdk-{QUALIFIER}-{kind}-role-{account}-{region}"


def deployed(given: Namespace, stack: str) -> bool:
    """Whether the stack stands in the environment."""
    return stack_outputs(deployer(given), stack) is not None


def stack_outputs(environment: boto3.Session, stack: str) -> dict[str, str] | None:
    """A stack's outputs; None when the stack is not deployed."""
    found = stacks.read(environment.client("cloudformation"), stack)
    return dict(found.outputs) if found else None


def session(account: str, region: str, role: str) -> boto3.Session:
    """A session as a role of an account, taken anew before it ends: a role lasts an hour, a deployment up to eight."""
    partition = boto3.Session().get_partition_for_region(region)
    sts = boto3.client("sts", region_name=region)
    arn = f"arn:{partition}:iam::{account}:role/{role}"

    def taken() -> dict[str, str]:
        keys = sts.assume_role(RoleArn=arn, RoleSessionName="paved-road-verify")["Credentials"]
        names = {"access_key": "AccessKeyId", "secret_key": "SecretAccessKey", "token": "SessionToken"}
        return {name: keys[key] for name, key in names.items()} | {"expiry_time": keys["Expiration"].isoformat()}  # type: ignore[literal-required]

    inner = botocore.session.Session()
    inner._credentials = RefreshableCredentials.create_from_metadata(taken(), refresh_using=taken, method="sts-assume-role")  # type: ignore[attr-defined]  # botocore has no public way
    return boto3.Session(botocore_session=inner, region_name=region)
