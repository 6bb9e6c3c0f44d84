"""What SageMaker tells EventBridge of its jobs, models, endpoints, pipelines, packages and cards, when their states change.

By "Events that Amazon SageMaker AI sends to Amazon EventBridge" in its developer guide, whose examples these follow. It has no example of
an endpoint configuration's event and no detail of a model's: there the members of their descriptions are told. Times are milliseconds, as
in most of its examples, where not said otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from localcloud.events import bus

OF_JOBS = {  # the members of a request that its event has
    "training": ("HyperParameters", "AlgorithmSpecification", "InputDataConfig", "OutputDataConfig", "ResourceConfig", "VpcConfig"),
    "processing": (
        *("ProcessingInputs", "ProcessingOutputConfig", "ProcessingResources", "AppSpecification", "NetworkConfig", "ExperimentConfig"),
    ),
    "transform": (
        *("ModelName", "MaxConcurrentTransforms", "ModelClientConfig", "MaxPayloadInMB", "BatchStrategy", "Environment"),
        *("TransformInput", "TransformOutput", "TransformResources", "DataProcessing", "ExperimentConfig"),
    ),
}
OF_TUNING_JOBS = (
    *("HyperParameterTuningJobName", "HyperParameterTuningJobConfig", "TrainingJobDefinition", "HyperParameterTuningJobStatus"),
    *("CreationTime", "LastModifiedTime", "TrainingJobStatusCounters", "ObjectiveStatusCounters"),
)
OF_PACKAGES = (
    *("ModelPackageGroupName", "ModelPackageVersion", "ModelPackageArn", "CreationTime", "InferenceSpecification", "ModelPackageStatus"),
    *("ModelPackageStatusDetails", "CertifyForMarketplace", "ModelApprovalStatus", "MetadataProperties", "ModelMetrics"),
    *("ModelLifeCycle", "LastModifiedTime"),
)
OF_ENDPOINTS = (
    *("EndpointName", "EndpointArn", "EndpointConfigName", "ProductionVariants", "EndpointStatus", "FailureReason", "CreationTime"),
    "LastModifiedTime",
)


def job(kind: str, record: Any, request: Mapping[str, Any]) -> None:
    """A training, processing or transform job (`kind`) is in another state, as moto's `record` of its `request` has it."""
    named = kind.title()
    members = {
        f"{named}JobName": request[f"{named}JobName"],
        f"{named}JobArn": record.arn,
        f"{named}JobStatus": getattr(record, f"{kind}_job_status"),
        "SecondaryStatus": getattr(record, "secondary_status", None),
        "FailureReason": getattr(record, "failure_reason", None),
        **{name: request.get(name) for name in (*OF_JOBS[kind], "RoleArn", "StoppingCondition")},
        "CreationTime": record.creation_time,
        f"{named}StartTime": getattr(record, f"{kind}_start_time", None),
        f"{named}EndTime": getattr(record, f"{kind}_end_time", None),
        "LastModifiedTime": record.last_modified_time,
        "SecondaryStatusTransitions": getattr(record, "secondary_status_transitions", None),
        "Tags": _tags(request),
    }
    _tell(f"SageMaker {named} Job State Change", members, [record.arn])


def tuning_job(record: Any, request: Mapping[str, Any]) -> None:
    """A hyperparameter tuning job is in another state."""
    members = {name: getattr(record, _snake(name), None) for name in OF_TUNING_JOBS}
    members |= {"HyperParameterTuningJobArn": record.arn, "Tags": _tags(request)}
    _tell("SageMaker HyperParameter Tuning Job State Change", members, [record.arn])


def endpoint(record: Any, status: str, pending: Mapping[str, Any] | None = None) -> None:
    """An endpoint is in another state; with `pending`, its PendingDeploymentSummary, its deployment is."""
    known = {
        "EndpointArn": record.arn,
        "FailureReason": record.failure_reason,
        **{name: getattr(record, _snake(name), None) for name in OF_ENDPOINTS if name not in ("EndpointArn", "FailureReason")},
        "EndpointStatus": _snake(status).upper(),
    }
    members = {name: known[name] for name in OF_ENDPOINTS} | {"Tags": _tags({"Tags": record.tags}), "PendingDeploymentSummary": pending}
    _tell(f"SageMaker Endpoint {'Deployment ' if pending else ''}State Change", members, [record.arn])


def endpoint_config(record: Any) -> None:
    """An endpoint configuration was made, or is deleted."""
    members = {name: getattr(record, _snake(name), None) for name in ("EndpointConfigName", "EndpointConfigArn", "CreationTime")}
    described = ("ProductionVariants", "ShadowProductionVariants", "DataCaptureConfig", "KmsKeyId")
    members |= {name: getattr(record, name, None) for name in described}
    _tell("SageMaker Endpoint Config State Change", members, [record.endpoint_config_arn])


def model(record: Any) -> None:
    """A model was made, or is deleted."""
    members = {name: getattr(record, _snake(name), None) for name in ("ModelName", "ExecutionRoleArn", "CreationTime")}
    _tell("SageMaker Model State Change", {**members, "ModelArn": record.arn}, [record.arn])


def package(described: Mapping[str, Any], changed: Iterable[str] | None = None) -> None:
    """A model package, as DescribeModelPackage answers it, is new, or its members `changed`. Times are texts here."""
    members = {name: _text(described.get(name)) for name in OF_PACKAGES}
    members["UpdatedModelPackageFields"] = sorted(changed) if changed else None
    _tell("SageMaker Model Package State Change", members, [described["ModelPackageArn"]])


def card(record: Any) -> None:
    """A version of a model card is new, or in another state. Times are texts here."""
    members = {
        "ModelCardVersion": record.model_card_version,
        "LastModifiedTime": _text(record.last_modified_time),
        "LastModifiedBy": {},
        "CreationTime": _text(record.creation_time),
        "CreatedBy": {},
        "ModelCardName": record.model_card_name,
        "ModelCardStatus": record.model_card_status,
        "AccountId": record.arn.split(":")[4],
        "SecurityConfig": record.security_config or {},
    }
    _tell("SageMaker Model Card State Change", members, [record.arn])


def execution(record: Any, pipeline_arn: str, before: str | None) -> None:
    """An execution of a pipeline is in another state than `before`. Times are texts here."""
    status = record.pipeline_execution_status
    members = {
        "pipelineExecutionDisplayName": record.pipeline_execution_display_name,
        "currentPipelineExecutionStatus": status,
        "previousPipelineExecutionStatus": before,
        "executionStartTime": _text(record.start_time),
        "executionEndTime": _text(record.last_modified_time) if status in ("Succeeded", "Failed", "Stopped") else None,
        "pipelineExecutionDescription": record.pipeline_execution_description,
        "pipelineArn": pipeline_arn,
        "pipelineExecutionArn": record.arn,
    }
    _tell("SageMaker Model Building Pipeline Execution Status Change", members, [pipeline_arn, record.arn])


def step(shown: Mapping[str, Any], kind: str, arns: tuple[str, str], before: str | None) -> None:
    """A step, as ListPipelineExecutionSteps shows it, of this type, pipeline and execution, is in another state. Times are texts here."""
    members = {
        "metadata": _lower(shown["Metadata"]),
        "stepStartTime": _text(shown["StartTime"]),
        "stepEndTime": _text(shown.get("EndTime")),
        "stepName": shown["StepName"],
        "stepType": kind,
        "previousStepStatus": before,
        "currentStepStatus": shown["StepStatus"],
        "failureReason": shown.get("FailureReason"),
        "pipelineArn": arns[0],
        "pipelineExecutionArn": arns[1],
    }
    _tell("SageMaker Model Building Pipeline Execution Step Status Change", members, list(arns))


def _tell(kind: str, members: Mapping[str, Any], resources: list[str]) -> None:
    """Send an event of all members that have a value."""
    _, _, _, region, account, _ = resources[0].split(":", 5)
    detail = {name: _plain(value) for name, value in members.items() if value is not None}
    bus.emit(account, region, source="aws.sagemaker", kind=kind, detail=detail, resources=resources)


def _tags(request: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in request.get("Tags") or []}


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return round(value.replace(tzinfo=UTC).timestamp() * 1000) if isinstance(value, datetime) else value


def _text(value: Any) -> Any:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, date) else value


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _lower(value: Any) -> Any:
    """A step's metadata with names that begin with a small letter."""
    return {f"{key[0].lower()}{key[1:]}": _lower(inner) for key, inner in value.items()} if isinstance(value, Mapping) else value
