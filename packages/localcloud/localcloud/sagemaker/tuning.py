"""Hyperparameter tuning jobs: each of their trials is a training job that runs.

The search is random whatever strategy was asked for, and DescribeHyperParameterTuningJob says so: its Strategy is `Random`. A trial's
container gets no arguments but `train`, as on AWS, whose description of a trial's algorithm has none.
"""

from __future__ import annotations

import copy
import threading
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow

from localcloud.core.errors import error, invalid
from localcloud.core.threads import together
from localcloud.sagemaker import jobs, quotas, search_spaces, state_changes
from localcloud.sagemaker.records import Request, answer, backend, reason, refuse
from localcloud.sagemaker.training import Training, plan

MOST_JOBS, MOST_PARALLEL, MOST_METRICS = 750, 10, 20
HOPELESS = 5  # failed trials without one that succeeded, after which AWS begins no more; so its FailureReason says
PAGE = 10
COUNTERS = {
    "Completed": ["Completed"],
    "InProgress": ["InProgress", "Stopping"],
    "NonRetryableError": ["Failed"],
    "Stopped": ["Stopped"],
}
OF_TRIALS = (
    *("RoleArn", "InputDataConfig", "VpcConfig", "OutputDataConfig", "ResourceConfig", "StoppingCondition", "EnableNetworkIsolation"),
    *("EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining", "CheckpointConfig", "RetryStrategy", "Environment"),
)
_jobs: dict[tuple[str, str, str], Tuning] = {}


def install() -> None:
    """Answer SageMaker's calls about tuning jobs from trials that run."""
    answer((create_hyper_parameter_tuning_job, describe_hyper_parameter_tuning_job, stop_hyper_parameter_tuning_job))
    answer((list_training_jobs_for_hyper_parameter_tuning_job,))


def shutdown() -> None:
    """Begin no more trials; those that run are ended as training jobs."""
    for job in _jobs.values():
        job.begin_no_more()
    _jobs.clear()


def wait(account: str, region: str, name: str) -> None:
    """Return once the job has ended."""
    _jobs[account, region, name].ended.wait()


@dataclass
class Trial:
    """One trial: the values that were drawn for it, and its training job."""

    tuned: dict[str, str]
    job: Training

    @property
    def status(self) -> str:
        """Its training job's."""
        return str(self.job.record.training_job_status)

    def objective(self, metric: str) -> float | None:
        """The metric's last value; None where the job has not completed, or never printed it."""
        known = self.job.metrics.get(metric) if self.status == "Completed" else None
        return None if known is None else float(known["Value"])


class Tuning:
    """One running tuning job. `record` is moto's, and what list calls answer from."""

    def __init__(self, account: str, region: str, request: Request) -> None:
        self.account, self.region, self.request = account, region, request
        self.name: str = request["HyperParameterTuningJobName"]
        self.config, self.definition = request["HyperParameterTuningJobConfig"], request["TrainingJobDefinition"]
        _check(self.config, self.definition)
        objective = self.config["HyperParameterTuningJobObjective"]
        self.metric, self.maximize = objective["MetricName"], objective["Type"] == "Maximize"
        limits = self.config["ResourceLimits"]
        self.parallel: int = limits["MaxParallelTrainingJobs"]
        cluster = self.definition["ResourceConfig"]
        wanted = {cluster["InstanceType"]: self.parallel * cluster.get("InstanceCount", 1)}
        quotas.require(quotas.TRAINING, jobs.machines(account, region, "training"), wanted)
        plan(self._trial(self.name, {}))  # what no trial could do is refused before the first
        seed = str(self.config.get("RandomSeed", self.name))
        self._left = iter(search_spaces.drawn(self.config["ParameterRanges"], limits["MaxNumberOfTrainingJobs"], seed))
        self.trials: list[Trial] = []
        self.failure: str | None = None
        self.ended, self._stopping, self._lock = threading.Event(), threading.Event(), threading.Lock()
        self.record = self._kept(backend(account, region))
        self.record.hyper_parameter_tuning_end_time = None
        self._become("InProgress")
        _jobs[account, region, self.name] = self
        threading.Thread(target=self._run, daemon=True).start()

    def _kept(self, records: Any) -> Any:
        """moto's record, which lists and tags are answered from."""
        records.create_hyper_parameter_tuning_job(
            hyper_parameter_tuning_job_name=self.name,
            hyper_parameter_tuning_job_config={**self.config, "Strategy": "Random"},
            training_job_definition=self.definition,
            training_job_definitions=None,
            warm_start_config=None,
            tags=self.request.get("Tags") or [],
            autotune=None,
        )
        return records.hyper_parameter_tuning_jobs[self.name]

    @property
    def best(self) -> Trial | None:
        """The trial with the best objective, of equal ones the first; None while there is none."""
        measured = self._measured()
        sign = 1 if self.maximize else -1
        return max(measured, key=lambda trial: sign * (trial.objective(self.metric) or 0.0), default=None)

    def begin_no_more(self) -> None:
        """What runs goes on."""
        self._stopping.set()

    def stop(self) -> None:
        """Begin no more trials, and stop those that run."""
        with self._lock:
            if self.ended.is_set():
                return
            self.begin_no_more()
            self._become("Stopping")
            running = [trial.job for trial in self.trials]
        for job in running:
            job.stop()

    def describe(self) -> dict[str, Any]:
        """The job as DescribeHyperParameterTuningJob answers it."""
        best = self.best
        shown = {
            "HyperParameterTuningJobName": self.name,
            "HyperParameterTuningJobArn": self.record.arn,
            "HyperParameterTuningJobConfig": self.record.hyper_parameter_tuning_job_config,
            "TrainingJobDefinition": self.definition,
            "HyperParameterTuningJobStatus": self.record.hyper_parameter_tuning_job_status,
            "CreationTime": self.record.creation_time,
            "HyperParameterTuningEndTime": self.record.hyper_parameter_tuning_end_time,
            "LastModifiedTime": self.record.last_modified_time,
            "TrainingJobStatusCounters": self.record.training_job_status_counters,
            "ObjectiveStatusCounters": self.record.objective_status_counters,
            "BestTrainingJob": self.summary(best) if best else None,
            "FailureReason": self.failure,
        }
        return {name: value for name, value in shown.items() if value is not None}

    def summary(self, trial: Trial) -> dict[str, Any]:
        """A trial as lists of trials show it."""
        record, objective = trial.job.record, trial.objective(self.metric)
        ended = trial.status in ("Completed", "Failed", "Stopped")
        final = {"Type": self.config["HyperParameterTuningJobObjective"]["Type"], "MetricName": self.metric, "Value": objective}
        shown = {
            "TrainingJobDefinitionName": self.definition.get("DefinitionName"),
            "TrainingJobName": trial.job.name,
            "TrainingJobArn": record.arn,
            "CreationTime": record.creation_time,
            "TrainingStartTime": record.training_start_time,
            "TrainingEndTime": record.training_end_time,
            "TrainingJobStatus": trial.status,
            "TunedHyperParameters": trial.tuned,
            "FailureReason": getattr(record, "failure_reason", None),
            "FinalHyperParameterTuningJobObjectiveMetric": None if objective is None else final,
            "ObjectiveStatus": "Pending" if not ended else "Failed" if objective is None else "Succeeded",
        }
        return {name: value for name, value in shown.items() if value is not None}

    def _measured(self) -> list[Trial]:
        return [trial for trial in self.trials if trial.objective(self.metric) is not None]

    def _run(self) -> None:
        together([self._work] * self.parallel)
        with self._lock:
            if not self.failure and not self._stopping.is_set() and not self._measured():
                self.failure = "All training jobs failed. Please take a look at the training jobs failures to get more details."
            self.record.hyper_parameter_tuning_end_time = utcnow()
            self._become("Failed" if self.failure else "Stopped" if self._stopping.is_set() else "Completed")
            self.ended.set()

    def _work(self) -> None:
        """One trial after the other."""
        while trial := self._next():
            trial.job.ended.wait()
            with self._lock:
                self._count()
                over = [each for each in self.trials if each.job.ended.is_set()]
                if len(over) >= HOPELESS and not self._measured():
                    self.failure = f"No training job succeeded after {HOPELESS} attempts. "
                    self.failure += "Please take a look at the training job failures to get more details."

    def _next(self) -> Trial | None:
        with self._lock:
            tuned = None if self.failure or self._stopping.is_set() else next(self._left, None)
            if tuned is None:
                return None
            name = f"{self.name}-{len(self.trials) + 1:03}-{uuid.uuid4().hex[:8]}"
            try:
                request = self._trial(name, tuned)
                trial = Trial(tuned, Training(self.account, self.region, request, plan(request)))
            except JsonRESTError as problem:
                self.failure = reason(problem)
                return None
            trial.job.record.tuning_job_arn = self.record.arn
            self.trials.append(trial)
            self._count()
            return trial

    def _trial(self, name: str, tuned: dict[str, str]) -> Request:
        """The request for a trial's training job. Tags of the tuning job are also its trials'."""
        of_definition = {member: copy.deepcopy(self.definition[member]) for member in OF_TRIALS if member in self.definition}
        static = self.definition.get("StaticHyperParameters", {})
        return {
            **of_definition,
            "TrainingJobName": name,
            "AlgorithmSpecification": copy.deepcopy(self.definition["AlgorithmSpecification"]),
            "HyperParameters": {**static, **tuned, "_tuning_objective_metric": self.metric},
            "Tags": self.request.get("Tags") or [],
        }

    def _become(self, status: str) -> None:
        self.record.hyper_parameter_tuning_job_status = status
        self._count()
        state_changes.tuning_job(self.record, self.request)

    def _count(self) -> None:
        statuses = [trial.status for trial in self.trials]
        objectives = [self.summary(trial)["ObjectiveStatus"] for trial in self.trials]
        of_jobs = {name: sum(status in counted for status in statuses) for name, counted in COUNTERS.items()}
        self.record.training_job_status_counters = {**of_jobs, "RetryableError": 0}
        self.record.objective_status_counters = {name: objectives.count(name) for name in ("Succeeded", "Pending", "Failed")}
        self.record.last_modified_time = utcnow()


def _check(config: dict[str, Any], definition: dict[str, Any]) -> None:
    """Raise an AWS error for what SageMaker would refuse, or localcloud cannot honour."""
    refuse(config, ("StrategyConfig", "TuningJobCompletionCriteria"), "CreateHyperParameterTuningJob")
    refuse(definition, ("TuningObjective", "HyperParameterRanges", "HyperParameterTuningResourceConfig"), "a TrainingJobDefinition")
    if config["Strategy"] not in ("Bayesian", "Random") or config.get("TrainingJobEarlyStoppingType", "Off") != "Off":
        raise invalid("localcloud searches at random in place of Bayesian and Random, without early stopping, and in place of nothing else")
    limits, metrics = config["ResourceLimits"], definition["AlgorithmSpecification"].get("MetricDefinitions", [])
    refuse(limits, ("MaxRuntimeInSeconds",), "CreateHyperParameterTuningJob's ResourceLimits")
    refuse(config.get("ParameterRanges", {}), ("AutoParameters",), "CreateHyperParameterTuningJob's ParameterRanges")
    for member, most in (("MaxNumberOfTrainingJobs", MOST_JOBS), ("MaxParallelTrainingJobs", MOST_PARALLEL)):
        if not 1 <= limits.get(member, 0) <= most:
            raise error("ResourceLimitExceeded", f"{member} is {limits.get(member, 'not given')}: accepted are 1 to {most}")
    if len(metrics) > MOST_METRICS:
        raise error("ResourceLimitExceeded", f"A tuning job has at most {MOST_METRICS} metrics, found {len(metrics)}")
    objective = config.get("HyperParameterTuningJobObjective", {}).get("MetricName")
    if objective not in {metric["Name"] for metric in metrics}:
        raise invalid(f"The objective metric {objective} is not among the MetricDefinitions of the training jobs")
    search_spaces.check(config.get("ParameterRanges", {}), definition.get("StaticHyperParameters", {}))


def create_hyper_parameter_tuning_job(self: Any) -> ActionResult:
    request = self._get_params()
    refuse(request, ("TrainingJobDefinitions", "WarmStartConfig", "Autotune"), "CreateHyperParameterTuningJob")
    if "TrainingJobDefinition" not in request:
        raise invalid("CreateHyperParameterTuningJob needs a TrainingJobDefinition")
    job = Tuning(self.current_account, self.region, request)
    return ActionResult({"HyperParameterTuningJobArn": job.record.arn})


def describe_hyper_parameter_tuning_job(self: Any) -> ActionResult:
    return ActionResult(_job(self).describe())


def stop_hyper_parameter_tuning_job(self: Any) -> EmptyResult:
    job = _job(self)
    if job.ended.is_set():
        status = job.record.hyper_parameter_tuning_job_status
        raise invalid(f"The request was rejected because the hyperparameter tuning job is in status {status}.")
    job.stop()
    return EmptyResult()


def list_training_jobs_for_hyper_parameter_tuning_job(self: Any) -> ActionResult:
    job = _job(self)
    by, status = self._get_param("SortBy") or "Name", self._get_param("StatusEquals")
    every = [shown for trial in list(job.trials) if status in (None, (shown := job.summary(trial))["TrainingJobStatus"])]
    trials = _sorted(every, by, descending=self._get_param("SortOrder") == "Descending")
    first, size = int(self._get_param("NextToken") or 0), self._get_param("MaxResults") or PAGE
    more = {"NextToken": str(first + size)} if len(trials) > first + size else {}
    return ActionResult({"TrainingJobSummaries": trials[first : first + size], **more})


def _sorted(trials: Iterable[dict[str, Any]], by: str, *, descending: bool) -> list[dict[str, Any]]:
    """By the final objective, those without one are not listed (API Reference, `SortBy`)."""
    final = "FinalHyperParameterTuningJobObjectiveMetric"
    if by == "FinalObjectiveMetricValue":
        return sorted((trial for trial in trials if final in trial), key=lambda trial: float(trial[final]["Value"]), reverse=descending)
    member = {"Name": "TrainingJobName", "Status": "TrainingJobStatus"}.get(by, by)
    return sorted(trials, key=lambda trial: str(trial[member]), reverse=descending)


def _job(self: Any) -> Tuning:
    name = self._get_param("HyperParameterTuningJobName")
    job = _jobs.get((self.current_account, self.region, name))
    if job is None:
        raise error("ResourceNotFound", f"Could not find hyper parameter tuning job {name}.")
    return job
