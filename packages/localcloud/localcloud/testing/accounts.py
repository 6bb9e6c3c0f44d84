"""Accounts as tests use them: clients, roles, names and images, on localcloud or on AWS itself.

A test that asks for no more than this runs unchanged on both.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from localcloud.testing import ACCOUNT, LAB, MODELS, REGION, named

Json = dict[str, Any]
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
DATA = b"1,2\n3,4\n5,6\n"  # at data/v1/data.csv of the bucket


TAKEN = re.compile(r"AlreadyExists|AlreadyOwnedByYou")
ONCE = Config(retries={"total_max_attempts": 1})  # so that every failure is seen


def keyed(service: str, region: str, keys: Mapping[str, str], endpoint: str | None) -> Any:
    """A client with an access key, by its members in the answers of STS."""
    make: Any = boto3.client  # its overloads want to know the service beforehand
    return make(
        service,
        region_name=region,
        endpoint_url=endpoint,
        config=ONCE,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys.get("SessionToken"),
    )


def administrator(variables: Mapping[str, str]) -> dict[str, str]:
    """An access key out of the variables by which programs hear of it, for `keyed`."""
    return {"AccessKeyId": variables["AWS_ACCESS_KEY_ID"], "SecretAccessKey": variables["AWS_SECRET_ACCESS_KEY"]}


@contextmanager
def shared() -> Iterator[None]:
    """Make what tests of several processes share: that another one has made it already is no failure."""
    try:
        yield
    except ClientError as error:
        if not TAKEN.search(error.response["Error"]["Code"]):
            raise


class Accounts(ABC):
    """The accounts ACCOUNT and OTHER. What is asked without naming one is asked in ACCOUNT, by its administrator."""

    region = REGION

    @abstractmethod
    def client(self, service: str, account: str = ACCOUNT, **keys: str) -> Any:
        """A client with the account's administrator keys, or with the temporary `keys` of an assumed role. It never tries again."""

    @abstractmethod
    def image(self, repository: str, account: str = ACCOUNT) -> str:
        """The URI, by digest, of the image of `localcloud.testing`, built and pushed to a repository that is there."""

    def prepare(self) -> None:
        """Make the shared bucket with a small data set, and the shared repository."""
        with shared():
            self.create_bucket(LAB)
        self.client("s3").put_object(Bucket=LAB, Key="data/v1/data.csv", Body=DATA)
        with shared():
            self.client("ecr").create_repository(repositoryName=MODELS, imageTagMutability="MUTABLE")

    def create_bucket(self, name: str, account: str = ACCOUNT, **more: Any) -> str:
        """Make a bucket in the region; its name."""
        where: Json = {} if self.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": self.region}}
        self.client("s3", account).create_bucket(Bucket=name, **where, **more)
        return name

    def worker(self, account: str = ACCOUNT) -> str:
        """The ARN of a role that SageMaker may assume and that may do everything, made at the first call."""
        name, iam = named("worker"), self.client("iam", account)
        arn = f"arn:aws:iam::{account}:role/{name}"
        try:
            iam.get_role_policy(RoleName=name, PolicyName="all")
        except iam.exceptions.NoSuchEntityException:
            with shared():
                iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
            iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(EVERYTHING))
            self.settle()
        return arn

    def role(self, name: str, *, trusts: Json, allows: list[Json], account: str = ACCOUNT) -> str:
        """Make a role and return its ARN."""
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": trusts}]}
        iam = self.client("iam", account)
        arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **a} for a in allows]}
        iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=json.dumps(policy))
        self.settle()
        return arn

    def settle(self) -> None:
        """Wait until what was written to IAM holds everywhere, where that takes time."""

    def assume(self, role_arn: str, account: str = ACCOUNT) -> dict[str, str]:
        """Temporary keys of a role, for `client`."""
        answer = self.client("sts", account).assume_role(RoleArn=role_arn, RoleSessionName="test")
        keys: dict[str, str] = {k: v for k, v in answer["Credentials"].items() if k != "Expiration"}
        return keys

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
