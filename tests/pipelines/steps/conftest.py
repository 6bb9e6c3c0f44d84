"""An AWS for steps: moto in a process of its own, empty for every test."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any, Protocol

import boto3
import pytest


class Clients(Protocol):
    """`client("ssm")`: a boto3 client of the test's AWS."""

    def __call__(self, service: str) -> Any: ...


@pytest.fixture(scope="session")
def _moto() -> Iterator[str]:
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        assert server.stdout
        found = next(found for line in server.stdout if (found := re.search(r"Running on (http://\S+)", line)))
        yield found[1]
        server.terminate()


@pytest.fixture
def server(_moto: str) -> str:
    """The address of an AWS with nothing in it."""
    urllib.request.urlopen(urllib.request.Request(f"{_moto}/moto-api/reset", method="POST")).close()  # noqa: S310  # the line above made it
    return _moto


@pytest.fixture
def client(server: str) -> Clients:
    """Clients of that AWS."""
    return lambda service: boto3.client(service, endpoint_url=server)
