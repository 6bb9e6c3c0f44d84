"""Training jobs."""

from __future__ import annotations

import re
import tarfile
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.sagemaker.responses import SageMakerResponse

from localcloud.core.errors import invalid
from localcloud.sagemaker import jobs, warm_pools
from localcloud.sagemaker.jobs import Job, Plan, require_plain_files
from localcloud.sagemaker.records import Request, answer, refuse
from localcloud.sagemaker.s3_files import upload

_describe = SageMakerResponse.describe_training_job


def install() -> None:
    """Answer SageMaker's calls about training jobs from jobs that run."""
    answer((create_training_job, describe_training_job, stop_training_job))


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
        warm_pools.end(self.account, self.region, self.name)
        if start := self.record.training_start_time:
            seconds = max(1, round((self.record.training_end_time - start).total_seconds()))
            self.record.training_time_in_seconds = self.record.billable_time_in_seconds = seconds


def plan(request: Request) -> Plan:
    """Read CreateTrainingJob's request. Raises an AWS error for what localcloud cannot honour."""
    warm_pools.check(request)
    refuse(request, ("CheckpointConfig",), "CreateTrainingJob")
    refuse(request["ResourceConfig"], ("InstanceGroups",), "CreateTrainingJob's ResourceConfig")
    if request["ResourceConfig"].get("InstanceCount", 1) > 1:
        raise invalid(f"localcloud trains on one instance, not on {request['ResourceConfig']['InstanceCount']}")
    algorithm, channels = request["AlgorithmSpecification"], request.get("InputDataConfig", [])
    refuse(algorithm, ("AlgorithmName",), "CreateTrainingJob's AlgorithmSpecification")
    for c in channels:
        require_plain_files(c["ChannelName"], c["DataSource"].get("S3DataSource"), c.get("CompressionType"), c.get("InputMode"))
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
