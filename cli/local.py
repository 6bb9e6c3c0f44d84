"""The life of localcloud, seen from outside: start it, find it, stop it. It is a process and a file that describes it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Annotated

import boto3
import typer

from cli import disk, sessions
from cli.problem import Problem, full_disk
from cli.tree import CLOUD, ENVIRONMENT, HERE, relative
from config import CONFIG, Account, ExistingNetwork

DEFAULT_SPEED = 60.0
FOREIGN = ("AWS_", "ROAD_CLOUD")
PATIENCE = 60  # seconds that localcloud has to end everything it started

Port = Annotated[int, typer.Option(metavar="PORT", help="Listen on this port; 0 asks the system for a free one.", min=0, max=65535)]
Speed = Annotated[float, typer.Option(metavar="FACTOR", help="How many seconds of a template's durations pass in one second here.", min=1)]
Containers = Annotated[
    bool, typer.Option("--containers", help="Build images by Docker and run them as containers, isolated as on AWS; needs a registry, too.")
]


@dataclass(frozen=True, kw_only=True)
class LocalCloud:
    """A running localcloud. `accounts` maps account ids to their administrator's keys; `remote` is its git repository.

    `containers` says of the Docker that builds and runs its images; nothing where that is its own stand-in.
    """

    pid: int
    url: str
    region: str
    remote: str
    root: str
    speed: float
    accounts: dict[str, dict[str, str]]
    containers: dict[str, str] = field(default_factory=dict)

    @property
    def logs(self) -> Path:
        """The folder for logs of what is run against this cloud."""
        folder = Path(self.root) / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def assembly(self) -> Path:
        """The folder of the synthesised stacks that are deployed to this cloud."""
        return Path(self.root) / "cdk.out"

    def session(self, account: Account) -> boto3.Session:
        """A session as the account's administrator."""
        keys = self.variables(account)
        return sessions.local(self.url, key=keys["AWS_ACCESS_KEY_ID"], secret=keys["AWS_SECRET_ACCESS_KEY"], region=account.region)

    def variables(self, account: Account) -> dict[str, str]:
        """What makes any AWS tool call this cloud as the account's administrator."""
        if account.id not in self.accounts:
            known = ", ".join(self.accounts)
            raise Problem(f"account {account.id}", f"this localcloud has {known}", "config.py has changed: ./road down, then ./road up")
        return {
            "AWS_ENDPOINT_URL": self.url,
            **self.accounts[account.id],
            "AWS_REGION": account.region,
            "AWS_DEFAULT_REGION": account.region,
        }

    def environment(self, account: Account) -> dict[str, str]:
        """A whole environment for a program that works on this cloud: nothing of the person's own AWS settings is left."""
        return {**_without_settings(), **self.variables(account)}


def find() -> LocalCloud | None:
    """The running localcloud of this clone."""
    described = CLOUD / "cloud.json"
    if not described.is_file():
        return None
    cloud = LocalCloud(**json.loads(described.read_text()))
    return cloud if lives(cloud.pid) else None


@contextmanager
def alone() -> Iterator[None]:
    """For who starts localcloud or deploys to it: only one may at a time. Raises Problem for the others, which names who is at work."""
    CLOUD.parent.mkdir(parents=True, exist_ok=True)
    with CLOUD.with_name(f"{CLOUD.name}.lock").open("a+") as turn:
        try:
            fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            turn.seek(0)
            why = f"another ./road up or ./road demo is at work here (process {turn.read() or 'unknown'})"
            raise Problem("localcloud", why, "wait until it has ended, or end it, then ./road down") from error
        turn.truncate(0)
        turn.write(str(os.getpid()))
        turn.flush()
        yield


def start(
    *, port: int = 0, speed: float = DEFAULT_SPEED, containers: bool = False, exit_with_parent: bool = False
) -> tuple[LocalCloud, subprocess.Popen[str]]:
    """Start localcloud and wait until it is ready. With `exit_with_parent` it ends when this process does.

    Raises:
        Problem: one runs already, or it could not start (the port is taken).
    """
    if running := find():
        raise Problem("localcloud", f"one runs already at {running.url} (process {running.pid})", "./road down")
    arguments = ["--root", str(CLOUD), "--port", str(port), "--speed", str(speed), "--region", CONFIG.toolchain.region]
    arguments += [word for account in CONFIG.accounts for word in _existing_network(account)]
    arguments += ["--accounts", ",".join(account.id for account in CONFIG.accounts), *(["--containers"] if containers else [])]
    arguments += ["--exit-with-parent"] if exit_with_parent else []
    with tempfile.TemporaryFile("w+") as complaints:
        process = subprocess.Popen(
            [sys.executable, "-m", "localcloud", *arguments],
            cwd=HERE,
            env={**_without_settings(), "ROAD_ENV": str(ENVIRONMENT)},
            stdin=subprocess.PIPE if exit_with_parent else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            start_new_session=True,
        )
        assert process.stdout is not None
        ready = process.stdout.readline()
        cloud = find()
        if not ready.startswith("ready") or cloud is None:
            process.kill()
            process.wait()
            raise _not_started(complaints, port)
    return cloud, process


def end() -> LocalCloud | None:
    """End the running localcloud with everything it started; its logs stay. Returns what was running."""
    running = find()
    if running:
        os.kill(running.pid, signal.SIGTERM)
        _wait(running.pid)
    return running


def stop() -> str:
    """End localcloud and remove its folder; says in words what was done."""
    running = end()
    removed = _remove()
    if running:
        return f"stopped localcloud at {running.url}" + (f" and removed {relative(CLOUD)}" if removed else "")
    return "nothing was running" + (f"; removed {relative(CLOUD)}" if removed else "")


def _without_settings() -> dict[str, str]:
    """The person's environment without their AWS's settings, and without a proxy for this machine."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return kept | sessions.no_proxy(kept)


def _existing_network(account: Account) -> list[str]:
    """Has localcloud have the network that the firm made in an account, under the ids that config.py knows."""
    network = account.network
    if not isinstance(network, ExistingNetwork):
        return []
    return ["--network", "/".join((account.id, network.vpc_id, ",".join(network.subnet_ids), ",".join(network.security_group_ids)))]


def _not_started(complaints: IO[str], port: int) -> Problem:
    complaints.seek(0)
    lines = [line.strip() for line in complaints if line.strip()]
    if any(map(disk.said, lines)) or (not lines and disk.full()):  # what it would have said may not have found room either
        return full_disk()
    why = lines[-1].removeprefix("localcloud: ") if lines else f"it ended; its log is {relative(CLOUD)}/localcloud.log"
    return Problem("localcloud did not start", why, "leave --port out to get a free one" if port else "try again")


def _remove() -> bool:
    """Remove localcloud's folder. False when there is none, or another command has just taken it away."""
    mine = CLOUD.with_name(f"{CLOUD.name}.{os.getpid()}")
    try:
        CLOUD.rename(mine)
    except FileNotFoundError:
        return False
    shutil.rmtree(mine)
    return True


def _wait(pid: int) -> None:
    """Until the process is gone. It is not our child, and nothing portable tells of a stranger's end: so it is asked for."""
    give_up = time.monotonic() + PATIENCE
    while lives(pid):
        if time.monotonic() > give_up:
            os.kill(pid, signal.SIGKILL)
            raise Problem("localcloud", f"process {pid} did not end in {PATIENCE} s and was killed", "run ./road down once more")
        time.sleep(0.05)


def lives(pid: int) -> bool:
    """Whether `pid` is a localcloud: numbers are used again, and a stranger must not be stopped."""
    asked = subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True)
    return "-m localcloud" in asked.stdout
