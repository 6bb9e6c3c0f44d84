"""What the definitions have in common that stacks hold, made at synth as plain data: parameters, processing jobs, where these write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deployability.instances import has_local_storage

VERSION = "2020-12-01"
PROCESSING = "/opt/ml/processing"
Json = dict[str, Any]
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


@dataclass(frozen=True, kw_only=True)
class Machines:
    """What a processing job runs on."""

    instance_type: str
    instances: int
    volume_gb: int
    max_runtime_minutes: int


@dataclass(frozen=True, kw_only=True)
class Owner:
    """As whom jobs run: `role`, with `key` of all they write; `subnets` and `security_groups` are ids, none where the account has no
    network of its own.
    """

    role: str
    key: str
    subnets: Sequence[str] = ()
    security_groups: Sequence[str] = ()

    def disk(self, instance_type: str) -> Json:
        """The key of a job's disk, where SageMaker can encrypt it with one."""
        return {} if has_local_storage(instance_type) else {"VolumeKmsKeyId": self.key}


def definition(parameters: Sequence[Json], steps: Sequence[Json]) -> Json:
    """A pipeline's definition."""
    return {"Version": VERSION, "Metadata": {}, "Parameters": list(parameters), "PipelineExperimentConfig": None, "Steps": list(steps)}


def processing(
    name: str,
    command: str,
    owner: Owner,
    machines: Machines,
    *,
    inputs: Sequence[Json],
    outputs: Sequence[Json],
    environment: Mapping[str, Any],
) -> Json:
    """A processing job in the model's own image, which the parameter `ImageUri` names. It calls AWS by itself, so it is not isolated: in a
    network without a way out, it reaches what its own endpoints lead to.
    """
    vpc = {"VpcConfig": {"SecurityGroupIds": list(owner.security_groups), "Subnets": list(owner.subnets)}} if owner.subnets else {}
    cluster = {
        "InstanceType": machines.instance_type,
        "InstanceCount": machines.instances,
        "VolumeSizeInGB": machines.volume_gb,
        **owner.disk(machines.instance_type),
    }
    return {
        "Name": name,
        "Type": "Processing",
        "Arguments": {
            "ProcessingResources": {"ClusterConfig": cluster},
            "AppSpecification": {"ImageUri": parameter_value("ImageUri"), "ContainerArguments": [command]},
            "RoleArn": owner.role,
            "ProcessingInputs": list(inputs),
            "ProcessingOutputConfig": {"Outputs": list(outputs), "KmsKeyId": owner.key},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60 * machines.max_runtime_minutes},
            "Environment": dict(environment),
            "NetworkConfig": {"EnableInterContainerTrafficEncryption": True, "EnableNetworkIsolation": False, **vpc},
        },
        "RetryPolicies": RETRIES,
    }


def parameter(name: str, value: str | None) -> Json:
    """One of a pipeline's parameters; who starts it must give those that have no value."""
    return {"Name": name, "Type": "String", **({} if value is None else {"DefaultValue": value})}


def parameter_value(name: str) -> Json:
    """What a parameter has in an execution."""
    return {"Get": f"Parameters.{name}"}


def of_execution(base: str, *folders: str) -> Json:
    """A place below `base` (`s3://bucket/folder`) that an execution has for itself."""
    return {"Std:Join": {"On": "/", "Values": [base, {"Get": "Execution.PipelineExecutionId"}, *folders]}}


def job_input(name: str, source: Json | str) -> Json:
    """A folder or an object, copied to every instance."""
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


def job_output(name: str, target: Json | str) -> Json:
    """A folder, copied once the job has ended."""
    return {
        "OutputName": name,
        "S3Output": {"S3Uri": target, "LocalPath": f"{PROCESSING}/{name}", "S3UploadMode": "EndOfJob"},
    }
