"""An AWS for steps: moto in a process of its own, empty for every test. Fixtures, to be imported by a conftest."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any, Protocol

import boto3
import pytest

from config import Account
from tests.reference import CONFIG


class Clients(Protocol):
    """`client("ssm")`: a boto3 client of the test's AWS, in the account of whoever calls; or in another one."""

    def __call__(self, service: str, account: Account | None = None) -> Any: ...


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """The address of the process."""
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        assert server.stdout
        address = next(address for line in server.stdout if (address := re.search(r"Running on (http://\S+)", line)))
        yield address[1]
        server.terminate()


@pytest.fixture
def server(moto: str) -> str:
    """The address of an AWS with nothing in it."""
    urllib.request.urlopen(urllib.request.Request(f"{moto}/moto-api/reset", method="POST")).close()  # noqa: S310  # the line above made it
    return moto


@pytest.fixture
def client(server: str) -> Clients:
    """Clients of that AWS."""

    def make(service: str, account: Account | None = None) -> Any:
        return client_at(server, service, account)

    return make


def client_at(url: str, service: str, account: Account | None = None) -> Any:
    """A client of a moto; it takes a role of another account as its own."""
    names = {
        "AWS_ACCESS_KEY_ID": "aws_access_key_id",
        "AWS_SECRET_ACCESS_KEY": "aws_secret_access_key",
        "AWS_SESSION_TOKEN": "aws_session_token",
    }
    keys = {names[name]: value for name, value in keys_at(url, account).items()} if account else {}
    make: Any = boto3.client  # its overloads want to know the service beforehand
    return make(service, region_name=CONFIG.toolchain.region, endpoint_url=url, **keys)


def keys_at(url: str, account: Account) -> dict[str, str]:
    """Environment variables with the keys of a role of an account."""
    sts = boto3.client("sts", region_name=CONFIG.toolchain.region, endpoint_url=url)
    keys = sts.assume_role(RoleArn=f"arn:aws:iam::{account.id}:role/anybody", RoleSessionName="test")["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
    }
