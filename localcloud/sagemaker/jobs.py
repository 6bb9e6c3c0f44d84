"""Training and processing jobs that run: inputs and outputs as the job's role, the image's program in an /opt/ml of its own."""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
import threading
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

GRACE = 120.0
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


class Job:
    """One running job. `record` is moto's, and what describe calls answer from."""

    kind: ClassVar[str]
    group: ClassVar[str]

    def __init__(self, account: str, region: str, request: Request) -> None:
        self.account, self.region, self.request = account, region, request
        title = self.kind.title()
        self.name: str = request[f"{title}JobName"]
        if (account, region, self.kind, self.name) in _jobs:
            raise error(
                "ResourceInUse", f"Job name must be unique within an AWS account and region, and a {self.kind} job named {self.name} exists"
            )
        self.role = assumable(request.get("RoleArn"))
        self.folder = cloud().folder("jobs", account, region, self.kind, self.name)
        self.ml = cloud().folder("jobs", account, region, self.kind, self.name, "ml")
        self.check()
        self.ended, self._stopping, self._lock = threading.Event(), threading.Event(), threading.Lock()
        self._process: Process | None = None
        self._overtime = False
        self.last_line = ""
        self.stream = f"{self.name}/algo-1-{int(unix_time())}"
        self.record = keep(getattr(backend(account, region), f"create_{self.kind}_job"), request)
        self._say("InProgress")
        self.begin()
        _jobs[account, region, self.kind, self.name] = self
        threading.Thread(target=self._run, daemon=True).start()

    def check(self) -> None:
        """Raise an AWS error for what localcloud cannot honour in the request."""
        raise NotImplementedError

    def begin(self) -> None:
        """Bring the record to the state of a job that has just been created."""

    def phase(self, name: str) -> None:
        """Note that the job has come to this phase."""

    def inputs(self) -> list[tuple[str, str, Path]]:
        """Name, S3 URI and folder of each input."""
        raise NotImplementedError

    def configure(self) -> None:
        """Write the configuration files and make the folders that the container finds."""
        raise NotImplementedError

    def program(self) -> tuple[str, list[str] | None, list[str]]:
        """Image URI, entry point if not the image's, and arguments."""
        raise NotImplementedError

    def failure(self) -> str:
        """What the container wrote about its failure, or else its last line."""
        raise NotImplementedError

    def outputs(self, *, complete: bool) -> None:
        """Upload what the container made; after a stop (not `complete`), what there is."""
        raise NotImplementedError

    def finish(self) -> None:
        """Complete the record once the job has ended."""

    def stop(self, grace: float | None = None) -> None:
        """Ask the program to end, and make it after a while: 120 s of SageMaker's time."""
        with self._lock:
            if self.ended.is_set():
                return
            self._stopping.set()
            self._say("Stopping")
            if self._process:
                threading.Thread(target=self._process.stop, args=(grace or self._grace(),), daemon=True).start()

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
            self._line(why)
            self.record.failure_reason = why[:1024]
        setattr(self.record, f"{self.kind}_end_time", utcnow())
        self.phase("MaxRuntimeExceeded" if self._overtime else status)
        self.finish()
        with self._lock:
            self._say(status)
            self.ended.set()

    def _work(self) -> str:
        self.phase("Downloading")
        uri, entrypoint, arguments = self.program()
        image = images.find(uri, role_arn=self.role)
        s3 = cloud().client("s3", role_arn=self.role, region=self.region)
        for name, source, folder in self.inputs():
            folder.mkdir(parents=True, exist_ok=True)
            if not download(s3, source, folder):
                raise Failed(f"ClientError: Data download failed: input {name}: no S3 objects found under S3 URL {source}")
        self.configure()
        self.phase("Training")
        setattr(self.record, f"{self.kind}_start_time", utcnow())
        code = self._execute(image, image.command(arguments, entrypoint=entrypoint, ml=self.ml))
        if self._stopping.is_set() or self._overtime:
            self.outputs(complete=False)
            return "Stopped"
        if code:
            raise Failed(f"AlgorithmError: {self.failure()}, exit code: {code}")
        self.phase("Uploading")
        self.outputs(complete=True)
        return "Completed"

    def _execute(self, image: images.Image, argv: list[str]) -> int:
        isolated = self.request.get("EnableNetworkIsolation") or self.request.get("NetworkConfig", {}).get("EnableNetworkIsolation")
        own = {f"{self.kind.upper()}_JOB_NAME": self.name, f"{self.kind.upper()}_JOB_ARN": self.record.arn}
        aws = credentials(self.role, self.region, isolated=bool(isolated))
        env = image.environment(aws, own, self.request.get("Environment", {}), ml=self.ml)
        with self._lock:
            if self._stopping.is_set():
                return 0
            self._process = spawn(argv, env=env, cwd=image.cwd, on_line=self._line)
        try:
            return self._process.wait(self.request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", DAY))
        except subprocess.TimeoutExpired:
            self._overtime = True
            return self._process.stop(self._grace())

    def _line(self, line: str) -> None:
        self.last_line = line if line.strip() else self.last_line
        self.read(line)
        cloud().log(account=self.account, region=self.region, group=self.group, stream=self.stream, line=line)

    def read(self, line: str) -> None:
        """Look at one line of the log."""


class Training(Job):
    """A training job."""

    kind, group = "training", "/aws/sagemaker/TrainingJobs"

    def check(self) -> None:
        refuse(self.request, ("CheckpointConfig",), "CreateTrainingJob")
        refuse(self.request["ResourceConfig"], ("InstanceGroups",), "CreateTrainingJob's ResourceConfig")
        refuse(self.request["AlgorithmSpecification"], ("AlgorithmName",), "CreateTrainingJob's AlgorithmSpecification")
        one_instance(self.request["ResourceConfig"])
        for channel in self.request.get("InputDataConfig", []):
            if channel.get("CompressionType", "None") != "None" or channel.get("InputMode", "File") == "Pipe":
                raise invalid(f"localcloud gives channel {channel['ChannelName']} to the job as plain files only")
            plain_prefix(channel["DataSource"].get("S3DataSource"), channel["ChannelName"])

    def begin(self) -> None:
        self.metrics: dict[str, dict[str, Any]] = {}
        self.definitions = [
            (m["Name"], re.compile(m["Regex"])) for m in self.request["AlgorithmSpecification"].get("MetricDefinitions", [])
        ]
        self.record.model_artifacts = self.record.training_start_time = self.record.training_end_time = None
        self.record.final_metric_data_list, self.record.secondary_status_transitions = [], []
        self.phase("Starting")

    def phase(self, name: str) -> None:
        now, past = utcnow(), self.record.secondary_status_transitions
        self.record.secondary_status = name
        self.record.secondary_status_transitions = [
            *({"EndTime": now, **p} for p in past),
            {"Status": name, "StartTime": now, "StatusMessage": name},
        ]

    def inputs(self) -> list[tuple[str, str, Path]]:
        channels = self.request.get("InputDataConfig", [])
        return [
            (c["ChannelName"], c["DataSource"]["S3DataSource"]["S3Uri"], self.ml / "input" / "data" / c["ChannelName"]) for c in channels
        ]

    def configure(self) -> None:
        channels = {
            c["ChannelName"]: {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}
            for c in self.request.get("InputDataConfig", [])
        }
        parameters = {k: str(v) for k, v in self.request.get("HyperParameters", {}).items()}
        write_json(self.ml / "input" / "config" / "hyperparameters.json", parameters)
        write_json(self.ml / "input" / "config" / "inputdataconfig.json", channels)
        write_json(
            self.ml / "input" / "config" / "resourceconfig.json", resources(self.request["ResourceConfig"].get("InstanceType", "local"))
        )
        for name in ("model", "output/data", "checkpoints"):
            (self.ml / name).mkdir(parents=True, exist_ok=True)

    def program(self) -> tuple[str, list[str] | None, list[str]]:
        algorithm = self.request["AlgorithmSpecification"]
        entrypoint = algorithm.get("ContainerEntrypoint")
        return algorithm["TrainingImage"], entrypoint, algorithm.get("ContainerArguments") or ([] if entrypoint else ["train"])

    def failure(self) -> str:
        return written(self.ml / "output" / "failure") or self.last_line

    def outputs(self, *, complete: bool) -> None:
        config = self.request["OutputDataConfig"]
        target = f"{config['S3OutputPath'].rstrip('/')}/{self.name}/output"
        s3 = cloud().client("s3", role_arn=self.role, region=self.region)
        for name, folder, always in (("model", self.ml / "model", complete), ("output", self.ml / "output" / "data", False)):
            if always or (folder.is_dir() and any(folder.iterdir())):
                archive = self.folder / f"{name}.tar.gz"
                with tarfile.open(archive, "w:gz") as tar:
                    for path in sorted(folder.iterdir()):
                        tar.add(path, arcname=path.name)
                upload(s3, archive, f"{target}/{name}.tar.gz", config.get("KmsKeyId"))
                if name == "model":
                    self.record.model_artifacts = {"S3ModelArtifacts": f"{target}/model.tar.gz"}

    def read(self, line: str) -> None:
        for name, pattern in self.definitions:
            if match := pattern.search(line):
                self.metrics[name] = {"MetricName": name, "Value": float(match[1]), "Timestamp": utcnow()}

    def finish(self) -> None:
        self.record.final_metric_data_list = list(self.metrics.values())
        if start := self.record.training_start_time:
            seconds = max(1, round((self.record.training_end_time - start).total_seconds()))
            self.record.training_time_in_seconds = self.record.billable_time_in_seconds = seconds


class Processing(Job):
    """A processing job."""

    kind, group = "processing", "/aws/sagemaker/ProcessingJobs"

    def check(self) -> None:
        one_instance(self.request["ProcessingResources"]["ClusterConfig"])
        for given in self.request.get("ProcessingInputs", []):
            plain_prefix(given.get("S3Input"), given["InputName"])
            if given["S3Input"].get("S3CompressionType", "None") != "None" or given["S3Input"].get("S3InputMode", "File") != "File":
                raise invalid(f"localcloud gives input {given['InputName']} to the job as plain files only")
            self.local(given["S3Input"]["LocalPath"])
        for wanted in self.request.get("ProcessingOutputConfig", {}).get("Outputs", []):
            if wanted.get("S3Output", {}).get("S3UploadMode") != "EndOfJob":
                raise invalid(f"localcloud uploads output {wanted['OutputName']} at the end of the job only")
            self.local(wanted["S3Output"]["LocalPath"])

    def local(self, path: str) -> Path:
        """A path of the container, which must be under /opt/ml, on this machine."""
        if not path.startswith(f"{images.ML}/") or ".." in Path(path).parts:
            raise invalid(f"localcloud gives a job folders under {images.ML} only, not {path}")
        return self.ml / path.removeprefix(f"{images.ML}/")

    def begin(self) -> None:
        self.record.processing_end_time = None

    def inputs(self) -> list[tuple[str, str, Path]]:
        given = self.request.get("ProcessingInputs", [])
        return [(i["InputName"], i["S3Input"]["S3Uri"], self.local(i["S3Input"]["LocalPath"])) for i in given]

    def configure(self) -> None:
        self.config = self.request.get("ProcessingOutputConfig", {})
        write_json(self.ml / "config" / "processingjobconfig.json", self.request)
        write_json(
            self.ml / "config" / "resourceconfig.json", resources(self.request["ProcessingResources"]["ClusterConfig"]["InstanceType"])
        )
        (self.ml / "output").mkdir(exist_ok=True)
        for output in self.config.get("Outputs", []):
            self.local(output["S3Output"]["LocalPath"]).mkdir(parents=True, exist_ok=True)

    def program(self) -> tuple[str, list[str] | None, list[str]]:
        app = self.request["AppSpecification"]
        return app["ImageUri"], app.get("ContainerEntrypoint"), app.get("ContainerArguments", [])

    def failure(self) -> str:
        return written(self.ml / "output" / "message") or self.last_line

    def outputs(self, *, complete: bool) -> None:
        s3 = cloud().client("s3", role_arn=self.role, region=self.region)
        for output in self.config.get("Outputs", []) if complete else []:
            folder = self.local(output["S3Output"]["LocalPath"])
            for file in sorted(f for f in folder.rglob("*") if f.is_file()):
                upload(s3, file, f"{output['S3Output']['S3Uri'].rstrip('/')}/{file.relative_to(folder)}", self.config.get("KmsKeyId"))

    def finish(self) -> None:
        if message := written(self.ml / "output" / "message"):
            self.record.exit_message = message[:1024]


def one_instance(config: dict[str, Any]) -> None:
    """Raise an AWS error when a job asks for more than one instance."""
    if config.get("InstanceCount", 1) > 1:
        raise invalid(f"localcloud runs a job on one instance, not on {config['InstanceCount']}")


def plain_prefix(source: dict[str, Any] | None, name: str) -> None:
    """Raise an AWS error when an input is anything but the objects under an S3 prefix."""
    if source is None or source.get("S3DataType", "S3Prefix") != "S3Prefix":
        raise invalid(f"localcloud reads input {name} from an S3 prefix only")


def resources(instance_type: str) -> dict[str, Any]:
    """resourceconfig.json of a job on one instance."""
    return {"current_host": "algo-1", "current_instance_type": instance_type, "hosts": ["algo-1"], "network_interface_name": "lo"}


def write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, default=str))


def written(path: Path) -> str:
    """What a container left in a text file, if anything."""
    return path.read_text(errors="replace").strip() if path.exists() else ""


def create_training_job(self: Any) -> ActionResult:
    job = Training(self.current_account, self.region, self._get_params())
    return ActionResult({"TrainingJobArn": job.record.arn})


def create_processing_job(self: Any) -> ActionResult:
    job = Processing(self.current_account, self.region, self._get_params())
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
