"""A cloud in the tests' own process: its parts can be looked at, and its long waits end when a test says so. IAM is not enforced."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from moto.server import ThreadedMotoServer

from localcloud import services
from localcloud.core.cloud import ADMINISTRATOR, Cloud, install
from localcloud.ecr.engine import Engine
from localcloud.testing import ACCOUNT, REGION
from localcloud.testing.docker import Docker
from localcloud.testing.waiting import until

HOUR = 3600  # seconds of AWS's time
SPEED = 100.0
PLENTY = {"*": 1000}  # tests share an account
PATIENCE = 120.0  # seconds that a program has to start, on however busy a machine
REPOSITORY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team/model"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


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


class Aws:
    """The accounts of a cloud in this process. Clients belong to the administrator of ACCOUNT where no other is named."""

    def __init__(self, cloud: PacedCloud) -> None:
        self.cloud = cloud
        self._clients: dict[tuple[str, str], Any] = {}

    def client(self, service: str, account: str = ACCOUNT) -> Any:
        """A boto3 client. It never tries again by itself, so that every failure is seen."""
        if (service, account) not in self._clients:
            keys = {k.lower(): v for k, v in self.cloud.administrator(account).items()}
            make: Any = boto3.client  # its overloads want to know the service beforehand
            once = Config(retries={"total_max_attempts": 1})
            self._clients[service, account] = make(service, region_name=REGION, endpoint_url=self.cloud.url, config=once, **keys)
        return self._clients[service, account]

    def role(self, account: str = ACCOUNT) -> str:
        """The ARN of a role that SageMaker may assume and that may do everything, made at the first call."""
        arn = f"arn:aws:iam::{account}:role/worker"
        if not any(r["Arn"] == arn for r in self.client("iam", account).list_roles()["Roles"]):
            self.client("iam", account).create_role(RoleName="worker", AssumeRolePolicyDocument=json.dumps(TRUST))
            self.client("iam", account).put_role_policy(RoleName="worker", PolicyName="all", PolicyDocument=ADMINISTRATOR)
        return arn

    def docker(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """`docker ARGUMENTS`."""
        return self._docker.run(*arguments, stdin=stdin)

    def image(self) -> str:
        """The URI, by digest, of the image of `localcloud.testing`, built and pushed to REPOSITORY."""
        return self._docker.image(f"{REPOSITORY}:test")

    def lines(self, group: str, prefix: str = "") -> list[str]:
        """What was written to the streams of a log group, those whose names begin with `prefix`."""
        logs = self.client("logs")
        streams = [s["logStreamName"] for s in logs.describe_log_streams(logGroupName=group)["logStreams"]]
        return [
            e["message"]
            for s in streams
            if s.startswith(prefix)
            for e in logs.get_log_events(logGroupName=group, logStreamName=s, startFromHead=True)["events"]
        ]

    @property
    def _docker(self) -> Docker:
        engine = self.cloud.engine.variables() if self.cloud.engine else {}
        return Docker(self.cloud.url, self.cloud.administrator(ACCOUNT), self.cloud.folder("images"), engine)

    def prepare(self) -> None:
        """Make the bucket `lab` with a small data set, and the repository REPOSITORY."""
        self.client("s3").create_bucket(Bucket="lab", CreateBucketConfiguration={"LocationConstraint": REGION})
        self.client("s3").put_object(Bucket="lab", Key="data/v1/data.csv", Body=b"1,2\n3,4\n5,6\n")
        self.client("ecr").create_repository(repositoryName="team/model", imageTagMutability="MUTABLE")


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
