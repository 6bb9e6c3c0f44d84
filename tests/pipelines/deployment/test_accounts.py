"""A step's session as a role of another account goes on for as long as the step does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from localcloud.testing.running import Running
from localcloud.testing.waiting import until
from pipelines.deployment import accounts
from tests.reference import CONFIG

HOME, AWAY = CONFIG.accounts[:2]
SECONDS = 2


def refused(call: Callable[[], Any]) -> str:
    """The code of the error that a call ends with; nothing where it does not."""
    try:
        call()
    except ClientError as problem:
        return str(problem.response["Error"]["Code"])
    return ""


@pytest.fixture
def default_session() -> Iterator[None]:
    """What a test makes of boto3's own session ends with it."""
    yield
    boto3.setup_default_session()


@pytest.mark.usefixtures("default_session")
def test_a_session_that_ends_in_the_middle_of_a_step_is_taken_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same role and the same age a session that nobody takes anew has ended by then."""
    known = [HOME.id, AWAY.id]
    with Running(tmp_path / "cloud", "--longest-session", str(SECONDS), accounts=known, region=AWAY.region) as cloud:
        root = {"AWS": f"arn:aws:iam::{HOME.id}:root"}
        role = cloud.role("verifier", trusts=root, allows=[{"Action": "ssm:*", "Resource": "*"}], account=AWAY.id)
        for name, value in {**cloud.state["accounts"][HOME.id], "AWS_ENDPOINT_URL": cloud.state["url"]}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
        boto3.setup_default_session()  # the one before keeps the credentials that it found first
        ssm = accounts.of(accounts.session(CONFIG, AWAY, "verifier"))("ssm")
        once = cloud.client("ssm", AWAY.id, **cloud.assume(role, HOME.id))

        assert refused(once.describe_parameters) == refused(ssm.describe_parameters) == ""
        assert until(lambda: refused(once.describe_parameters)) == "ExpiredTokenException"
        assert refused(ssm.describe_parameters) == ""
