"""Images as Docker runs them: the container of a job or an instance, isolated where SageMaker would isolate it."""

from __future__ import annotations

import ctypes
import http.client
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from localcloud.core.cloud import machine_environment
from localcloud.core.processes import GUARD, Process
from localcloud.ecr import host_names
from localcloud.ecr.engine import Engine

KEEPER = Path(__file__).with_name("end_with_client.py")
ML = "/opt/ml"
CLONE_NEWNET = 0x40000000
PEERS = "localcloud: this container is not isolated: it has other hosts to call, which localcloud gives this machine's network"
NOT_ISOLATED = "localcloud: this container is not isolated: that takes root on Linux"


@dataclass(frozen=True)
class ContainerImage:
    """An image in this cloud's registry, by its digest."""

    engine: Engine
    reference: str

    def start(
        self,
        arguments: Sequence[str],
        *variables: Mapping[str, str],
        entrypoint: Sequence[str] | None = None,
        ml: Path,
        isolated: bool,
        hosts: Sequence[str] = (),
        on_line: Callable[[str], None],
    ) -> Container:
        """Run it with `ml` as /opt/ml. An isolated container has no network at all, any other this machine's, and names for `hosts`.

        Several hosts call each other, isolated or not (SageMaker API, CreateTrainingJob, EnableNetworkIsolation): theirs is this machine's.
        """
        name, apart = f"localcloud-{uuid.uuid4().hex[:16]}", isolated and can_isolate() and len(hosts) < 2
        if isolated and not apart:
            on_line(NOT_ISOLATED if len(hosts) < 2 else PEERS)
        first, *rest = entrypoint or [""]
        declared = {key: value for several in variables for key, value in several.items()}
        command = [
            *(self.engine.docker, "run", "--rm", "--pull", "missing", "--name", name, "--network", "none" if apart else "host"),
            *("--volume", f"{ml}:{ML}"),
            *(word for number, host in enumerate(hosts, start=1) for word in ("--add-host", f"{host}:{host_names.address(number)}")),
            *(word for key in declared for word in ("--env", key)),  # their values are in the client's own environment
            *(("--entrypoint", first) if entrypoint else ()),
            *(self.reference, *rest, *arguments),
        ]
        environment = {**machine_environment(), **declared, "PATH": os.environ["PATH"]}
        return Container(self.engine.docker, name, apart, command, environment, on_line)


class Container(Process):
    """A container that runs; its client's end is its own."""

    def __init__(
        self, docker: str, name: str, isolated: bool, command: Sequence[str], env: Mapping[str, str], on_line: Callable[[str], None]
    ) -> None:
        self.docker, self.name, self.isolated, self._first = docker, name, isolated, 0
        super().__init__([sys.executable, "-I", "-S", str(KEEPER), name, *command], env=env, cwd=GUARD.parent, on_line=on_line)

    @property
    def pid(self) -> int:
        """Its first process, as this machine numbers it; the client's while the container does not run yet."""
        return self._running() or super().pid

    def _running(self) -> int:
        """The number of its first process; 0 while it does not run yet."""
        if not self._first:
            asked = [self.docker, "inspect", "--format", "{{.State.Pid}}", self.name]
            self._first = int(subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() or 0)
        return self._first

    def stop(self, grace: float = 5) -> int:
        """As any process is stopped; the container, which its client may leave behind, is gone as well."""
        code = super().stop(grace)
        for command in (["rm", "--force"], ["wait"]):  # where its keeper is removing it already, `rm` does not wait for that
            subprocess.run([self.docker, *command, self.name], capture_output=True, check=False)
        return code

    def connection(self, port: int, timeout: float) -> http.client.HTTPConnection:
        """A connection to a port of it, from inside its network where it has one of its own."""
        return _Inside(self._running(), port, timeout) if self.isolated else super().connection(port, timeout)


class _Inside(http.client.HTTPConnection):
    """A connection that begins in the network of another process."""

    def __init__(self, pid: int, port: int, timeout: float) -> None:
        super().__init__("127.0.0.1", port, timeout=timeout)
        self._pid = pid

    def connect(self) -> None:
        """Raises OSError where the process, its network or the port is not there."""
        if not self._pid:
            raise ConnectionRefusedError("the container does not run yet")
        with ThreadPoolExecutor(1) as apart:  # a network is entered by a thread, and this one ends with it
            self.sock = apart.submit(self._open).result()

    def _open(self) -> socket.socket:
        network = os.open(f"/proc/{self._pid}/ns/net", os.O_RDONLY)
        try:
            if _libc().setns(network, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        finally:
            os.close(network)
        return socket.create_connection((self.host, self.port), self.timeout)


def can_isolate() -> bool:
    """Whether a container without a network can be reached from here: its network is entered, which takes root on Linux."""
    return sys.platform == "linux" and os.geteuid() == 0


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
