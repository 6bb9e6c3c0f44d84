"""Clients of the accounts that a deployment spans: the toolchain's, where it runs, and an environment's, as a role there."""

from __future__ import annotations

from typing import Any, Protocol

import boto3
import botocore.session
from botocore.config import Config as ClientConfig
from botocore.credentials import DeferredRefreshableCredentials

from config import Account, Config
from pipelines.deployment.propagation import patient


class Clients(Protocol):
    """Makes clients of one account: `clients("s3")`. `config` says how they wait and retry."""

    def __call__(self, service: str, /, *, config: ClientConfig | None = None) -> Any: ...


def home(config: Config) -> Clients:
    """Clients of the toolchain's account, with the credentials that this process has: a stage's, whose role may just have been changed."""
    return of(patient(boto3.Session(region_name=config.toolchain.region)))


def of(session: boto3.Session) -> Clients:
    """A session's clients."""
    make: Any = session.client  # its overloads want to know the service beforehand
    clients: Clients = make
    return clients


def session(config: Config, account: Account, role: str, *, changed: bool = False) -> boto3.Session:
    """A session as a role of an account, patient where that may just have been made or `changed`.

    The role is taken at the first call, as it may not be there before, and anew before it ends: after an hour, where a deployment may take
    eight.
    """
    partition = boto3.Session().get_partition_for_region(account.region)
    arn = f"arn:{partition}:iam::{account.id}:role/{role}"

    def take() -> dict[str, str]:
        sts = (patient(boto3.Session()) if changed else boto3).client("sts", region_name=account.region)
        keys = sts.assume_role(RoleArn=arn, RoleSessionName=f"{config.project}-verify")["Credentials"]
        return {
            "access_key": keys["AccessKeyId"],
            "secret_key": keys["SecretAccessKey"],
            "token": keys["SessionToken"],
            "expiry_time": keys["Expiration"].isoformat(),
        }

    inner = botocore.session.Session()
    inner._credentials = DeferredRefreshableCredentials(refresh_using=take, method="sts-assume-role")  # type: ignore[attr-defined]  # botocore has no public way
    made = boto3.Session(botocore_session=inner, region_name=account.region)
    return patient(made) if changed else made
