"""Training and processing jobs that run: inputs and outputs as the job's role, the image's program in an /opt/ml of its own.

A processing job on several instances is that program once an instance, each told who it is; when one fails, the others are stopped.
"""

from __future__ import annotations

import functools
import json
import re
import subprocess
import tarfile
import threading
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from botocore.exceptions import BotoCoreError, ClientError
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import unix_time, utcnow

from localcloud import images
from localcloud.cloud import cloud
from localcloud.errors import error, invalid
from localcloud.processes import Process, spawn
from localcloud.sagemaker.records import Request, answer, assumable, backend, credentials, download, keep, reason, refuse, upload

GRACE = 120.0  # SageMaker's seconds between SIGTERM and SIGKILL
DAY = 86_400
_jobs: dict[tuple[str, str, str, str], Job] = {}


def install() -> None:
    """Answer SageMaker's job calls from jobs that run."""
    answer((create_training_job, stop_training_job, create_processing_job, stop_processing_job))


def shutdown() -> None:
    """Stop every job."""
    running = [job for job in _jobs.values() if not job.ended.is_set()]
    for job in running:
        job.stop(grace=1)
    for job in running:
        job.ended.wait(10)
    _jobs.clear()


def wait(account: str, region: str, kind: str, name: str) -> None:
    """Return once the job (`kind` is training or processing) has ended."""
    _jobs[account, region, kind, name].ended.wait()


class Failed(Exception):
    """Why a job failed, as its FailureReason says it."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A request that was read: what the container finds, runs and leaves. Paths are relative to /opt/ml.

    `inputs` are (name, S3 URI, folder, whether each host gets its share of the objects only); `files` are written as JSON, `resources`
    is where each host's resourceconfig.json is; `message` is where the container tells why it failed.
    """

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
        self.role = assumable(request.get("RoleArn"))
        self.ended, self._stopping, self._lock = threading.Event(), threading.Event(), threading.Lock()
        self._processes: list[Process] = []
        self._code, self._overtime = 0, False
        self.last_line = ""
        self.folder = cloud().folder("jobs", account, region, self.kind, self.name)
        names = [f"algo-{number}" for number in range(1, plan.cluster.get("InstanceCount", 1) + 1)]
        self.hosts = {name: cloud().folder("jobs", account, region, self.kind, self.name, name, "ml") for name in names}
        self.ml = self.hosts["algo-1"]
        self._began = int(unix_time())
        self.record = keep(getattr(backend(account, region), f"create_{self.kind}_job"), request)
        self._say("InProgress")
        self.begin()
        _jobs[account, region, self.kind, self.name] = self
        threading.Thread(target=self._run, daemon=True).start()

    def begin(self) -> None:
        """Bring the record to the state of a job that has just been created."""
        setattr(self.record, f"{self.kind}_end_time", None)

    def phase(self, name: str) -> None:
        """Note that the job has come to this phase."""

    def read(self, line: str) -> None:
        """Look at one line of the log."""

    @abstractmethod
    def outputs(self, s3: Any, *, complete: bool) -> None:
        """Upload what the container made; after a stop or a failure (not `complete`), what there is."""

    def finish(self) -> None:
        """Complete the record once the job has ended."""

    @property
    def message(self) -> str:
        """What the container wrote about how it ended, if anything."""
        paths = [ml / self.plan.message for ml in self.hosts.values()]
        return next((said for path in paths if path.exists() and (said := path.read_text(errors="replace").strip())), "")

    def stop(self, grace: float | None = None) -> None:
        """Ask the program to end, and make it after a while."""
        with self._lock:
            if self.ended.is_set():
                return
            self._stopping.set()
            self._say("Stopping")
            self._end(grace or self._grace())

    def _end(self, grace: float) -> None:
        """Ask what runs to end, without waiting for it."""
        for process in self._processes:
            if process.running:
                threading.Thread(target=process.stop, args=(grace,), daemon=True).start()

    def _grace(self) -> float:
        return max(GRACE / cloud().speed, 2)

    def _say(self, status: str) -> None:
        setattr(self.record, f"{self.kind}_job_status", status)
        self.record.last_modified_time = utcnow()

    def _run(self) -> None:
        try:
            status, why = self._work(), None
        except Failed as problem:
            status, why = "Failed", str(problem)
        except (ClientError, BotoCoreError) as problem:
            status, why = "Failed", f"ClientError: {reason(problem)}"
        except Exception as problem:  # reported as the job's failure, as SageMaker does with its own
            status, why = "Failed", f"InternalServerError: {reason(problem)}"
        if why:
            self._line(f"{self.name}/algo-1-{self._began}", why)
            self.record.failure_reason = why[:1024]
        setattr(self.record, f"{self.kind}_end_time", utcnow())
        self.phase("MaxRuntimeExceeded" if self._overtime else status)
        self.finish()
        with self._lock:
            self._say(status)
            self.ended.set()

    def _work(self) -> str:
        self.phase("Downloading")
        image = images.find(self.plan.image, role_arn=self.role)
        s3 = cloud().client("s3", role_arn=self.role, region=self.region)
        for place, (host, ml) in enumerate(self.hosts.items()):
            self._prepare(s3, place, host, ml)
        self.phase("Training")
        setattr(self.record, f"{self.kind}_start_time", utcnow())
        code = self._execute(image)
        if self._stopping.is_set() or self._overtime:
            self.outputs(s3, complete=False)
            return "Stopped"
        if code:
            self.outputs(s3, complete=False)
            raise Failed(f"AlgorithmError: {self.message or self.last_line}, exit code: {code}")
        self.phase("Uploading")
        self.outputs(s3, complete=True)
        return "Completed"

    def _prepare(self, s3: Any, place: int, host: str, ml: Path) -> None:
        """What one instance finds in /opt/ml."""
        for name, source, folder, shared in self.plan.inputs:
            part = (place, len(self.hosts)) if shared else (0, 1)
            if not download(s3, source, ml / folder, part):
                raise Failed(f"ClientError: Data download failed: input {name}: no S3 objects found under S3 URL {source}")
        for name in self.plan.folders:
            (ml / name).mkdir(parents=True, exist_ok=True)
        who = {"current_host": host, "current_instance_type": self.plan.cluster["InstanceType"], "hosts": sorted(self.hosts)}
        for name, value in {**self.plan.files, self.plan.resources: who | {"network_interface_name": "lo"}}.items():
            (ml / name).parent.mkdir(parents=True, exist_ok=True)
            (ml / name).write_text(json.dumps(value, indent=2, default=str))

    def _execute(self, image: images.Image) -> int:
        own = {f"{self.kind.upper()}_JOB_NAME": self.name, f"{self.kind.upper()}_JOB_ARN": self.record.arn}
        aws = credentials(self.role, self.region, isolated=self.plan.isolated)
        with self._lock:
            if self._stopping.is_set():
                return 0
            for host, ml in self.hosts.items():
                argv = image.command(self.plan.arguments, entrypoint=self.plan.entrypoint, ml=ml)
                env = image.environment(aws, own, self.request.get("Environment", {}), ml=ml)
                stream = f"{self.name}/{host}-{self._began}"
                self._processes.append(spawn(argv, env=env, cwd=image.cwd, on_line=functools.partial(self._line, stream)))
        with ThreadPoolExecutor(len(self._processes)) as pool:
            list(pool.map(self._await, self._processes))
        return self._code

    def _await(self, process: Process) -> None:
        """Wait for one instance. The first that fails ends the others."""
        try:
            code = process.wait(self.request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", DAY))
        except subprocess.TimeoutExpired:
            self._overtime = True
            code = process.stop(self._grace())
        with self._lock:
            if code and not self._code:
                self._code = code
                self._end(self._grace())

    def _line(self, stream: str, line: str) -> None:
        self.last_line = line if line.strip() else self.last_line
        self.read(line)
        cloud().log(account=self.account, region=self.region, group=self.group, stream=stream, line=line)


class Training(Job):
    """A training job."""

    kind, group = "training", "/aws/sagemaker/TrainingJobs"

    def begin(self) -> None:
        super().begin()
        self.metrics: dict[str, dict[str, Any]] = {}
        definitions = self.request["AlgorithmSpecification"].get("MetricDefinitions", [])
        self.definitions = [(m["Name"], re.compile(m["Regex"])) for m in definitions]
        self.record.model_artifacts = self.record.training_start_time = None
        self.record.final_metric_data_list, self.record.secondary_status_transitions = [], []
        self.phase("Starting")

    def phase(self, name: str) -> None:
        now, past = utcnow(), self.record.secondary_status_transitions
        current = {"Status": name, "StartTime": now, "StatusMessage": name}
        self.record.secondary_status = name
        self.record.secondary_status_transitions = [*({"EndTime": now, **p} for p in past), current]

    def read(self, line: str) -> None:
        for name, pattern in self.definitions:
            if match := pattern.search(line):
                self.metrics[name] = {"MetricName": name, "Value": float(match[1]), "Timestamp": utcnow()}

    def outputs(self, s3: Any, *, complete: bool) -> None:
        config = self.request["OutputDataConfig"]
        target = f"{config['S3OutputPath'].rstrip('/')}/{self.name}/output"
        for name, folder in (("model", self.ml / "model"), ("output", self.ml / "output" / "data")):
            if (name == "model" and complete) or (folder.is_dir() and any(folder.iterdir())):
                archive = self.folder / f"{name}.tar.gz"
                with tarfile.open(archive, "w:gz") as tar:
                    for path in sorted(folder.iterdir()):
                        tar.add(path, arcname=path.name)
                upload(s3, archive, f"{target}/{name}.tar.gz", config.get("KmsKeyId"))
                if name == "model":
                    self.record.model_artifacts = {"S3ModelArtifacts": f"{target}/model.tar.gz"}

    def finish(self) -> None:
        self.record.final_metric_data_list = list(self.metrics.values())
        if start := self.record.training_start_time:
            seconds = max(1, round((self.record.training_end_time - start).total_seconds()))
            self.record.training_time_in_seconds = self.record.billable_time_in_seconds = seconds


class Processing(Job):
    """A processing job."""

    kind, group = "processing", "/aws/sagemaker/ProcessingJobs"

    def outputs(self, s3: Any, *, complete: bool) -> None:
        config = self.request.get("ProcessingOutputConfig", {})
        for output in config.get("Outputs", []) if complete else []:
            for ml in self.hosts.values():
                folder = ml / _under_ml(output["S3Output"]["LocalPath"])
                for file in sorted(f for f in folder.rglob("*") if f.is_file()):
                    upload(s3, file, f"{output['S3Output']['S3Uri'].rstrip('/')}/{file.relative_to(folder)}", config.get("KmsKeyId"))

    def finish(self) -> None:
        if self.message:
            self.record.exit_message = self.message[:1024]


def training_plan(request: Request) -> Plan:
    """Read CreateTrainingJob's request. Raises an AWS error for what localcloud cannot honour."""
    refuse(request, ("CheckpointConfig",), "CreateTrainingJob")
    refuse(request["ResourceConfig"], ("InstanceGroups",), "CreateTrainingJob's ResourceConfig")
    if request["ResourceConfig"].get("InstanceCount", 1) > 1:
        raise invalid(f"localcloud trains on one instance, not on {request['ResourceConfig']['InstanceCount']}")
    algorithm, channels = request["AlgorithmSpecification"], request.get("InputDataConfig", [])
    refuse(algorithm, ("AlgorithmName",), "CreateTrainingJob's AlgorithmSpecification")
    for c in channels:
        _plain_files(c["ChannelName"], c["DataSource"].get("S3DataSource"), c.get("CompressionType"), c.get("InputMode"))
    entrypoint = algorithm.get("ContainerEntrypoint")
    channel = {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}
    return Plan(
        image=algorithm["TrainingImage"],
        entrypoint=entrypoint,
        arguments=algorithm.get("ContainerArguments") or ([] if entrypoint else ["train"]),
        inputs=[(c["ChannelName"], c["DataSource"]["S3DataSource"]["S3Uri"], f"input/data/{c['ChannelName']}", False) for c in channels],
        files={
            "input/config/hyperparameters.json": {k: str(v) for k, v in request.get("HyperParameters", {}).items()},
            "input/config/inputdataconfig.json": {c["ChannelName"]: channel for c in channels},
        },
        resources="input/config/resourceconfig.json",
        cluster=request["ResourceConfig"],
        folders=["model", "output/data", "checkpoints"],
        message="output/failure",
        isolated=request.get("EnableNetworkIsolation", False),
    )


def processing_plan(request: Request) -> Plan:
    """Read CreateProcessingJob's request. Raises an AWS error for what localcloud cannot honour."""
    app, inputs = request["AppSpecification"], request.get("ProcessingInputs", [])
    outputs = request.get("ProcessingOutputConfig", {}).get("Outputs", [])
    for given in inputs:
        source = given.get("S3Input", {})
        _plain_files(given["InputName"], given.get("S3Input"), source.get("S3CompressionType"), source.get("S3InputMode"))
    for wanted in outputs:
        if wanted.get("S3Output", {}).get("S3UploadMode") != "EndOfJob":
            raise invalid(f"localcloud uploads output {wanted['OutputName']} at the end of the job only")
    return Plan(
        image=app["ImageUri"],
        entrypoint=app.get("ContainerEntrypoint"),
        arguments=app.get("ContainerArguments", []),
        inputs=[
            (i["InputName"], s["S3Uri"], _under_ml(s["LocalPath"]), s.get("S3DataDistributionType") == "ShardedByS3Key")
            for i in inputs
            for s in [i["S3Input"]]
        ],
        files={"config/processingjobconfig.json": request},
        resources="config/resourceconfig.json",
        cluster=request["ProcessingResources"]["ClusterConfig"],
        folders=["output", *(_under_ml(o["S3Output"]["LocalPath"]) for o in outputs)],
        message="output/message",
        isolated=request.get("NetworkConfig", {}).get("EnableNetworkIsolation", False),
    )


def _under_ml(path: str) -> str:
    if not path.startswith(f"{images.ML}/") or ".." in Path(path).parts:
        raise invalid(f"localcloud gives a job folders under {images.ML} only, not {path}")
    return path.removeprefix(f"{images.ML}/")


def _plain_files(name: str, source: dict[str, Any] | None, compression: str | None, mode: str | None) -> None:
    if source is None or source.get("S3DataType", "S3Prefix") != "S3Prefix" or compression not in (None, "None") or mode == "Pipe":
        raise invalid(f"localcloud gives input {name} to the job as the plain files of an S3 prefix only")


def create_training_job(self: Any) -> ActionResult:
    request = self._get_params()
    job = Training(self.current_account, self.region, request, training_plan(request))
    return ActionResult({"TrainingJobArn": job.record.arn})


def create_processing_job(self: Any) -> ActionResult:
    request = self._get_params()
    job = Processing(self.current_account, self.region, request, processing_plan(request))
    return ActionResult({"ProcessingJobArn": job.record.arn})


def stop_training_job(self: Any) -> ActionResult:
    return _stop(self, "training")


def stop_processing_job(self: Any) -> ActionResult:
    return _stop(self, "processing")


def _stop(self: Any, kind: str) -> ActionResult:
    name = self._get_param(f"{kind.title()}JobName")
    job = _jobs.get((self.current_account, self.region, kind, name))
    if job is None:
        raise error("ResourceNotFound", f"Could not find {kind} job {name}.")
    if job.ended.is_set():
        raise invalid(f"The request was rejected because the {kind} job is in status {getattr(job.record, f'{kind}_job_status')}.")
    job.stop()
    return EmptyResult()
