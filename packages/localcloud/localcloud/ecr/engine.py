"""Docker itself, where localcloud is told to use it: it builds and runs the images, which lie in a registry of this cloud.

The registry is the Distribution project's (`docker-registry` in Debian, `registry` elsewhere): a push's manifest, and so its digest, are
what ECR would have.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from localcloud.core.cloud import machine_environment
from localcloud.core.processes import Process, spawn

REGISTRIES = ("docker-registry", "registry")
LISTENS = re.compile(r"listening on (127\.0\.0\.1:\d+)")
CONFIGURATION = """version: 0.1
log: {{level: info, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {storage}}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:0"}}
"""
STARTS_WITHIN = 30  # seconds


class NoEngine(Exception):
    """What is missing, in one line with what to do."""


@dataclass(frozen=True)
class Engine:
    """Docker's program, the registry's `host:port`, and the process that is the registry."""

    docker: str
    registry: str
    process: Process

    def reference(self, *, account: str, region: str, repository: str) -> str:
        """How an ECR repository's images are called in the registry, without tag or digest."""
        return f"{self.registry}/{account}/{region}/{repository}"

    def variables(self) -> dict[str, str]:
        """What tells a build's `docker` to use this engine."""
        return {"LOCALCLOUD_DOCKER": self.docker, "LOCALCLOUD_REGISTRY": self.registry}

    def stop(self) -> None:
        """End the registry, and have Docker forget what it pulled from it; what was built stays, for the next build to begin with."""
        self.process.stop()
        names = subprocess.run(
            [self.docker, "images", "--format", "{{.Repository}}:{{.Tag}}"], capture_output=True, text=True, check=False
        ).stdout.split()
        if mine := [name for name in names if name.startswith(f"{self.registry}/")]:
            subprocess.run([self.docker, "rmi", *mine], capture_output=True, check=False)


def start(root: Path) -> Engine:
    """Find Docker and start the registry, whose files are under `root`.

    Raises:
        NoEngine: Docker does not answer, or there is no registry's program.
    """
    docker = shutil.which("docker")
    if docker is None:
        raise NoEngine("there is no docker on PATH: install Docker, or leave --containers out")
    answer = subprocess.run([docker, "version", "--format", "{{.Server.Version}}"], capture_output=True, text=True, check=False)
    if answer.returncode:
        why = answer.stderr.strip().splitlines()[-1:] or ["no answer"]
        raise NoEngine(f"Docker does not answer ({why[0]}): start it, set DOCKER_HOST, or leave --containers out")
    program = next((path for name in REGISTRIES if (path := shutil.which(name))), None)
    if program is None:
        raise NoEngine(f"there is no {' or '.join(REGISTRIES)} on PATH: install one (apt-get install docker-registry)")
    process, address = _registry(program, root)
    return Engine(docker=docker, registry=address, process=process)


def _registry(program: str, root: Path) -> tuple[Process, str]:
    """Start it on a port that the system chooses; its log says which."""
    folder = root / "registry"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "config.yml"
    file.write_text(CONFIGURATION.format(storage=folder / "storage"))
    listening, lines = threading.Event(), list[str]()

    def read(line: str) -> None:
        lines.append(line)
        if LISTENS.search(line):
            listening.set()

    environment = {**machine_environment(), "PATH": os.environ["PATH"], "OTEL_TRACES_EXPORTER": "none"}
    process = spawn([program, "serve", str(file)], env=environment, cwd=folder, on_line=read)
    if not listening.wait(STARTS_WITHIN):
        process.stop(1)
        raise NoEngine(f"{program} did not start: {' | '.join(lines[-3:]) or 'it printed nothing'}")
    address = next(match[1] for line in lines if (match := LISTENS.search(line)))
    return process, address
