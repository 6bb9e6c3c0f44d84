"""The monitoring pipeline: what an endpoint was asked and answered, held against the rows on which its version was
evaluated.

1. Count    only where `model.toml` asks for several instances: each of them counts its share of what was captured
2. Monitor  judges, in the model's own image, and writes page, metrics and notice; one instance counts by itself

The stack that watches holds the definition, so it is made at synth, as plain data: the SageMaker SDK takes seconds to import. Which version
is looked at comes as parameters of the pipeline, whose values are those of the version that serves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deployability.instances import has_local_storage
from paved_runtime.spec import ModelSpec, Monitoring
from pipelines.serving_stack import MonitoringParameters

WINDOW_END = "WindowEnd"
PROCESSING = "/opt/ml/processing"
Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a model is watched. `capture`, `labels` and `reports` are `s3://bucket/folder`; `role` is the job's, `key` of all it writes.

    `console` is where the console of the region begins, for links in notices; `subnets` and `security_groups` are ids, none where the
    account has no network of its own.
    """

    endpoint: str
    variant: str
    role: str
    key: str
    capture: str
    labels: str
    reports: str
    namespace: str
    topic: str
    region: str
    console: str
    subnets: Sequence[str] = ()
    security_groups: Sequence[str] = ()


def definition(model: ModelSpec, place: Place, version: MonitoringParameters) -> Json:
    """The pipeline's definition. Any value may be a reference that the stack resolves.

    Raises:
        ValueError: the model is not monitored.
    """
    if model.monitoring is None:
        raise ValueError(f"model_code/{model.name}/model.toml: found no [monitoring]: there is nothing to define")
    steps = _Steps(model.monitoring, place)
    return {
        "Version": "2020-12-01",
        "Metadata": {},
        "Parameters": [_parameter(name, value) for name, value in {**version.values(), WINDOW_END: "now"}.items()],
        "PipelineExperimentConfig": None,
        "Steps": steps.alone() if model.monitoring.instances == 1 else steps.shared(),
    }


class _Steps:
    """Both forms. A job calls S3, CloudWatch and SNS by itself, so it is not isolated: in a network without a way out, it reaches those."""

    def __init__(self, asked: Monitoring, place: Place) -> None:
        self.asked, self.place = asked, place
        self.model = _input("model", _parameter_value("ModelDataUrl"))

    def alone(self) -> list[Json]:
        return [self._monitor([self.model])]

    def shared(self) -> list[Json]:
        count = self._step("Count", "count", self.asked.instances, [self.model], _output("counts", self._uri("counts")))
        counted = {"Get": "Steps.Count.ProcessingOutputConfig.Outputs['counts'].S3Output.S3Uri"}
        return [count, self._monitor([self.model, _input("counts", counted)])]

    def _monitor(self, inputs: list[Json]) -> Json:
        return self._step("Monitor", "monitor", 1, inputs, _output("report", self._uri()))

    def _step(self, name: str, command: str, instances: int, inputs: list[Json], output: Json) -> Json:
        asked, place = self.asked, self.place
        disk = {} if has_local_storage(asked.instance_type) else {"VolumeKmsKeyId": place.key}
        cluster = {"InstanceType": asked.instance_type, "InstanceCount": instances, "VolumeSizeInGB": asked.volume_gb, **disk}
        return {
            "Name": name,
            "Type": "Processing",
            "Arguments": {
                "ProcessingResources": {"ClusterConfig": cluster},
                "AppSpecification": {"ImageUri": _parameter_value("ImageUri"), "ContainerArguments": [command]},
                "RoleArn": place.role,
                "ProcessingInputs": inputs,
                "ProcessingOutputConfig": {"Outputs": [output], "KmsKeyId": place.key},
                "StoppingCondition": {"MaxRuntimeInSeconds": 60 * asked.max_runtime_minutes},
                "Environment": self._environment(),
                "NetworkConfig": self._network(),
            },
            "RetryPolicies": RETRIES,
        }

    def _network(self) -> Json:
        place = self.place
        vpc = {"VpcConfig": {"SecurityGroupIds": list(place.security_groups), "Subnets": list(place.subnets)}} if place.subnets else {}
        return {"EnableInterContainerTrafficEncryption": True, "EnableNetworkIsolation": False, **vpc}

    def _environment(self) -> Json:
        place = self.place
        return {
            "AWS_DEFAULT_REGION": place.region,
            "CAPTURE_URI": place.capture,
            "CONSOLE_URL": place.console,
            "ENDPOINT_NAME": place.endpoint,
            "LABELS_URI": place.labels,
            "METRICS_NAMESPACE": place.namespace,
            "MODEL_VERSION": _parameter_value("ModelVersion"),
            "REPORT_URI": self._uri(),
            "TOPIC_ARN": place.topic,
            "VARIANT": place.variant,
            "WINDOW_END": _parameter_value(WINDOW_END),
        }

    def _uri(self, *folders: str) -> Json:
        return {"Std:Join": {"On": "/", "Values": [self.place.reports, {"Get": "Execution.PipelineExecutionId"}, *folders]}}


RETRIES: list[Json] = [
    {"BackoffRate": 2.0, "IntervalSeconds": 10, "MaxAttempts": 5, "ExceptionType": ["Step.SERVICE_FAULT", "Step.THROTTLING"]},
    {
        "BackoffRate": 2.0,
        "IntervalSeconds": 60,
        "MaxAttempts": 4,
        "ExceptionType": ["SageMaker.CAPACITY_ERROR", "SageMaker.JOB_INTERNAL_ERROR"],
    },
    {"BackoffRate": 1.0, "IntervalSeconds": 300, "MaxAttempts": 20, "ExceptionType": ["SageMaker.RESOURCE_LIMIT"]},
]


def _parameter(name: str, value: str) -> Json:
    return {"Name": name, "Type": "String", "DefaultValue": value}


def _parameter_value(name: str) -> Json:
    return {"Get": f"Parameters.{name}"}


def _input(name: str, source: Json) -> Json:
    return {
        "InputName": name,
        "S3Input": {
            "S3Uri": source,
            "LocalPath": f"{PROCESSING}/input/{name}",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
            "S3DataDistributionType": "FullyReplicated",
            "S3CompressionType": "None",
        },
    }


def _output(name: str, target: Json) -> Json:
    return {
        "OutputName": name,
        "S3Output": {"S3Uri": target, "LocalPath": f"{PROCESSING}/{name}", "S3UploadMode": "EndOfJob"},
    }
