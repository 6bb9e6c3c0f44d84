"""SageMaker's pipeline calls, answered from executions that run."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.sagemaker.responses import SageMakerResponse

from localcloud.core.cloud import cloud
from localcloud.core.errors import error, invalid
from localcloud.events import targets
from localcloud.sagemaker.pipeline_executions import Execution
from localcloud.sagemaker.records import answer
from localcloud.sagemaker.roles import assumable

JSON_TYPES: dict[str, Callable[[str], Any]] = {
    "Integer": int,
    "Float": float,
    "Boolean": lambda text: text.lower() == "true",
    "String": str,
}
_executions: dict[str, Execution] = {}
_update_record: Callable[[Any], ActionResult] = SageMakerResponse.update_pipeline


def install() -> None:
    """Put these answers in the place of moto's."""
    answer((update_pipeline, start_pipeline_execution, stop_pipeline_execution, describe_pipeline_execution))
    answer((retry_pipeline_execution, list_pipeline_executions, list_pipeline_execution_steps))
    targets.senders["sagemaker:pipeline"] = _started_by_target


def shutdown() -> None:
    """Stop every execution."""
    for execution in _executions.values():
        execution.stop()
    _executions.clear()


def wait(arn: str) -> None:
    """Return once the execution is over."""
    _executions[arn].ended.wait()


def _pipeline(self: Any) -> Any:
    name = self._get_param("PipelineName").rpartition("/")[2]
    if name not in self.sagemaker_backend.pipelines:
        raise error("ResourceNotFound", f"Pipeline '{name}' does not exist.")
    return self.sagemaker_backend.pipelines[name]


def _parameters(definition: dict[str, Any], chosen: list[dict[str, str]]) -> dict[str, Any]:
    """Each parameter's value in its type. Raises an AWS error for one that is missing, unknown or of another type."""
    declared = {p["Name"]: p for p in definition.get("Parameters", [])}
    values = {name: p["DefaultValue"] for name, p in declared.items() if "DefaultValue" in p}
    for parameter in chosen:
        name, text = parameter["Name"], parameter["Value"]
        if name not in declared:
            raise invalid(f"Unknown parameters: [{name}]")
        try:
            values[name] = JSON_TYPES[declared[name]["Type"]](text)
        except ValueError as problem:
            raise invalid(f"parameter {name} is of type {declared[name]['Type']}, found {text!r}") from problem
    if missing := sorted(set(declared) - set(values)):
        raise invalid(f"Missing required parameters: {missing}")
    return values


def _versions(pipeline: Any) -> list[str]:
    """Every definition that it has had, oldest first. The number of one, from 1 on, is its PipelineVersionId."""
    versions: list[str] = vars(pipeline).setdefault("versions", [pipeline.pipeline_definition])
    return versions


def update_pipeline(self: Any) -> ActionResult:
    pipeline = _pipeline(self)
    versions = _versions(pipeline)
    _update_record(self)
    versions.append(pipeline.pipeline_definition)
    return ActionResult({"PipelineArn": pipeline.arn, "PipelineVersionId": len(versions)})


def _definition(pipeline: Any, version: int | None) -> str:
    """Of a version, else of the newest. Raises an AWS error where there is none."""
    versions = _versions(pipeline)
    if version is not None and not 1 <= version <= len(versions):
        raise error("ResourceNotFound", f"Pipeline '{pipeline.pipeline_name}' has no version {version}.")
    return versions[version - 1 if version else -1]


def start_pipeline_execution(self: Any) -> ActionResult:
    pipeline, token = _pipeline(self), self._get_param("ClientRequestToken")
    for record in pipeline.pipeline_executions.values():
        if token and record.client_request_token == token:
            return ActionResult({"PipelineExecutionArn": record.arn})
    chosen = self._get_param("PipelineParameters") or []
    assumable(pipeline.role_arn)
    definition = _definition(pipeline, self._get_param("PipelineVersionId"))
    parameters = _parameters(json.loads(definition), chosen)
    started = self.sagemaker_backend.start_pipeline_execution(
        pipeline.pipeline_name,
        self._get_param("PipelineExecutionDisplayName"),
        chosen,
        self._get_param("PipelineExecutionDescription"),
        self._get_param("ParallelismConfiguration"),
        token,
    )
    arn = started["PipelineExecutionArn"]
    record = pipeline.pipeline_executions[arn]
    record.pipeline_definition_for_execution = definition
    _executions[arn] = Execution(pipeline, record, parameters)
    return ActionResult(started)


def _started_by_target(delivery: targets.Delivery) -> None:
    """Start a pipeline that is the target of a rule or of a schedule, as the target's role."""
    role = targets.acts_as(delivery, "sagemaker:StartPipelineExecution")
    client = cloud().client("sagemaker", role_arn=role, region=targets.where(delivery.arn)[1])
    parameters = (delivery.target.get("SageMakerPipelineParameters") or {}).get("PipelineParameterList", [])
    client.start_pipeline_execution(
        PipelineName=delivery.arn, ClientRequestToken=str(uuid.uuid4()), **({"PipelineParameters": parameters} if parameters else {})
    )


def _execution(self: Any) -> Execution:
    arn = self._get_param("PipelineExecutionArn")
    if arn not in _executions or _executions[arn].account != self.current_account:
        raise error("ResourceNotFound", f"Pipeline execution with ARN {arn} does not exist.")
    return _executions[arn]


def stop_pipeline_execution(self: Any) -> ActionResult:
    execution = _execution(self)
    if execution.record.pipeline_execution_status != "Executing":
        raise invalid(
            f"Pipeline execution {execution.arn} is {execution.record.pipeline_execution_status}: only a running one can be stopped"
        )
    execution.stop()
    return ActionResult({"PipelineExecutionArn": execution.arn})


def retry_pipeline_execution(self: Any) -> ActionResult:
    execution, token = _execution(self), self._get_param("ClientRequestToken")
    if token not in execution.retried_by:
        if not execution.retry():
            status = execution.record.pipeline_execution_status
            raise invalid(f"Pipeline execution {execution.arn} is {status}: only one that failed or was stopped can be retried")
        execution.retried_by.add(token)
    return ActionResult({"PipelineExecutionArn": execution.arn})


def _summary(record: Any) -> dict[str, Any]:
    shown = {
        "PipelineExecutionArn": record.arn,
        "PipelineExecutionDisplayName": record.pipeline_execution_display_name,
        "PipelineExecutionDescription": record.pipeline_execution_description,
        "PipelineExecutionStatus": record.pipeline_execution_status,
    }
    return {k: v for k, v in shown.items() if v is not None}


def describe_pipeline_execution(self: Any) -> ActionResult:
    execution = _execution(self)
    record = execution.record
    shown = {
        **_summary(record),
        "PipelineArn": execution.pipeline.arn,
        "FailureReason": record.pipeline_execution_failure_reason,
        "CreationTime": record.creation_time,
        "LastModifiedTime": record.last_modified_time,
        "CreatedBy": record.created_by,
        "LastModifiedBy": record.last_modified_by,
        "ParallelismConfiguration": record.parallelism_configuration,
        "RoleArn": execution.role,
    }
    return ActionResult({k: v for k, v in shown.items() if v is not None})


def list_pipeline_executions(self: Any) -> ActionResult:
    records = sorted(
        _pipeline(self).pipeline_executions.values(), key=lambda r: r.start_time, reverse=self._get_param("SortOrder") != "Ascending"
    )
    shown = [
        {
            **_summary(r),
            "StartTime": r.start_time,
            **({"PipelineExecutionFailureReason": f} if (f := r.pipeline_execution_failure_reason) else {}),
        }
        for r in records
    ]
    return ActionResult({"PipelineExecutionSummaries": shown[: self._get_param("MaxResults")]})


def list_pipeline_execution_steps(self: Any) -> ActionResult:
    steps = sorted(_execution(self).steps.values(), key=lambda s: s.started, reverse=self._get_param("SortOrder") != "Ascending")
    return ActionResult({"PipelineExecutionSteps": [s.describe() for s in steps]})
