"""CodeBuild that builds: runs a project's buildspec in a shell, as the project's role, with its log in CloudWatch Logs."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import threading
import time
import uuid
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from moto.codebuild.responses import CodeBuildResponse
from moto.iam.models import iam_backends

from localcloud import iam
from localcloud.cloud import PARTITION, cloud, machine_environment
from localcloud.errors import error, invalid, missing
from localcloud.processes import Process, spawn

BIN = Path(__file__).parent / "bin"
PHASES = ("install", "pre_build", "build")
KNOWN = {"version", "env", "phases", "artifacts", "cache"}
_projects: dict[tuple[str, str, str], dict[str, Any]] = {}
_builds: dict[str, Build] = {}


def install() -> None:
    """Answer CodeBuild's calls from builds that run."""
    for operation in (create_project, batch_get_projects, start_build, batch_get_builds, stop_build, list_builds_for_project):
        setattr(CodeBuildResponse, operation.__name__, operation)


def put_project(account: str, region: str, project: dict[str, Any]) -> str:
    """Create or replace a project given as CreateProject's request; returns its ARN."""
    buildspec(project)
    _projects[account, region, project["name"]] = project
    return f"arn:aws:codebuild:{region}:{account}:project/{project['name']}"


def delete_project(account: str, region: str, name: str) -> None:
    """Forget a project."""
    _projects.pop((account, region, name), None)


def buildspec(project: Mapping[str, Any]) -> dict[str, Any]:
    """The project's parsed buildspec. Raises an AWS error when it is not one this runner can honour."""
    spec = yaml.safe_load(project["source"].get("buildspec", ""))
    if not isinstance(spec, dict) or "phases" not in spec:
        raise invalid(f"project {project['name']}: its buildspec must be written inline and have phases")
    if unknown := set(spec) - KNOWN | set(spec["phases"]) - {*PHASES, "post_build"}:
        raise invalid(f"project {project['name']}: localcloud does not know {', '.join(sorted(unknown))} in a buildspec")
    return spec


@dataclass
class Build:
    """One build. `sources` maps artifact names to folders, the primary one first; `outputs` are artifact names."""

    account: str
    region: str
    project: dict[str, Any]
    variables: dict[str, str]
    sources: dict[str, Path]
    outputs: tuple[str, ...] = ()
    initiator: str = ""
    status: str = "IN_PROGRESS"
    phase: str = "SUBMITTED"
    failure: str = ""
    exported: dict[str, str] = field(default_factory=dict)
    artifacts: dict[str, Path] = field(default_factory=dict)
    started: float = field(default_factory=time.time)
    ended: float | None = None
    process: Process | None = None
    last_line: str = ""
    done: threading.Event = field(default_factory=threading.Event)
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def id(self) -> str:
        return f"{self.project['name']}:{self.uuid}"

    @property
    def group(self) -> str:
        configured = self.project.get("logsConfig", {}).get("cloudWatchLogs", {})
        return str(configured.get("groupName", f"/aws/codebuild/{self.project['name']}"))

    def start(self) -> Build:
        _builds[self.id] = self
        threading.Thread(target=self._run, daemon=True).start()
        return self

    def stop(self) -> None:
        self.status = "STOPPED"
        if self.process:
            self.process.stop()

    def _run(self) -> None:
        try:
            self._build()
        except Exception as problem:  # reported as the build's failure, as CodeBuild does with its own
            self.status, self.failure = "FAILED", f"{type(problem).__name__}: {problem}"
            self._line(self.failure)
        self.ended, self.phase = time.time(), "COMPLETED"
        self.done.set()

    def _line(self, line: str) -> None:
        self.last_line = line if line.strip() and not line.startswith("[Container]") else self.last_line
        cloud().log(account=self.account, region=self.region, group=self.group, stream=self.uuid, line=line)

    def _build(self) -> None:
        folder = cloud().folder("builds", self.project["name"], self.uuid)
        spec = buildspec(self.project)
        script = folder / "build.sh"
        script.write_text(_script(spec, folder))
        source = next(iter(self.sources.values()))
        self.phase = "BUILD"
        self.process = spawn(["bash", str(script)], env=self._environment(spec, folder), cwd=source, on_line=self._line)
        try:
            code = self.process.wait(self.project.get("timeoutInMinutes", 60) * 60)
        except subprocess.TimeoutExpired:
            self.process.stop()
            self.status, self.failure = "TIMED_OUT", f"the build took longer than {self.project.get('timeoutInMinutes', 60)} minutes"
            return
        if self.status == "STOPPED":
            return
        exported = folder / "exported"
        if exported.exists():
            self.exported = dict(pair.split("=", 1) for pair in exported.read_text().split("\0") if pair)
        if code:
            phase = (folder / "failed").read_text().strip() if (folder / "failed").exists() else "a phase"
            self.status, self.failure = "FAILED", f"{phase} failed with exit code {code}: {self.last_line}"
            return
        self.artifacts = {name: _collect(spec.get("artifacts", {}), name, self.outputs, source, folder) for name in self.outputs}
        self.status = "SUCCEEDED"

    def _environment(self, spec: Mapping[str, Any], folder: Path) -> dict[str, str]:
        machine = machine_environment()
        declared = {v["name"]: v["value"] for v in self.project.get("environment", {}).get("environmentVariables", [])}
        first, *others = self.sources.items()
        return {
            **machine,
            "PATH": f"{BIN}{os.pathsep}{machine['PATH']}",
            "HOME": str(cloud().folder("builds", "home")),
            "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv")),
            "LOCALCLOUD_PYTHON": sys.executable,
            "LOCALCLOUD_IMAGES": str(cloud().folder("images")),
            "CI": "true",
            "POLL_SECONDS": "0.3",  # nothing here throttles
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
            "exportedEnvironmentVariables": [{"name": k, "value": v} for k, v in self.exported.items()],
            "logs": {"groupName": self.group, "streamName": self.uuid},
            "phases": [{"phaseType": "BUILD", "phaseStatus": self.status, "contexts": [{"message": self.failure}]}] if self.failure else [],
        }


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
    project = _project(account, region, name)
    role = iam_backends[account][PARTITION].get_role_by_arn(project["serviceRole"])
    if not iam.trusts(role.assume_role_policy_document, caller="codebuild.amazonaws.com"):
        raise error("AccessDeniedException", f"role {project['serviceRole']} does not trust codebuild.amazonaws.com")
    return Build(account, region, project, variables, sources, outputs, initiator).start()


def shutdown() -> None:
    """Stop every running build."""
    for build in _builds.values():
        if not build.done.is_set():
            build.stop()


def _project(account: str, region: str, name: str) -> dict[str, Any]:
    if (account, region, name) not in _projects:
        raise missing(f"Project cannot be found: arn:aws:codebuild:{region}:{account}:project/{name}")
    return _projects[account, region, name]


def _script(spec: Mapping[str, Any], folder: Path) -> str:
    """One bash script for all phases: later commands see what earlier ones exported, as in CodeBuild."""

    def chain(commands: list[str]) -> str:
        return " && ".join(f"__run {shlex.quote(c)}" for c in commands) or "true"

    failed = shlex.quote(str(folder / "failed"))
    lines = ['__run() { printf "[Container] Running command %s\\n" "$1"; eval "$1"; }', "__code=0", "__built="]
    for phase in (*PHASES, "post_build"):
        body = spec["phases"].get(phase)
        if not body:
            continue
        guard = '[ -n "$__built" ]' if phase == "post_build" else '[ "$__code" = 0 ]'
        lines += [f"if {guard}; then", f'echo "[Container] Entering phase {phase.upper()}"']
        lines += ["__built=1"] if phase == "build" else []
        lines += [
            chain(body.get("commands", [])),
            "__now=$?",
            chain(body.get("finally", [])),
            '[ "$__now" = 0 ] || [ "$__code" != 0 ] || ' + f"{{ __code=$__now; echo {phase.upper()} > {failed}; }}",
            "fi",
        ]
    for name in spec.get("env", {}).get("exported-variables", []):
        lines.append(f'[ -z "${{{name}+set}}" ] || printf "%s\\0" "{name}=${name}" >> {shlex.quote(str(folder / "exported"))}')
    return "\n".join([*lines, 'exit "$__code"', ""])


def _collect(artifacts: Mapping[str, Any], name: str, outputs: tuple[str, ...], source: Path, folder: Path) -> Path:
    """Zip the files of one output artifact; with several outputs each is a secondary artifact of that name."""
    chosen = artifacts.get("secondary-artifacts", {}).get(name, {}) if len(outputs) > 1 else artifacts
    base = source / chosen.get("base-directory", ".")
    files = sorted({f for pattern in chosen.get("files", []) for f in _glob(base, pattern)})
    if not files:
        raise invalid(f"output artifact {name}: no file matches {chosen.get('files', [])} in {chosen.get('base-directory', '.')}")
    target = folder / f"{name}.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, file.relative_to(base))
    return target


def _glob(base: Path, pattern: str) -> list[Path]:
    found = base.rglob("*") if pattern == "**/*" else base.glob(pattern)
    return [f for f in found if f.is_file()]


def create_project(self: Any) -> str:
    account, region = _caller_region(self)
    project = json.loads(self.body)
    arn = put_project(account, region, project)
    return json.dumps({"project": {**project, "arn": arn}})


def batch_get_projects(self: Any) -> str:
    names = self._get_param("names")
    found = {n: p for (a, r, n), p in _projects.items() if (a, r) == _caller_region(self) and n in names}
    missed = [n for n in names if n not in found]
    return json.dumps({"projects": list(found.values()), "projectsNotFound": missed})


def _caller_region(self: Any) -> tuple[str, str]:
    return self.current_account, self.region


def start_build(self: Any) -> str:
    account, region = _caller_region(self)
    project = _project(account, region, self._get_param("projectName"))
    if project["source"]["type"] != "NO_SOURCE":
        raise invalid(f"localcloud starts builds of {project['source']['type']} projects from a pipeline only")
    given = {v["name"]: v["value"] for v in self._get_param("environmentVariablesOverride", [])}
    source = cloud().folder("builds", project["name"], f"source-{uuid.uuid4()}")
    build = start(
        account=account, region=region, name=project["name"], variables=given, sources={"": source}, outputs=(), initiator="StartBuild"
    )
    return json.dumps({"build": build.describe()})


def batch_get_builds(self: Any) -> str:
    ids = [i.rpartition("build/")[2] if i.startswith("arn:") else i for i in self._get_param("ids")]
    mine = {i: b for i, b in _builds.items() if (b.account, b.region) == _caller_region(self)}
    return json.dumps({"builds": [mine[i].describe() for i in ids if i in mine], "buildsNotFound": [i for i in ids if i not in mine]})


def stop_build(self: Any) -> str:
    build = _builds.get(self._get_param("id"))
    if build is None:
        raise missing(f"Build {self._get_param('id')} does not exist")
    build.stop()
    return json.dumps({"build": build.describe()})


def list_builds_for_project(self: Any) -> str:
    name = self._get_param("projectName")
    _project(*_caller_region(self), name)
    return json.dumps({"ids": [b.id for b in reversed(_builds.values()) if b.project["name"] == name]})
