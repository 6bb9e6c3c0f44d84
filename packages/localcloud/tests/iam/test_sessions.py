"""A session of a role is no longer than it may be, and what it is asked for ends with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.testing import ACCOUNT
from localcloud.testing.accounts import Accounts
from localcloud.testing.names import Name
from localcloud.testing.running import Running
from localcloud.testing.waiting import until

EVERYTHING = {"Action": "*", "Resource": "*"}
HERE = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}


@pytest.mark.aws("sessions: MaxSessionDuration, one hour of role chaining")
def test_a_role_says_how_long_its_sessions_may_last(cloud: Accounts, name: Name) -> None:
    arn = cloud.role(name("role"), trusts=HERE, allows=[EVERYTHING])
    asked = {"RoleArn": arn, "RoleSessionName": "test", "DurationSeconds": 7200}
    with pytest.raises(ClientError, match="exceeds the MaxSessionDuration set for this role"):
        cloud.client("sts").assume_role(**asked)

    cloud.client("iam").update_role(RoleName=name("role"), MaxSessionDuration=7200)
    cloud.settle()

    cloud.client("sts").assume_role(**asked)
    with pytest.raises(ClientError, match="exceeds the 1 hour session limit for roles assumed by role chaining"):
        cloud.client("sts", **cloud.assume(arn)).assume_role(**asked)


def code(call: Callable[..., Any], **members: Any) -> str | None:
    """The code of the error that a call ends with, if it does."""
    try:
        call(**members)
    except ClientError as problem:
        return str(problem.response["Error"]["Code"])
    return None


@pytest.mark.laptop("a session of two seconds; on AWS the shortest is of fifteen minutes, and an ordinary one ends in an hour")
def test_what_a_session_asks_for_ends_with_it(tmp_path: Path) -> None:
    """In the words of each protocol. A new session goes on."""
    with Running(tmp_path / "cloud", "--longest-session", "2") as cloud:
        arn = cloud.role("role", trusts=HERE, allows=[EVERYTHING])
        keys = cloud.assume(arn)
        calls = {service: cloud.client(service, **keys) for service in ("ssm", "s3", "iam")}
        assert code(calls["ssm"].describe_parameters) is None

        until(lambda: code(calls["ssm"].describe_parameters))

        assert code(calls["ssm"].describe_parameters) == "ExpiredTokenException"
        assert code(calls["s3"].list_buckets) == code(calls["iam"].list_roles) == "ExpiredToken"
        assert code(cloud.client("ssm", **cloud.assume(arn)).describe_parameters) is None
