"""What the tests of localcloud share: an AWS account's clients, one role, one image."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3

from localcloud.cloud import ADMINISTRATOR, Cloud

REGION = "eu-west-1"
ACCOUNT = "111111111111"
OTHER_ACCOUNT = "333333333333"
REPOSITORY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team/model"
IMAGE = Path(__file__).parent / "image"
DOCKER = Path(__file__).parents[2] / "localcloud" / "bin" / "docker"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


class Aws:
    """A running cloud and what the tests share in it. Clients belong to ACCOUNT unless told otherwise."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._clients: dict[tuple[str, str], Any] = {}

    def client(self, service: str, account: str = ACCOUNT) -> Any:
        if (service, account) not in self._clients:
            keys = {k.lower(): v for k, v in self.cloud.administrator(account).items()}
            make: Any = boto3.client  # its overloads want to know the service beforehand
            self._clients[service, account] = make(service, region_name=REGION, endpoint_url=self.cloud.url, **keys)
        return self._clients[service, account]

    def role(self, account: str = ACCOUNT) -> str:
        arn = f"arn:aws:iam::{account}:role/worker"
        if not any(r["Arn"] == arn for r in self.client("iam", account).list_roles()["Roles"]):
            self.client("iam", account).create_role(RoleName="worker", AssumeRolePolicyDocument=json.dumps(TRUST))
            self.client("iam", account).put_role_policy(RoleName="worker", PolicyName="all", PolicyDocument=ADMINISTRATOR)
        return arn

    def prepare(self) -> None:
        """Make the bucket and the repository that the tests use."""
        self.client("s3").create_bucket(Bucket="lab", CreateBucketConfiguration={"LocationConstraint": REGION})
        self.client("s3").put_object(Bucket="lab", Key="data/v1/data.csv", Body=b"1,2\n3,4\n5,6\n")
        self.client("ecr").create_repository(repositoryName="team/model", imageTagMutability="MUTABLE")

    def docker(self, *argv: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        env = {
            **os.environ,
            **self.cloud.administrator(ACCOUNT),
            "AWS_ENDPOINT_URL": self.cloud.url,
            "LOCALCLOUD_PYTHON": sys.executable,
            "LOCALCLOUD_IMAGES": str(self.cloud.folder("images")),
        }
        return subprocess.run([str(DOCKER), *argv], env=env, input=stdin, capture_output=True, text=True, check=False)

    def image(self) -> str:
        """The URI, by digest, of the image of tests/localcloud/image, built and pushed."""
        assert self.docker("build", "-t", f"{REPOSITORY}:test", str(IMAGE)).returncode == 0
        pushed = self.docker("push", f"{REPOSITORY}:test")
        assert pushed.returncode == 0, pushed.stderr
        return f"{REPOSITORY}@{pushed.stdout.split('digest: ')[1].split()[0]}"

    def lines(self, group: str, prefix: str = "") -> list[str]:
        logs = self.client("logs")
        streams = [s["logStreamName"] for s in logs.describe_log_streams(logGroupName=group)["logStreams"]]
        return [
            e["message"]
            for s in streams
            if s.startswith(prefix)
            for e in logs.get_log_events(logGroupName=group, logStreamName=s, startFromHead=True)["events"]
        ]
