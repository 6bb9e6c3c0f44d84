"""A cloud in the tests' own process: its parts can be looked at, and its long waits end when a test says so. IAM is not enforced."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from moto.server import ThreadedMotoServer

from localcloud import services
from localcloud.core.cloud import Cloud, install
from localcloud.ecr.engine import Engine
from localcloud.testing import ACCOUNT, REGION
from localcloud.testing.accounts import Accounts, administrator, keyed
from localcloud.testing.docker import Docker
from localcloud.testing.waiting import until

HOUR = 3600  # seconds of AWS's time
SPEED = 100.0
PLENTY = {"*": 1000}  # tests share an account
PATIENCE = 120.0  # seconds that a program has to start, on however busy a machine


class PacedCloud(Cloud):
    """A cloud in which an hour does not pass by itself: waits of an hour or more end by their event, or by `pass_an_hour`."""

    def __init__(self, *, root: Path, url: str, engine: Engine | None) -> None:
        super().__init__(root=root, url=url, region=REGION, speed=SPEED, least_patience=PATIENCE, quotas=PLENTY, engine=engine)
        self._hours: list[threading.Event] = []

    def wait(self, event: threading.Event, seconds: float) -> bool:
        if seconds < HOUR:
            return super().wait(event, seconds)
        passed = threading.Event()
        self._hours.append(passed)
        until(lambda: event.is_set() or passed.is_set(), seconds=float("inf"))
        self._hours.remove(passed)
        return event.is_set()

    def pass_an_hour(self) -> None:
        """End the waits of an hour or more that are under way, once there is one."""
        for passed in until(lambda: [hour for hour in self._hours if not hour.is_set()]):
            passed.set()

    @contextmanager
    def impatient(self, seconds: float = 2.0) -> Iterator[None]:
        """Give programs that are started within the block so little time to become healthy: for those that never do."""
        self.least_patience = seconds
        try:
            yield
        finally:
            self.least_patience = PATIENCE


class Aws(Accounts):
    """The accounts of a cloud in this process, whose parts can be looked at. IAM is not enforced."""

    def __init__(self, cloud: PacedCloud) -> None:
        self.cloud = cloud
        self._clients: dict[tuple[str, str], Any] = {}

    def client(self, service: str, account: str = ACCOUNT, **keys: str) -> Any:
        if keys:
            return keyed(service, self.region, keys, self.cloud.url)
        if (service, account) not in self._clients:
            key = administrator(self.cloud.administrator(account))
            self._clients[service, account] = keyed(service, self.region, key, self.cloud.url)
        return self._clients[service, account]

    def docker(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """`docker ARGUMENTS`, as ACCOUNT's administrator."""
        return self._docker(ACCOUNT).run(*arguments, stdin=stdin)

    def image(self, repository: str, account: str = ACCOUNT) -> str:
        return self._docker(account).image(f"{account}.dkr.ecr.{self.region}.amazonaws.com/{repository}:test")

    def _docker(self, account: str) -> Docker:
        engine = self.cloud.engine.variables() if self.cloud.engine else {}
        return Docker(self.cloud.url, self.cloud.administrator(account), self.cloud.folder("images"), engine)


@contextmanager
def in_process(root: Path, *, engine: Engine | None = None) -> Iterator[Aws]:
    """A cloud with SageMaker, CloudWatch and autoscaling that run, a bucket and a repository, a hundred times faster than AWS.

    With an `engine` its images are built and run by Docker.

    moto keeps its state in the process, so there can be one in the life of a process.
    """
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    cloud = PacedCloud(root=root, url=f"http://localhost:{server.get_host_and_port()[1]}", engine=engine)
    install(cloud)
    services.install((*services.CLOUDWATCH, *services.AUTOSCALING, *services.ECR, *services.SAGEMAKER))
    aws = Aws(cloud)
    aws.prepare()
    try:
        yield aws
    finally:
        services.shutdown()
        server.stop()
