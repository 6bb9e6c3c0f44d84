"""A stage goes on right after its deployment, though a change of IAM is not in force yet: here it comes to be when a refusal is told."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from localcloud.testing.running import Running
from pipelines.deployment import accounts, propagation
from tests.reference import CONFIG

HOME, AWAY = CONFIG.accounts[:2]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Two accounts."""
    with Running(tmp_path_factory.mktemp("propagation") / "cloud", accounts=[HOME.id, AWAY.id], region=AWAY.region) as running:
        yield running


@pytest.fixture(autouse=True)
def at_home(cloud: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process has credentials of the first account."""
    for name, value in {**cloud.state["accounts"][HOME.id], "AWS_ENDPOINT_URL": cloud.state["url"]}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    boto3.setup_default_session()  # the one before keeps the credentials that it found first
    yield
    boto3.setup_default_session()


class AtRefusal(logging.Handler):
    """Does something once, when it is told that a refused call will be made again; keeps what it was told."""

    def __init__(self, act: Callable[[], Any]) -> None:
        super().__init__()
        self.lines, self._act = list[str](), act

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        if len(self.lines) == 1:
            self._act()


@contextmanager
def at_refusal(act: Callable[[], Any]) -> Iterator[list[str]]:
    """What is told within the block; at the first of it, `act`."""
    handler, log = AtRefusal(act), logging.getLogger(propagation.__name__)
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield handler.lines
    finally:
        log.removeHandler(handler)
        log.setLevel(logging.NOTSET)


def allowed(cloud: Running, role: str, *actions: str) -> None:
    """Let a role of the other account, which is there, do this."""
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    cloud.client("iam", AWAY.id).put_role_policy(RoleName=role, PolicyName="inline", PolicyDocument=policy)


def client(role: str, *, changed: bool) -> Any:
    return accounts.of(accounts.session(CONFIG, AWAY, role, changed=changed))("ssm")


def test_a_role_that_was_just_made_is_taken_once_it_is_known(cloud: Running) -> None:
    here = {"AWS": f"arn:aws:iam::{HOME.id}:root"}

    def make() -> None:
        cloud.role("made", trusts=here, allows=[{"Action": "ssm:*", "Resource": "*"}], account=AWAY.id)

    with pytest.raises(ClientError, match=r"AccessDenied.*AssumeRole"):
        client("made", changed=False).describe_parameters()
    with at_refusal(make) as lines:
        assert client("made", changed=True).describe_parameters()["Parameters"] == []

    assert lines == ["AssumeRole: AccessDenied: asked again in 1 s, as a change of IAM takes a while"]


def test_a_permission_that_was_just_given_is_used_once_it_is_in_force(cloud: Running) -> None:
    here = {"AWS": f"arn:aws:iam::{HOME.id}:root"}
    cloud.role("changed", trusts=here, allows=[{"Action": "s3:*", "Resource": "*"}], account=AWAY.id)

    with pytest.raises(ClientError, match=r"AccessDenied.*DescribeParameters"):
        client("changed", changed=False).describe_parameters()
    with at_refusal(lambda: allowed(cloud, "changed", "ssm:*")) as lines:
        assert client("changed", changed=True).describe_parameters()["Parameters"] == []

    assert lines == ["DescribeParameters: AccessDeniedException: asked again in 1 s, as a change of IAM takes a while"]


def test_a_refusal_that_stays_is_believed_after_a_minute() -> None:
    refused = (None, {"Error": {"Code": "AccessDenied"}})
    operation = boto3.client("sts", region_name="eu-west-1").meta.service_model.operation_model("AssumeRole")
    delays = [propagation._delay(refused, attempts, operation) for attempts in range(1, 8)]

    assert delays == [1, 2, 4, 8, 16, 32, None]
    assert propagation._delay((None, {"Error": {"Code": "ValidationError"}}), 1, operation) is None
    assert propagation._delay((None, {}), 1, operation) is None
    assert propagation._delay(None, 1, operation) is None
