"""What a training run's search has tried, as SageMaker keeps it, for the evidence: every trial, and which of them won."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipelines.evidence.document import Evaluation, Search, Trial

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker.type_defs import HyperParameterTrainingJobSummaryTypeDef as Summary


def of_run(sagemaker: SageMakerClient, execution_arn: str) -> Search | None:
    """The search of a run of the training pipeline; None where it had none."""
    pages = sagemaker.get_paginator("list_pipeline_execution_steps").paginate(PipelineExecutionArn=execution_arn)
    steps = (step.get("Metadata", {}) for page in pages for step in page["PipelineExecutionSteps"])
    arns = [metadata["TuningJob"]["Arn"] for metadata in steps if "TuningJob" in metadata]
    return _read(sagemaker, arns[0]) if arns else None


def doubts(search: Search | None, evaluation: Evaluation) -> Iterator[str]:
    """Where the search that `model.toml` asks for and what was trained do not fit; a sentence each."""
    if search is None:
        yield "search: model.toml has one, the training run had none"
        return
    won = next((trial for trial in search.trials if trial.job == search.best), None)
    if won is None:
        yield f"search: the best trial {search.best} is not among the {len(search.trials)} that SageMaker lists"
        return
    trained = evaluation.hyperparameters or {}
    for name, text in won.hyperparameters.items():
        value = trained.get(name)
        if value is None or type(value)(text) != value:
            yield f"search: {name} is {text} in the best trial, {value} in evaluation.json"


def _read(sagemaker: SageMakerClient, arn: str) -> Search:
    name = arn.rpartition("/")[2]
    job = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    config = job["HyperParameterTuningJobConfig"]
    pages = sagemaker.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
        HyperParameterTuningJobName=name, SortBy="CreationTime", SortOrder="Ascending"
    )
    return Search(
        tuning_job=arn,
        strategy=config["Strategy"],
        objective=config["HyperParameterTuningJobObjective"]["MetricName"],
        goal=config["HyperParameterTuningJobObjective"]["Type"],
        best=job["BestTrainingJob"]["TrainingJobName"],
        trials=[_trial(trial) for page in pages for trial in page["TrainingJobSummaries"]],
    )


def _trial(summary: Summary) -> Trial:
    final = summary.get("FinalHyperParameterTuningJobObjectiveMetric")
    return Trial(
        job=summary["TrainingJobName"],
        status=summary["TrainingJobStatus"],
        hyperparameters=dict(sorted(summary["TunedHyperParameters"].items())),
        objective=float(final["Value"]) if final else None,
        reason=summary.get("FailureReason", ""),
    )
