"""Jobs that run: inputs and outputs as the job's role, the image's program in an /opt/ml of its own.

A job on several instances is that program once an instance, each told who it is; when one fails, the others are stopped.
"""

from __future__ import annotations

import functools
import json
import subprocess
import threading
from abc import ABC, abstractmethod
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from botocore.exceptions import BotoCoreError, ClientError
from moto.core.exceptions import JsonRESTError
from moto.core.responses import EmptyResult
from moto.core.utils import unix_time, utcnow

from localcloud.core.cloud import cloud
from localcloud.core.errors import error, invalid
from localcloud.core.processes import Process
from localcloud.ecr import images
from localcloud.ecr.containers import ContainerImage
from localcloud.sagemaker import quotas, state_changes, vpc
from localcloud.sagemaker.records import Request, backend, keep, reason
from localcloud.sagemaker.roles import assumable, credentials
from localcloud.sagemaker.s3_files import download
from localcloud.sagemaker.volumes import encrypted

GRACE = 120.0  # SageMaker's seconds between SIGTERM and SIGKILL
DAY = 86_400
GROUP = "homogeneousCluster"  # of the instances of a job that names no groups
_jobs: dict[tuple[str, str, str, str], Job] = {}


def shutdown() -> None:
    """Stop every job."""
    running = [job for job in _jobs.values() if not job.ended.is_set()]
    for job in running:
        job.stop(grace=1)
    for job in running:
        job.ended.wait(10)
    _jobs.clear()


def find(account: str, region: str, kind: str, name: str) -> Job | None:
    """The job of that name; `kind` is training, processing or transform."""
    return _jobs.get((account, region, kind, name))


def wait(account: str, region: str, kind: str, name: str) -> None:
    """Return once the job has ended."""
    _jobs[account, region, kind, name].ended.wait()


def stop(self: Any, kind: str) -> EmptyResult:
    """Answer StopTrainingJob, StopProcessingJob and StopTransformJob."""
    name = self._get_param(f"{kind.title()}JobName")
    job = find(self.current_account, self.region, kind, name)
    if job is None:
        raise error("ResourceNotFound", f"Could not find {kind} job {name}.")
    if job.ended.is_set():
        raise invalid(f"The request was rejected because the {kind} job is in status {getattr(job.record, f'{kind}_job_status')}.")
    job.stop()
    return EmptyResult()


def machines(account: str, region: str, usage: str) -> Counter[str]:
    """How many instances jobs have in an account and region, by type: those that count towards the quotas of a `usage`."""
    every = [job for (owner, place, _, _), job in list(_jobs.items()) if (owner, place) == (account, region) and job.holds]
    return sum((_machines(job.plan) for job in every if job.usage == usage), Counter[str]())


def _machines(plan: Plan) -> Counter[str]:
    return Counter({plan.cluster["InstanceType"]: plan.cluster.get("InstanceCount", 1)})


class Failed(Exception):
    """Why a job failed, as its FailureReason says it."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A request that was read: what the container finds, runs and leaves. Paths are relative to /opt/ml.

    `inputs` are (name, S3 URI, folder, whether each host gets its share of the objects only); `files` are written as JSON, `resources`
    is where each host's resourceconfig.json is; `message` is where the container tells why it failed. `role` and `vpc` are what it runs
    as, and where.
    """

    role: str | None
    vpc: dict[str, Any] | None

    image: str
    entrypoint: list[str] | None
    arguments: list[str]
    inputs: list[tuple[str, str, str, bool]]
    files: dict[str, Any]
    resources: str
    cluster: dict[str, Any]
    folders: list[str]
    message: str
    isolated: bool


class Job(ABC):
    """One running job. `record` is moto's, and what describe calls answer from."""

    kind: ClassVar[str]
    group: ClassVar[str]

    def __init__(self, account: str, region: str, request: Request, plan: Plan) -> None:
        self.account, self.region, self.request, self.plan = account, region, request, plan
        self.name: str = request[f"{self.kind.title()}JobName"]
        if (account, region, self.kind, self.name) in _jobs:
            raise error("ResourceInUse", f"Job name must be unique within an AWS account and region: {self.kind} job {self.name} exists")
        self.role = assumable(plan.role)
        vpc.attach(account, region, self.role, plan.vpc)
        quotas.require(self.usage, machines(account, region, self.usage), _machines(plan))
        self.ended, self._stopping, self._lock = threading.Event(), threading.Event(), threading.Lock()
        self._processes: dict[str, Process] = {}
        self._code, self._failed, self._exceeded = 0, "algo-1", ""
        self._last_lines: dict[str, str] = {}
        self.folder = cloud().folder("jobs", account, region, self.kind, self.name)
        names = [f"algo-{number}" for number in range(1, plan.cluster.get("InstanceCount", 1) + 1)]
        self.hosts = {name: cloud().folder("jobs", account, region, self.kind, self.name, name, "ml") for name in names}
        self._began = int(unix_time())
        self.record = keep(getattr(backend(account, region), f"create_{self.kind}_job"), request)
        self._say("InProgress")
        self.begin()
        self._tell()
        _jobs[account, region, self.kind, self.name] = self
        threading.Thread(target=self._run, daemon=True).start()

    def begin(self) -> None:
        """Bring the record to the state of a job that has just been created."""
        for moment in ("start", "end"):
            setattr(self.record, f"{self.kind}_{moment}_time", None)

    def phase(self, name: str) -> None:
        """Note that the job has come to this phase."""

    def started(self) -> None:
        """Note that the program runs on every host."""

    def read(self, line: str) -> None:
        """Look at one line of the log."""

    @abstractmethod
    def outputs(self, s3: Any, *, complete: bool) -> None:
        """Upload what the container made; after a stop or a failure (not `complete`), what there is."""

    def finish(self) -> None:
        """Complete the record once the job has ended."""

    @property
    def usage(self) -> str:
        """Whose quotas its instances count towards."""
        return f"{self.kind} job usage"

    @property
    def holds(self) -> bool:
        """Whether it still has its instances."""
        return not self.ended.is_set()

    @property
    def message(self) -> str:
        """What the container wrote about how it ended, if anything: that of the host that failed first, before any other's."""
        hosts = sorted(self.hosts, key=lambda host: host != self._failed)
        paths = [self.hosts[host] / self.plan.message for host in hosts]
        return next((said for path in paths if path.exists() and (said := path.read_text(errors="replace").strip())), "")

    @property
    def seconds(self) -> float:
        """How long the program may run from now on."""
        return float(self.request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", DAY))

    def stop(self, grace: float | None = None) -> None:
        """Ask the program to end, and make it after a while."""
        with self._lock:
            if self.ended.is_set():
                return
            self._stopping.set()
            self._say("Stopping")
            self._tell()
            self._end(grace or self._grace())

    def _end(self, grace: float) -> None:
        """Ask what runs to end, without waiting for it."""
        for process in self._processes.values():
            if process.running:
                threading.Thread(target=process.stop, args=(grace,), daemon=True).start()

    def _grace(self) -> float:
        return max(GRACE / cloud().speed, 2)

    def _say(self, status: str) -> None:
        setattr(self.record, f"{self.kind}_job_status", status)
        self.record.last_modified_time = utcnow()

    def _tell(self) -> None:
        state_changes.job(self.kind, self.record, self.request)

    def _run(self) -> None:
        try:
            with encrypted(self.plan.cluster.get("VolumeKmsKeyId"), role=self.role, region=self.region):
                status, why = self._work(), None
        except Failed as problem:
            status, why = "Failed", str(problem)
        except (ClientError, BotoCoreError, JsonRESTError) as problem:
            status, why = "Failed", f"ClientError: {reason(problem)}"
        except Exception as problem:  # reported as the job's failure, as SageMaker does with its own
            status, why = "Failed", f"InternalServerError: {reason(problem)}"
        if why:
            self._line("algo-1", why)
            self.record.failure_reason = why[:1024]
        setattr(self.record, f"{self.kind}_end_time", utcnow())
        self.phase(self._exceeded or status)
        self.finish()
        with self._lock:
            self._say(status)
            self.ended.set()
            self._tell()

    def _work(self) -> str:
        self.phase("Downloading")
        image = images.find(self.plan.image, role_arn=self.role)
        s3 = cloud().client("s3", role_arn=self.role, region=self.region)
        code = self.run(image, s3)
        if self._stopping.is_set() or self._exceeded:
            self._salvage(s3)
            return "Stopped"
        if code:
            said = self.message or self._last_lines.get(self._failed, "")
            self._salvage(s3)
            raise Failed(f"AlgorithmError: {said}, exit code: {code}")
        self.phase("Uploading")
        self.outputs(s3, complete=True)
        return "Completed"

    def run(self, image: images.Image | ContainerImage, s3: Any) -> int:
        """Run the program on every host, each with a file system of its own. Returns the exit code of the first that failed, or 0."""
        for place, (host, ml) in enumerate(self.hosts.items()):
            self._prepare(s3, place, host, ml)
        self.phase("Training")
        if getattr(self.record, f"{self.kind}_start_time") is None:
            setattr(self.record, f"{self.kind}_start_time", utcnow())
        return self._execute(image)

    def _salvage(self, s3: Any) -> None:
        """Upload what there is of a job that did not complete. That it cannot be packed is not why the job ended."""
        try:
            self.outputs(s3, complete=False)
        except Failed as problem:
            self._line("algo-1", str(problem))

    def _prepare(self, s3: Any, place: int, host: str, ml: Path) -> None:
        """What one instance finds in /opt/ml."""
        for name, source, folder, shared in self.plan.inputs:
            part = (place, len(self.hosts)) if shared else (0, 1)
            if not download(s3, source, ml / folder, part):
                raise Failed(f"ClientError: Data download failed: input {name}: no S3 objects found under S3 URL {source}")
        for name in self.plan.folders:
            (ml / name).mkdir(parents=True, exist_ok=True)
        for name, value in {**self.plan.files, self.plan.resources: self._who(host)}.items():
            (ml / name).parent.mkdir(parents=True, exist_ok=True)
            (ml / name).write_text(json.dumps(value, indent=2, default=str))

    def _who(self, host: str) -> dict[str, Any]:
        """What `resourceconfig.json` says to a host; the names of all are in the order of text, as on SageMaker."""
        kind, hosts = self.plan.cluster["InstanceType"], sorted(self.hosts)
        return {
            "current_host": host,
            "current_instance_type": kind,
            "current_group_name": GROUP,
            "hosts": hosts,
            "instance_groups": [{"instance_group_name": GROUP, "instance_type": kind, "hosts": hosts}],
            "network_interface_name": "lo",
        }

    def _execute(self, image: images.Image | ContainerImage) -> int:
        own = {f"{self.kind.upper()}_JOB_NAME": self.name, f"{self.kind.upper()}_JOB_ARN": self.record.arn}
        aws = credentials(self.role, self.region, isolated=self.plan.isolated)
        with self._lock:
            if self._stopping.is_set():
                return 0
            self._code, self._processes = 0, {}
            for host, ml in self.hosts.items():
                self._processes[host] = image.start(
                    self.plan.arguments,
                    *(aws, own, self.request.get("Environment", {})),
                    entrypoint=self.plan.entrypoint,
                    ml=ml,
                    isolated=self.plan.isolated,
                    hosts=list(self.hosts),
                    on_line=functools.partial(self._line, host),
                )
            self.started()
        with ThreadPoolExecutor(len(self._processes)) as pool:
            list(pool.map(self._await, self._processes))
        return self._code

    def _await(self, host: str) -> None:
        """Wait for one host. The first that fails ends the others."""
        process = self._processes[host]
        try:
            code = process.wait(self.seconds)
        except subprocess.TimeoutExpired:
            self._exceeded = "MaxRuntimeExceeded"
            code = process.stop(self._grace())
        with self._lock:
            if code and not self._code:
                self._code, self._failed = code, host
                self._end(self._grace())

    def _line(self, host: str, line: str) -> None:
        if line.strip():
            self._last_lines[host] = line
        self.read(line)
        cloud().log(account=self.account, region=self.region, group=self.group, stream=f"{self.name}/{host}-{self._began}", line=line)


def under_ml(path: str) -> str:
    """A path of the container, relative to /opt/ml. Raises an AWS error for one that lies elsewhere."""
    if not path.startswith(f"{images.ML}/") or ".." in Path(path).parts:
        raise invalid(f"localcloud gives a job folders under {images.ML} only, not {path}")
    return path.removeprefix(f"{images.ML}/")


def require_plain_files(name: str, source: dict[str, Any] | None, compression: str | None, mode: str | None) -> None:
    """Raise an AWS error for an input that is not the plain files of an S3 prefix."""
    if source is None or source.get("S3DataType", "S3Prefix") != "S3Prefix" or compression not in (None, "None") or mode == "Pipe":
        raise invalid(f"localcloud gives input {name} to the job as the plain files of an S3 prefix only")
