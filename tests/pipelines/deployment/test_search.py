"""What a search has tried comes into the evidence whole, and must fit what was trained."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.deployment import search
from pipelines.evidence import document
from pipelines.evidence.document import Evaluation, Search, Trial
from tests.support import sample
from tests.support.fakes import Fake

HOME = f"arn:aws:sagemaker:{sample.HOME.region}:{sample.HOME.id}"
RUN, JOB = f"{HOME}:pipeline/p/execution/abcdefghijkl", f"{HOME}:hyper-parameter-tuning-job/abcdefghijkl-Search-1"

WHY = "AlgorithmError: eta"


def summary(number: int, status: str = "Completed", **more: Any) -> dict[str, Any]:
    tuned = {"max_depth": str(number), "eta": f"0.{number}"}
    return {"TrainingJobName": f"trial-{number}", "TrainingJobStatus": status, "TunedHyperParameters": tuned, **more}


def value(figure: float) -> dict[str, Any]:
    return {"FinalHyperParameterTuningJobObjectiveMetric": {"Type": "Maximize", "MetricName": "validation_roc_auc", "Value": figure}}


def sagemaker(*steps: dict[str, Any]) -> Fake:
    """A SageMaker with a run of these steps, and with a tuning job of three trials."""
    config = {"Strategy": "Bayesian", "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "validation_roc_auc"}}
    listed = [summary(1, **value(0.7)), summary(2, **value(0.75)), summary(3, "Failed", FailureReason=WHY)]
    return Fake(
        list_pipeline_execution_steps=lambda **_: {"PipelineExecutionSteps": list(steps)},
        describe_hyper_parameter_tuning_job=lambda **_: {
            "HyperParameterTuningJobConfig": config,
            "BestTrainingJob": {"TrainingJobName": "trial-2"},
        },
        list_training_jobs_for_hyper_parameter_tuning_job=lambda **_: {"TrainingJobSummaries": listed},
    )


SEARCHED = {"StepName": "Search", "Metadata": {"TuningJob": {"Arn": JOB}}}
TRAINED = {"StepName": "Train", "Metadata": {"TrainingJob": {"Arn": f"{HOME}:training-job/t"}}}


@pytest.fixture
def found() -> Search:
    known = search.of_run(sagemaker(TRAINED, SEARCHED), RUN)
    assert known is not None
    return known


def evaluation(**hyperparameters: float | str) -> Evaluation:
    return sample.evidence().evaluation.model_copy(update={"hyperparameters": hyperparameters or None})


def test_every_trial_is_told_in_its_order_those_that_failed_too(found: Search) -> None:
    assert (found.tuning_job, found.best) == (JOB, "trial-2")
    assert (found.strategy, found.objective, found.goal) == ("Bayesian", "validation_roc_auc", "Maximize")
    assert found.trials == [
        Trial(job="trial-1", status="Completed", hyperparameters={"eta": "0.1", "max_depth": "1"}, objective=0.7, reason=""),
        Trial(job="trial-2", status="Completed", hyperparameters={"eta": "0.2", "max_depth": "2"}, objective=0.75, reason=""),
        Trial(job="trial-3", status="Failed", hyperparameters={"eta": "0.3", "max_depth": "3"}, objective=None, reason=WHY),
    ]


def test_a_run_without_a_search_has_none() -> None:
    assert search.of_run(sagemaker(TRAINED, {"StepName": "Gate"}), RUN) is None


def test_what_won_was_trained(found: Search) -> None:
    assert list(search.doubts(found, evaluation(eta=0.2, max_depth=2, rounds=10))) == []


@pytest.mark.parametrize(
    ("hyperparameters", "doubt"),
    [
        ({"eta": 0.3, "max_depth": 2}, "search: eta is 0.2 in the best trial, 0.3 in evaluation.json"),
        ({"eta": 0.2}, "search: max_depth is 2 in the best trial, None in evaluation.json"),
    ],
)
def test_what_was_trained_instead_is_doubted(found: Search, hyperparameters: dict[str, float], doubt: str) -> None:
    assert list(search.doubts(found, evaluation(**hyperparameters))) == [doubt]


def test_a_search_that_was_asked_for_and_not_made_is_doubted() -> None:
    assert list(search.doubts(None, evaluation())) == ["search: model.toml has one, the training run had none"]


def test_a_winner_that_nobody_lists_is_doubted(found: Search) -> None:
    lost = found.model_copy(update={"best": "trial-9"})

    assert list(search.doubts(lost, evaluation(eta=0.2))) == ["search: the best trial trial-9 is not among the 3 that SageMaker lists"]


def test_evidence_without_a_search_keeps_its_bytes_and_with_one_is_read_again(found: Search) -> None:
    before = sample.evidence()
    after = before.model_copy(update={"search": found, "evaluation": evaluation(eta=0.2, max_depth=2)})

    assert b'"search"' not in document.canonical(before)
    assert b'"hyperparameters"' not in document.canonical(before)
    assert document.load_evidence(document.canonical(after)) == after
