"""What every part of localcloud shares: where it listens, where it keeps files, how fast time passes, and how to act as a role."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from boto3.s3.transfer import TransferConfig
from moto.iam.models import iam_backends
from moto.logs.models import logs_backends
from moto.sts.models import sts_backends

from localcloud.core.assumptions import Assumption
from localcloud.core.interruptions import Interruptions

if TYPE_CHECKING:
    from localcloud.ecr.engine import Engine

PARTITION = "aws"
ADMINISTRATOR = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
IN_THIS_THREAD = TransferConfig(use_threads=False)  # for S3 transfers: threads of their own would keep this process from ending
_current: list[Cloud] = []


class Cloud:
    """One running localcloud.

    `root` holds logs and the folders of builds, jobs and endpoints. `speed` is how many seconds of a template's durations pass in one
    second here. `least_patience` is the real seconds that a program has to start: it does not start faster because the clock does.
    `longest_session` is the real seconds that a role's session lasts at the most, but for `renewed` ones, access keys that agents renew.
    `reads_late` is how many of AWS's seconds pass before a change is seen by all (`core.late_reads`).
    `assumptions` are those of what is not known of AWS, `quotas` maps names, or patterns of them, to values that are not the default.
    `interruptions` say when spot jobs lose machines, `host_losses` when transform jobs do; where there are none, they lose none.
    `engine` is Docker, where images are built and run by it.
    """

    def __init__(
        self,
        *,
        root: Path,
        url: str,
        region: str,
        speed: float,
        least_patience: float = 20.0,
        longest_session: float = 12 * 3600,
        reads_late: float = 0,
        assumptions: Collection[Assumption] = (),
        quotas: Mapping[str, int] | None = None,
        interruptions: Interruptions | None = None,
        host_losses: Interruptions | None = None,
        engine: Engine | None = None,
    ) -> None:
        self.root, self.url, self.region, self.speed, self.least_patience = root, url, region, speed, least_patience
        self.longest_session, self.renewed, self.engine = longest_session, set[str](), engine
        self.reads_late, self.interruptions, self.host_losses = reads_late, interruptions, host_losses
        self.assumptions, self.quotas = set(assumptions), dict(quotas or {})
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._lock = threading.Lock()

    def folder(self, *parts: str) -> Path:
        """A folder under `root`, made when it is not there."""
        path = self.root.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait for `event`, `seconds` of AWS's time at the most; whether it came."""
        return event.wait(seconds / self.speed)

    def administrator(self, account: str) -> dict[str, str]:
        """Keys of the account's administrator: what the person at the laptop has."""
        iam = iam_backends[account][PARTITION]
        if "administrator" not in iam.users:
            iam.create_user(self.region, "administrator")
            iam.put_user_policy("administrator", "administrator", ADMINISTRATOR)
            iam.create_access_key("administrator")
        (key,) = iam.list_access_keys("administrator")
        return {"AWS_ACCESS_KEY_ID": key.access_key_id, "AWS_SECRET_ACCESS_KEY": key.secret_access_key}

    def role_env(self, role_arn: str, session: str, region: str | None = None) -> dict[str, str]:
        """Environment variables that make a process call this cloud as `role_arn`, as AWS's agents do."""
        account = role_arn.split(":")[4]
        iam_backends[account][PARTITION].get_role_by_arn(role_arn)
        name = re.sub(r"[^\w+=,.@-]", "-", session)[:64]
        assumed = sts_backends[account][PARTITION].assume_role(self.region, name, role_arn, "", 3600, "")
        self.renewed.add(assumed.access_key_id)
        region = region or self.region
        return {
            "AWS_ACCESS_KEY_ID": assumed.access_key_id,
            "AWS_SECRET_ACCESS_KEY": assumed.secret_access_key,
            "AWS_SESSION_TOKEN": assumed.session_token,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str, *, role_arn: str, region: str | None = None) -> Any:
        """A boto3 client that calls this cloud as `role_arn`, so that the role's permissions decide."""
        key = (service, role_arn, region or self.region)
        with self._lock:
            if key not in self._clients:
                env = self.role_env(role_arn, f"localcloud-{service}", region)
                make: Any = boto3.client
                self._clients[key] = make(
                    service,
                    region_name=env["AWS_REGION"],
                    endpoint_url=self.url,
                    aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
                    aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
                    aws_session_token=env["AWS_SESSION_TOKEN"],
                )
            return self._clients[key]

    def log(self, *, account: str, region: str, group: str, stream: str, line: str) -> None:
        """Append one line to CloudWatch Logs, making the group and the stream at their first line."""
        logs = logs_backends[account][region]
        with self._lock:
            if group not in logs.groups:
                logs.create_log_group(group, {})
            if stream not in logs.groups[group].streams:
                logs.create_log_stream(group, stream)
            logs.put_log_events(group, stream, [{"timestamp": int(time.time() * 1000), "message": line or " "}])


def machine_environment() -> dict[str, str]:
    """This process's environment without anything of AWS or Python's: what a program on an AWS machine starts from."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "MOTO_", "PYTHON")) and k not in ("VIRTUAL_ENV", "HOME")}


def install(cloud: Cloud) -> None:
    """Make `cloud` the one that `cloud()` answers."""
    _current[:] = [cloud]


def cloud() -> Cloud:
    """The running localcloud."""
    return _current[0]
