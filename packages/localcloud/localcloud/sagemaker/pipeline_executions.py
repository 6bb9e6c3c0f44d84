"""Executions of pipelines: each step as the pipeline's role, as soon as the steps that it needs have succeeded."""

from __future__ import annotations

import contextlib
import json
import random
import string
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.core.utils import utcnow

from localcloud.core.cloud import cloud
from localcloud.core.threads import together
from localcloud.sagemaker import jobs, state_changes, tuning
from localcloud.sagemaker.expressions import Unresolved, evaluate, follow, holds, steps_named
from localcloud.sagemaker.records import reason
from localcloud.sagemaker.retries import Retries
from localcloud.sagemaker.s3_files import split

JOBS = ("Training", "Processing", "Transform")
TYPES = {*JOBS, "Tuning", "Condition", "Fail", "RegisterModel"}


class StepFailed(Exception):
    """Why a step failed, as its FailureReason says it."""


@dataclass
class Step:
    """One step of an execution. `described` is what its Describe call answers; references are read from it. `branch` comes after it."""

    definition: dict[str, Any]
    status: str = "Starting"
    started: datetime = field(default_factory=utcnow)
    ended: datetime | None = None
    failure: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    described: dict[str, Any] = field(default_factory=dict)
    attempts: int = 1
    branch: list[dict[str, Any]] = field(default_factory=list)

    def describe(self) -> dict[str, Any]:
        """The step as ListPipelineExecutionSteps answers it."""
        shown = {
            "StepName": self.definition["Name"],
            "StepDisplayName": self.definition.get("DisplayName"),
            "StepDescription": self.definition.get("Description"),
            "StepStatus": self.status,
            "StartTime": self.started,
            "EndTime": self.ended,
            "FailureReason": self.failure,
            "Metadata": self.metadata,
            "AttemptCount": self.attempts,
        }
        return {k: v for k, v in shown.items() if v is not None}


class Execution:
    """One run of a pipeline. `record` is moto's."""

    def __init__(self, pipeline: Any, record: Any, parameters: dict[str, Any]) -> None:
        self.pipeline, self.record, self.arn = pipeline, record, record.arn
        _, _, _, self.region, self.account, _ = record.arn.split(":", 5)
        self.role = pipeline.role_arn
        self.definition = json.loads(record.pipeline_definition_for_execution)
        self.values = {
            "PipelineExecutionId": record.arn.rpartition("/")[2],
            "PipelineExecutionArn": record.arn,
            "PipelineName": pipeline.pipeline_name,
            "PipelineArn": pipeline.arn,
            "StartDateTime": record.start_time.isoformat(),
            "CurrentDateTime": record.start_time.isoformat(),
        }
        self.parameters = parameters
        self.steps: dict[str, Step] = {}
        self.failure: str | None = None
        self._stopping = False
        self._skipped: set[str] = set()
        self.retried_by: set[str] = set()  # tokens of requests
        self.ended, self._halted = threading.Event(), threading.Event()
        self._changed = threading.Condition(threading.RLock())
        self.sagemaker = cloud().client("sagemaker", role_arn=self.role, region=self.region)
        self._begin(None)

    def _begin(self, before: str | None) -> None:
        self.record.pipeline_execution_failure_reason = None
        self._become("Executing", before)
        threading.Thread(target=self._run, daemon=True).start()

    def retry(self) -> bool:
        """Run again what has not succeeded, with the same parameters; False where the execution neither failed nor was stopped.

        That steps begin with their first attempt again is localcloud's.
        """
        with self._changed:
            before = self.record.pipeline_execution_status
            if before not in ("Failed", "Stopped"):
                return False
            self.steps = {name: step for name, step in self.steps.items() if step.status == "Succeeded"}
            self.failure, self._stopping = None, False
            self._halted.clear()
            self.ended.clear()
            self._begin(before)
        return True

    def stop(self) -> None:
        """Start nothing more, and stop the jobs that run."""
        with self._changed:
            if self.record.pipeline_execution_status != "Executing":
                return
            self._stopping = True
            self._halted.set()
            self._become("Stopping", "Executing")
            running = [s for s in self.steps.values() if s.status in ("Starting", "Executing")]
            for step in running:
                self._turn(step, "Stopping")
            self._changed.notify_all()
        for step in running:
            for kind in JOBS:
                if arn := step.metadata.get(f"{kind}Job", {}).get("Arn"):
                    self._stop_job(kind, arn.rpartition("/")[2])
            if arn := step.metadata.get("TuningJob", {}).get("Arn"):
                self._stop_tuning_job(arn.rpartition("/")[2])

    def _become(self, status: str, before: str | None) -> None:
        self.record.pipeline_execution_status, self.record.last_modified_time = status, utcnow()
        state_changes.execution(self.record, self.pipeline.arn, before)

    def _turn(self, step: Step, status: str) -> None:
        before, step.status = step.status, status
        state_changes.step(step.describe(), step.definition["Type"], (self.pipeline.arn, self.arn), before if before != status else None)

    def _stop_job(self, kind: str, name: str) -> None:
        with contextlib.suppress(ClientError):  # it ended by itself meanwhile
            getattr(self.sagemaker, f"stop_{kind.lower()}_job")(**{f"{kind}JobName": name})

    def _stop_tuning_job(self, name: str) -> None:
        with contextlib.suppress(ClientError):  # it ended by itself meanwhile
            self.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)

    def _run(self) -> None:
        steps = list(_all_steps(self.definition["Steps"]))
        absent = {n for s in steps for n in self._required(s)} - {s["Name"] for s in steps}
        if unknown := [s for s in steps if s["Type"] not in TYPES]:
            self.failure = "; ".join(f"localcloud does not run step {s['Name']} of type {s['Type']}" for s in unknown)
        elif absent:
            self.failure = f"the definition refers to steps that it does not have: {', '.join(sorted(absent))}"
        else:
            self._run_steps(self.definition["Steps"])
        with self._changed:
            status = "Stopped" if self._stopping else "Failed" if self.failure else "Succeeded"
            self.record.pipeline_execution_failure_reason = self.failure
            self._become(status, self.record.pipeline_execution_status)
            self.ended.set()

    def _run_steps(self, definitions: list[dict[str, Any]]) -> None:
        together([partial(self._run_step, definition) for definition in definitions])

    def _run_step(self, definition: dict[str, Any]) -> None:
        required = self._required(definition)
        with self._changed:
            self._changed.wait_for(lambda: self._over() or required & self._skipped or all(self._succeeded(n) for n in required))
            if self._over():
                return
            if required & self._skipped:
                self._skip([definition])
                return
            succeeded = self.steps.get(definition["Name"])  # before a retry
            if succeeded is None:
                step = self.steps[definition["Name"]] = Step(definition)
                self._turn(step, "Starting")
                self._turn(step, "Executing")
        if succeeded:
            self._run_steps(succeeded.branch)
            return
        step.branch, step.failure = self._attempted(step)
        status = "Failed" if step.failure else "Succeeded"
        with self._changed:
            step.ended = utcnow()
            self._turn(step, "Stopped" if self._stopping and status == "Failed" else status)
            if step.status == "Failed":
                self.failure = self.failure or "Step failure: One or multiple steps failed."
                self._halted.set()
            self._changed.notify_all()
        if status == "Succeeded":
            self._run_steps(step.branch)

    def _attempted(self, step: Step) -> tuple[list[dict[str, Any]], str | None]:
        """What a step leads to, and why it failed, once its retry policies give it no further attempt."""
        run, retries = getattr(self, f"_{step.definition['Type'].lower()}"), Retries(step.definition.get("RetryPolicies", []))
        while True:
            problem: Exception
            try:
                return run(step) or [], None
            except (StepFailed, Unresolved) as error:
                problem, failure = error, str(error)
            except (ClientError, BotoCoreError) as error:
                problem, failure = error, f"ClientError: {reason(error)}"
            except Exception as error:  # reported as the step's failure, as SageMaker does with its own
                problem, failure = error, f"InternalServerError: {type(error).__name__}: {reason(error)}"
            seconds = retries.wait_after(problem)
            if seconds is None or cloud().wait(self._halted, seconds):
                return [], failure
            step.attempts += 1

    def _required(self, definition: dict[str, Any]) -> set[str]:
        """The steps to wait for; a Condition's branches wait for their own."""
        used = {k: v for k, v in definition.get("Arguments", {}).items() if k not in ("IfSteps", "ElseSteps")}
        return {*steps_named(used), *(n.rpartition(".")[2] for n in definition.get("DependsOn", []))} - {definition["Name"]}

    def _skip(self, definitions: list[dict[str, Any]]) -> None:
        """Steps that will not run, nor what needs them."""
        with self._changed:
            self._skipped.update(s["Name"] for s in _all_steps(definitions))
            self._changed.notify_all()

    def _over(self) -> bool:
        return self._stopping or self.failure is not None

    def _succeeded(self, name: str) -> bool:
        return name in self.steps and self.steps[name].status == "Succeeded"

    def _evaluate(self, value: Any) -> Any:
        return evaluate(value, self._get, self._read)

    def _get(self, reference: str) -> Any:
        kind, _, rest = reference.partition(".")
        if kind == "Parameters":
            return follow(self.parameters, rest, "the parameters")
        if kind == "Execution":
            return follow(self.values, rest, "the execution")
        name, _, path = rest.partition(".")
        return follow(self.steps[name].described, path, f"step {name}")

    def _read(self, name: str, file: str) -> Any:
        """A property file's JSON, read as the pipeline's role."""
        step = self.steps[name]
        declared = next((f for f in step.definition.get("PropertyFiles", []) if f["PropertyFileName"] == file), None)
        if declared is None:
            raise Unresolved(f"step {name} has no property file {file}")
        folder = follow(step.described, f"ProcessingOutputConfig.Outputs['{declared['OutputName']}'].S3Output.S3Uri", f"step {name}")
        bucket, key = split(f"{folder.rstrip('/')}/{declared['FilePath']}")
        s3 = cloud().client("s3", role_arn=self.role, region=self.region)
        return json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())

    def _training(self, step: Step) -> None:
        self._job(step, "Training")

    def _processing(self, step: Step) -> None:
        self._job(step, "Processing")

    def _transform(self, step: Step) -> None:
        self._job(step, "Transform")

    def _tuning(self, step: Step) -> None:
        """It is described by its tuning job, and by its training jobs, the best first."""
        name = self._name(f"{self.values['PipelineExecutionId']}-{step.definition['Name']}", longest=32)
        request = {**self._evaluate(step.definition["Arguments"]), "HyperParameterTuningJobName": name}
        created = self.sagemaker.create_hyper_parameter_tuning_job(**request)
        with self._changed:
            step.metadata = {"TuningJob": {"Arn": created["HyperParameterTuningJobArn"]}}
            stopping = self._stopping
        if stopping:
            self._stop_tuning_job(name)
        tuning.wait(self.account, self.region, name)
        job = self.sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        objective = job["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]
        order = "Descending" if objective["Type"] == "Maximize" else "Ascending"
        trials = self.sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=name, SortBy="FinalObjectiveMetricValue", SortOrder=order, MaxResults=50
        )
        step.described = {**job, "TrainingJobSummaries": trials["TrainingJobSummaries"]}
        status = job["HyperParameterTuningJobStatus"]
        if status != "Completed":
            raise StepFailed(job.get("FailureReason") or f"Tuning job {name} ended {status}")

    @staticmethod
    def _name(stem: str, *, longest: int) -> str:
        suffix = "".join(random.choices(string.ascii_letters + string.digits, k=10))  # noqa: S311  a name, no secret
        return f"{stem[: longest - 1 - len(suffix)].rstrip('-')}-{suffix}"

    def _job(self, step: Step, kind: str) -> None:
        name = self._name(f"pipelines-{self.values['PipelineExecutionId']}-{step.definition['Name']}", longest=63)
        request = {**self._evaluate(step.definition["Arguments"]), f"{kind}JobName": name}
        created = getattr(self.sagemaker, f"create_{kind.lower()}_job")(**request)
        with self._changed:
            step.metadata = {f"{kind}Job": {"Arn": created[f"{kind}JobArn"]}}
            stopping = self._stopping
        if stopping:
            self._stop_job(kind, request[f"{kind}JobName"])
        jobs.wait(self.account, self.region, kind.lower(), request[f"{kind}JobName"])
        step.described = getattr(self.sagemaker, f"describe_{kind.lower()}_job")(**{f"{kind}JobName": request[f"{kind}JobName"]})
        status = step.described[f"{kind}JobStatus"]
        if status != "Completed":
            raise StepFailed(step.described.get("FailureReason") or f"{kind} job {request[f'{kind}JobName']} ended {status}")

    def _registermodel(self, step: Step) -> None:
        arn = self.sagemaker.create_model_package(**self._evaluate(step.definition["Arguments"]))["ModelPackageArn"]
        step.metadata = {"RegisterModel": {"Arn": arn}}
        step.described = self.sagemaker.describe_model_package(ModelPackageName=arn)

    def _condition(self, step: Step) -> list[dict[str, Any]]:
        arguments = step.definition["Arguments"]
        outcome = all(holds(c, self._get, self._read) for c in arguments["Conditions"])
        step.metadata = {"Condition": {"Outcome": str(outcome)}}
        step.described = {"Outcome": outcome}
        self._skip(arguments.get("ElseSteps" if outcome else "IfSteps") or [])
        return list(arguments.get("IfSteps" if outcome else "ElseSteps") or [])

    def _fail(self, step: Step) -> None:
        message = str(self._evaluate(step.definition["Arguments"]["ErrorMessage"]))
        step.metadata = {"Fail": {"ErrorMessage": message}}
        raise StepFailed(message)


def _all_steps(definitions: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for step in definitions:
        yield step
        for branch in ("IfSteps", "ElseSteps"):
            yield from _all_steps(step.get("Arguments", {}).get(branch) or [])
