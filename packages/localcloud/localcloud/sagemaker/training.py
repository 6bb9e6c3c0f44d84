"""Training jobs."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow

from localcloud.sagemaker import jobs
from localcloud.sagemaker.jobs import Failed, Job, Plan, require_plain_files
from localcloud.sagemaker.records import Request, answer, refuse
from localcloud.sagemaker.s3_files import upload


def install() -> None:
    """Answer SageMaker's calls about training jobs from jobs that run."""
    answer((create_training_job, stop_training_job))


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
        """What is in a folder of every host, by its name: one archive is made of it, in which "no file/directory names" may "clash" (SageMaker
        guide, "How Amazon SageMaker AI Processes Training Output"). Raises Failed where two hosts left one name: the guide does not say
        whose is kept.
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
        if start := self.record.training_start_time:
            seconds = max(1, round((self.record.training_end_time - start).total_seconds()))
            self.record.training_time_in_seconds = self.record.billable_time_in_seconds = seconds


def plan(request: Request) -> Plan:
    """Read CreateTrainingJob's request. Raises an AWS error for what localcloud cannot honour."""
    refuse(request, ("CheckpointConfig",), "CreateTrainingJob")
    refuse(request["ResourceConfig"], ("InstanceGroups",), "CreateTrainingJob's ResourceConfig")
    algorithm, channels = request["AlgorithmSpecification"], request.get("InputDataConfig", [])
    refuse(algorithm, ("AlgorithmName",), "CreateTrainingJob's AlgorithmSpecification")
    for c in channels:
        require_plain_files(c["ChannelName"], c["DataSource"].get("S3DataSource"), c.get("CompressionType"), c.get("InputMode"))
    entrypoint = algorithm.get("ContainerEntrypoint")
    sources = {c["ChannelName"]: c["DataSource"]["S3DataSource"] for c in channels}
    return Plan(
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
        folders=["model", "output/data", "checkpoints"],
        message="output/failure",
        isolated=request.get("EnableNetworkIsolation", False),
    )


def _distribution(source: dict[str, Any]) -> str:
    return str(source.get("S3DataDistributionType", "FullyReplicated"))


def _channel(source: dict[str, Any]) -> dict[str, str]:
    """What the container is told of a channel."""
    return {"TrainingInputMode": "File", "S3DistributionType": _distribution(source), "RecordWrapperType": "None"}


def create_training_job(self: Any) -> ActionResult:
    request = self._get_params()
    job = Training(self.current_account, self.region, request, plan(request))
    return ActionResult({"TrainingJobArn": job.record.arn})


def stop_training_job(self: Any) -> EmptyResult:
    return jobs.stop(self, "training")
