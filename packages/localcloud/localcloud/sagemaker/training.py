"""Training jobs."""

from __future__ import annotations

import re
import shutil
import tarfile
import threading
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.sagemaker.responses import SageMakerResponse

from localcloud.core.cloud import cloud
from localcloud.core.errors import invalid
from localcloud.ecr.containers import ContainerImage
from localcloud.ecr.images import Image
from localcloud.sagemaker import jobs, quotas, warm_pools
from localcloud.sagemaker.checkpoints import Checkpoints
from localcloud.sagemaker.jobs import Failed, Job, Plan, require_plain_files, under_ml
from localcloud.sagemaker.records import Request, answer, refuse
from localcloud.sagemaker.s3_files import upload

CHECKPOINTS = "/opt/ml/checkpoints"
CAPACITY = 120  # seconds of AWS's time until a spot job has machines again
LONGEST = 30 * jobs.DAY  # seconds; what a training job may take in total (SageMaker API, StoppingCondition)
SPOT_PRICE = 0.3  # of an instance's price; localcloud's own: AWS's changes by the hour
_describe = SageMakerResponse.describe_training_job


def install() -> None:
    """Answer SageMaker's calls about training jobs from jobs that run."""
    answer((create_training_job, describe_training_job, stop_training_job))


class Training(Job):
    """A training job."""

    kind, group = "training", "/aws/sagemaker/TrainingJobs"

    @property
    def spot(self) -> bool:
        """Whether it is managed spot training, which can lose its machines."""
        return bool(self.request.get("EnableManagedSpotTraining"))

    @property
    def usage(self) -> str:
        return quotas.SPOT if self.spot else quotas.TRAINING

    @property
    def seconds(self) -> float:
        return max(super().seconds - self._trained, 0.0)

    def begin(self) -> None:
        super().begin()
        self.metrics: dict[str, dict[str, Any]] = {}
        definitions = self.request["AlgorithmSpecification"].get("MetricDefinitions", [])
        self.definitions = [(m["Name"], re.compile(m["Regex"])) for m in definitions]
        self.record.model_artifacts = None
        self._checkpoints: Checkpoints | None = None
        self._taken, self._losses, self._trained = "", 0, 0.0
        self.record.final_metric_data_list, self.record.secondary_status_transitions = [], []
        warm_pools.begin(self.account, self.region, self.request)
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

    def run(self, image: Image | ContainerImage, s3: Any) -> int:
        """A spot job that lost a machine waits for another, and begins again with its checkpoints, until it ends or has waited enough."""
        limit = threading.Timer(self.request["StoppingCondition"].get("MaxWaitTimeInSeconds", LONGEST), self._give_up)
        limit.daemon = True
        limit.start()
        try:
            code = self._attempt(image, s3)
            while self._taken and code and not self._stopping.is_set():
                self._interrupted()
                if cloud().wait(self._stopping, CAPACITY):
                    break
                self.phase("Downloading")
                code = self._attempt(image, s3)
        finally:
            limit.cancel()
        return code

    def started(self) -> None:
        interruptions = cloud().interruptions
        if self.spot and interruptions and self._losses < interruptions.times:
            host, seconds = interruptions.draw(list(self.hosts))
            threading.Thread(target=self._take_after, args=(host, seconds, self._over), daemon=True).start()

    def take(self, host: str) -> bool:
        """Take a host away without warning, with all that is on it. False where the job has no such host to lose at the moment."""
        with self._lock:
            process = self._processes.get(host)
            if process is None or not process.running or self._code or self._stopping.is_set():
                return False
            self._taken = host
            if self._checkpoints:
                self._checkpoints.lose(host)
        process.kill()
        return True

    def _attempt(self, image: Image | ContainerImage, s3: Any) -> int:
        self._taken, self._over, began = "", threading.Event(), time.monotonic()
        try:
            with self._synchronised(s3) as self._checkpoints:
                return super().run(image, s3)
        finally:
            self._over.set()
            self._trained += time.monotonic() - began

    def _synchronised(self, s3: Any) -> AbstractContextManager[Checkpoints | None]:
        config = self.request.get("CheckpointConfig")
        if not config:
            return nullcontext()
        return Checkpoints(s3, config["S3Uri"], {host: ml / _checkpoints(self.request) for host, ml in self.hosts.items()})

    def _take_after(self, host: str, seconds: float, over: threading.Event) -> None:
        if not over.wait(seconds):
            self.take(host)

    def _interrupted(self) -> None:
        """The machines are gone, with their file systems."""
        self._losses += 1
        self._line("algo-1", f"localcloud: {self._taken} was taken away")
        self.phase("Interrupted")
        for ml in self.hosts.values():
            shutil.rmtree(ml)
            ml.mkdir()
        self.phase("Starting")

    def _give_up(self) -> None:
        """End it: it has waited for machines, and run, for as long as it may."""
        with self._lock:
            if not self.ended.is_set():
                self._exceeded = "MaxWaitTimeExceeded"
                self._stopping.set()
                self._end(self._grace())

    def outputs(self, s3: Any, *, complete: bool) -> None:
        config = self.request["OutputDataConfig"]
        target = f"{config['S3OutputPath'].rstrip('/')}/{self.name}/output"
        for name, folder in (("model", "model"), ("output", "output/data")):
            entries = self._left(folder)
            if entries or (name == "model" and complete):
                archive = self.folder / f"{name}.tar.gz"
                with tarfile.open(archive, "w:gz") as tar:
                    for entry, path in sorted(entries.items()):
                        tar.add(path, arcname=entry)
                upload(s3, archive, f"{target}/{name}.tar.gz", config.get("KmsKeyId"))
                if name == "model":
                    self.record.model_artifacts = {"S3ModelArtifacts": f"{target}/model.tar.gz"}

    def _left(self, folder: str) -> dict[str, Path]:
        """What is in a folder of every host, by its name; SageMaker makes one archive of it (SageMaker guide, "How Amazon SageMaker AI
        Processes Training Output").

        Raises Failed where two hosts left one name: the guide forbids it, and does not say whose would be kept.
        """
        left: dict[str, Path] = {}
        for host, ml in self.hosts.items():
            for path in sorted((ml / folder).iterdir()) if (ml / folder).is_dir() else ():
                if path.name in left:
                    both = f"{left[path.name].relative_to(self.folder).parts[0]} and {host} both left {folder}/{path.name}"
                    raise Failed(f"ClientError: Artifact upload failed: {both}: let one host write it, or name it after the host")
                left[path.name] = path
        return left

    def finish(self) -> None:
        self.record.final_metric_data_list = list(self.metrics.values())
        warm_pools.end(self.account, self.region, self.name)
        if self.record.training_start_time:
            seconds = max(1, round(self._trained))
            self.record.training_time_in_seconds = seconds
            self.record.billable_time_in_seconds = max(1, round(seconds * SPOT_PRICE)) if self.spot else seconds


def plan(request: Request) -> Plan:
    """Read CreateTrainingJob's request. Raises an AWS error for what localcloud cannot honour."""
    warm_pools.check(request)
    _require_time_to_wait(request)
    refuse(request["ResourceConfig"], ("InstanceGroups",), "CreateTrainingJob's ResourceConfig")
    algorithm, channels = request["AlgorithmSpecification"], request.get("InputDataConfig", [])
    refuse(algorithm, ("AlgorithmName",), "CreateTrainingJob's AlgorithmSpecification")
    for c in channels:
        require_plain_files(c["ChannelName"], c["DataSource"].get("S3DataSource"), c.get("CompressionType"), c.get("InputMode"))
    entrypoint = algorithm.get("ContainerEntrypoint")
    sources = {c["ChannelName"]: c["DataSource"]["S3DataSource"] for c in channels}
    return Plan(
        role=request.get("RoleArn"),
        vpc=request.get("VpcConfig"),
        image=algorithm["TrainingImage"],
        entrypoint=entrypoint,
        arguments=algorithm.get("ContainerArguments") or ([] if entrypoint else ["train"]),
        inputs=[
            (name, source["S3Uri"], f"input/data/{name}", _distribution(source) == "ShardedByS3Key") for name, source in sources.items()
        ],
        files={
            "input/config/hyperparameters.json": {k: str(v) for k, v in request.get("HyperParameters", {}).items()},
            "input/config/inputdataconfig.json": {name: _channel(source) for name, source in sources.items()},
        },
        resources="input/config/resourceconfig.json",
        cluster=request["ResourceConfig"],
        folders=["model", "output/data", *([_checkpoints(request)] if request.get("CheckpointConfig") else [])],
        message="output/failure",
        isolated=request.get("EnableNetworkIsolation", False),
    )


def _require_time_to_wait(request: Request) -> None:
    """Raise SageMaker's error where a spot job has no time to wait for its machines, or another job has."""
    limits = request.get("StoppingCondition", {})
    wait = limits.get("MaxWaitTimeInSeconds")
    if not request.get("EnableManagedSpotTraining"):
        if wait is not None:
            raise invalid("Invalid MaxWaitTimeInSeconds. It is accepted with EnableManagedSpotTraining only.")
    elif wait is None or wait < limits.get("MaxRuntimeInSeconds", jobs.DAY):
        raise invalid("Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds.")


def _checkpoints(request: Request) -> str:
    """Where checkpoints are, relative to /opt/ml."""
    return under_ml(request.get("CheckpointConfig", {}).get("LocalPath", CHECKPOINTS))


def _distribution(source: dict[str, Any]) -> str:
    return str(source.get("S3DataDistributionType", "FullyReplicated"))


def _channel(source: dict[str, Any]) -> dict[str, str]:
    """What the container is told of a channel."""
    return {"TrainingInputMode": "File", "S3DistributionType": _distribution(source), "RecordWrapperType": "None"}


def create_training_job(self: Any) -> ActionResult:
    request = self._get_params()
    planned = plan(request)
    warm_pools.require(self.current_account, self.region, request)
    job = Training(self.current_account, self.region, request, planned)
    return ActionResult({"TrainingJobArn": job.record.arn})


def describe_training_job(self: Any) -> ActionResult:
    warm = warm_pools.told(self.current_account, self.region, self._get_param("TrainingJobName"))
    return ActionResult({**_describe(self).result, **warm})  # type: ignore[dict-item]


def stop_training_job(self: Any) -> EmptyResult:
    return jobs.stop(self, "training")
