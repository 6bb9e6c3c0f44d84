"""Builds: one shell for all phases of a project's buildspec, as the project's role."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localcloud.codebuild import buildspec, compute, projects, queue, secrets
from localcloud.codebuild.usage import Usage
from localcloud.core.cloud import cloud, machine_environment
from localcloud.core.errors import error
from localcloud.core.processes import Process, spawn
from localcloud.ecr.docker import BIN
from localcloud.iam import policies

PHASES = ("INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD")
LOOKED_EVERY = 0.25  # seconds, at what a build holds, and at its turn
CACHES = {  # what tools have downloaded or unpacked on this machine: a build's home is empty, and it would all be done again
    "UV_CACHE_DIR": ".cache/uv",
    "JSII_RUNTIME_PACKAGE_CACHE_ROOT": ".cache/aws/jsii/package-cache",
}
_builds: dict[str, Build] = {}


@dataclass
class Build:
    """One build. `sources` maps artifact names to folders, the primary one first; `outputs` are artifact names."""

    account: str
    region: str
    project: dict[str, Any]
    variables: dict[str, str]
    sources: dict[str, Path]
    machine: compute.Machine
    outputs: tuple[str, ...] = ()
    initiator: str = ""
    status: str = "IN_PROGRESS"
    phase: str = "SUBMITTED"
    failure: str = ""
    failed_in: str = "BUILD"  # the phase
    exported: dict[str, str] = field(default_factory=dict)
    artifacts: dict[str, Path] = field(default_factory=dict)
    started: float = field(default_factory=time.time)
    ended: float | None = None
    process: Process | None = None
    last_line: str = ""
    hidden: list[str] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))

    def __post_init__(self) -> None:
        self.folder = cloud().folder("builds", self.project["name"], self.uuid)
        self.usage = Usage(self.machine, [self.folder, *self.sources.values()])

    @property
    def id(self) -> str:
        return f"{self.project['name']}:{self.uuid}"

    @property
    def group(self) -> str:
        configured = self.project.get("logsConfig", {}).get("cloudWatchLogs", {})
        return str(configured.get("groupName", f"/aws/codebuild/{self.project['name']}"))

    def start(self) -> Build:
        """Begin, or wait for its turn. Raises an AWS error where too many wait already."""
        self.turn = queue.take(self.account, self.region, self.project)
        self.phase = "QUEUED"
        _builds[self.id] = self
        threading.Thread(target=self._run, daemon=True).start()
        return self

    def stop(self) -> None:
        self.status = "STOPPED"
        if self.process:
            self.process.stop()

    def _run(self) -> None:
        try:
            if self._may_run():
                self._build()
        except Exception as problem:  # reported as the build's failure, as CodeBuild does with its own
            self.status, self.failure = "FAILED", f"{type(problem).__name__}: {problem}"
            self._line(self.failure)
        self.turn.leave()
        self.ended, self.phase = time.time(), "COMPLETED"
        self.done.set()

    def _may_run(self) -> bool:
        """Whether its turn came before it was stopped, or had waited for too long."""
        minutes = self.project.get("queuedTimeoutInMinutes", queue.LONGEST)
        end = time.monotonic() + 60 * minutes
        while not self.turn.came.wait(LOOKED_EVERY):
            if self.status == "STOPPED":
                return False
            if time.monotonic() >= end:
                self.status, self.failed_in = "TIMED_OUT", "QUEUED"
                self.failure = f"the build waited in the queue for longer than {minutes} minutes"
                return False
        return self.status != "STOPPED"

    def _line(self, line: str) -> None:
        for value in self.hidden:
            line = line.replace(value, "***")
        self.last_line = line if line.strip() and not line.startswith("[Container]") else self.last_line
        cloud().log(account=self.account, region=self.region, group=self.group, stream=self.uuid, line=line)

    def _build(self) -> None:
        spec, folder = buildspec.read(self.project), self.folder
        script = folder / "build.sh"
        script.write_text(buildspec.script(spec, folder))
        source = next(iter(self.sources.values()))
        self.phase = "BUILD"
        self.process = spawn(["bash", str(script)], env=self._environment(spec, folder), cwd=source, on_line=self._line)
        code = self._code(self.process)
        self._line(f"[Container] {self.usage}")
        if code is None or self.status == "STOPPED":
            return
        exported = folder / "exported"
        if exported.exists():
            self.exported = dict(pair.split("=", 1) for pair in exported.read_text().split("\0") if pair)
        if code:
            phase = (folder / "failed").read_text().strip() if (folder / "failed").exists() else "a phase"
            self.failed_in = phase if phase in PHASES else self.failed_in
            self.status, self.failure = "FAILED", f"{phase} failed with exit code {code}: {self.usage.over or self.last_line}"
            return
        self.artifacts = {name: buildspec.collect(spec.get("artifacts", {}), name, self.outputs, source, folder) for name in self.outputs}
        self.status = "SUCCEEDED"

    def _code(self, process: Process) -> int | None:
        """The exit code of a build that may run for so long, and hold so much; None of one that ran for too long."""
        minutes = self.project.get("timeoutInMinutes", 60)
        end = time.monotonic() + 60 * minutes
        while time.monotonic() < end:
            try:
                return process.wait(LOOKED_EVERY)
            except subprocess.TimeoutExpired:
                self.usage.look(process.pid)
            if self.usage.over:
                return process.kill()
        process.stop()
        self.status, self.failure = "TIMED_OUT", f"the build took longer than {minutes} minutes"
        return None

    def _environment(self, spec: Mapping[str, Any], folder: Path) -> dict[str, str]:
        machine = machine_environment()
        declared = {v["name"]: self._value(v) for v in self.project.get("environment", {}).get("environmentVariables", [])}
        first, *others = self.sources.items()
        return {
            **machine,
            "PATH": f"{BIN}{os.pathsep}{machine['PATH']}",
            "HOME": str(cloud().folder("builds", "home")),
            **{name: os.environ.get(name, str(Path.home() / folder)) for name, folder in CACHES.items()},
            "LOCALCLOUD_PYTHON": sys.executable,
            "LOCALCLOUD_IMAGES": str(cloud().folder("images")),
            **(engine.variables() if (engine := cloud().engine) else {}),
            "CI": "true",
            "POLL_SECONDS": "0.3",  # for programs that ask AWS again and again: nothing here throttles
            "MINUTE_SECONDS": str(60 / cloud().speed),
            "CODEBUILD_BUILD_ID": self.id,
            "CODEBUILD_BUILD_ARN": f"arn:aws:codebuild:{self.region}:{self.account}:build/{self.id}",
            "CODEBUILD_INITIATOR": self.initiator,
            "CODEBUILD_SRC_DIR": str(first[1]),
            **{f"CODEBUILD_SRC_DIR_{name}": str(path) for name, path in others},
            "LOCALCLOUD_BUILD": str(folder),
            **cloud().role_env(self.project["serviceRole"], f"AWSCodeBuild-{self.uuid}", self.region),
            **{k: str(v) for k, v in spec.get("env", {}).get("variables", {}).items()},
            **declared,
            **self.variables,
        }

    def _value(self, variable: Mapping[str, str]) -> str:
        """A variable's value, read as the project's role where it lies elsewhere. What comes from a secret is not shown in the log."""
        kind, value = variable.get("type", "PLAINTEXT"), variable["value"]
        if kind == "PLAINTEXT":
            return value
        value = secrets.read(kind, value, role_arn=self.project["serviceRole"], region=self.region)
        self.hidden.append(value)
        return value

    def describe(self) -> dict[str, Any]:
        """The build as BatchGetBuilds answers it."""
        return {
            "id": self.id,
            "arn": f"arn:aws:codebuild:{self.region}:{self.account}:build/{self.id}",
            "projectName": self.project["name"],
            "buildStatus": self.status,
            "buildComplete": self.done.is_set(),
            "currentPhase": self.phase,
            "startTime": self.started,
            "endTime": self.ended,
            "initiator": self.initiator,
            "serviceRole": self.project["serviceRole"],
            "source": self.project["source"],
            "environment": self.project["environment"],
            **({"vpcConfig": self.project["vpcConfig"]} if "vpcConfig" in self.project else {}),
            "exportedEnvironmentVariables": [{"name": k, "value": v} for k, v in self.exported.items()],
            "logs": {"groupName": self.group, "streamName": self.uuid},
            "phases": [self._failed_phase()] if self.failure else [],
        }

    def _failed_phase(self) -> dict[str, Any]:
        return {"phaseType": self.failed_in, "phaseStatus": self.status, "contexts": [{"message": self.failure}]}


def start(
    *,
    account: str,
    region: str,
    name: str,
    variables: dict[str, str],
    sources: dict[str, Path],
    outputs: tuple[str, ...],
    initiator: str,
) -> Build:
    """Start a build of project `name`, as CodePipeline does with artifacts it has fetched."""
    project = projects.find(account, region, name)
    if not policies.role_trusts(project["serviceRole"], caller="codebuild.amazonaws.com"):
        raise error("AccessDeniedException", f"role {project['serviceRole']} does not trust codebuild.amazonaws.com")
    return Build(account, region, project, variables, sources, compute.machine(project), outputs, initiator).start()


def find(build_id: str) -> Build | None:
    """The build of that id."""
    return _builds.get(build_id)


def newest_first(project: str) -> list[Build]:
    """The builds of a project."""
    return [build for build in reversed(_builds.values()) if build.project["name"] == project]


def shutdown() -> None:
    """Stop every running build."""
    for build in _builds.values():
        if not build.done.is_set():
            build.stop()
