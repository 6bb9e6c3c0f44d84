"""A push that asks for a search: trials run, what won is trained and goes on, and its evidence tells of all of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

import naming
from pipelines.evidence import document, pack
from pipelines.evidence.document import Evidence
from tests.reference import CONFIG, MODEL
from tests.support.fork import Fork

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.aws("Search: tuning jobs and their trials")]
SEARCH = """search.jobs = 3
search.parallel = 2
search.ranges.eta = { minimum = 0.1, maximum = 0.3, scale = "log" }
search.ranges.max_depth = { minimum = 3, maximum = 6 }"""
COMMANDS = {"one-job": "prepare search", "separate": "search"}  # of a trial, by the form of training


@pytest.fixture(scope="module", params=COMMANDS)
def steps(request: pytest.FixtureRequest) -> str:
    """The form of training."""
    form: str = request.param
    return form


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory, steps: str) -> Iterator[Fork]:
    """A clone whose model asks for a search."""
    asked = f'steps = "{steps}"\n{SEARCH}'
    with Fork.up(tmp_path_factory.mktemp("fork"), edit=(f"model_code/{MODEL}/model.toml", 'steps = "one-job"', asked)) as made:
        yield made


@pytest.fixture(scope="module")
def delivered(fork: Fork) -> dict[str, Any]:
    """What the stage Train exported, once the candidate waits for a person."""
    _, execution = fork.push("search for hyperparameters")
    fork.stop_others()
    fork.wait(execution, "Approval", "InProgress")
    variables: dict[str, Any] = fork.actions(execution)["Train"]["output"]["outputVariables"]
    return variables


@pytest.fixture(scope="module")
def evidence(fork: Fork, delivered: dict[str, Any]) -> Evidence:
    bucket = f"s3://{naming.artifacts_bucket(CONFIG, MODEL)}"
    content = pack.read(fork.client("s3"), pack.evidence_uri(bucket, delivered["MODEL_PACKAGE_ARN"]))
    assert content
    return document.load_evidence(content)


def test_what_won_was_trained_and_the_evidence_tells_of_every_trial(fork: Fork, delivered: dict[str, Any], evidence: Evidence) -> None:
    sagemaker, search = fork.client("sagemaker"), evidence.search
    assert search
    steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=delivered["PIPELINE_EXECUTION_ARN"], SortOrder="Ascending")
    metadata = {step["StepName"]: step["Metadata"] for step in steps["PipelineExecutionSteps"]}
    job = sagemaker.describe_training_job(TrainingJobName=metadata["Train"]["TrainingJob"]["Arn"].rpartition("/")[2])
    best = max(search.trials, key=lambda trial: trial.objective or 0)

    assert search.tuning_job == metadata["Search"]["TuningJob"]["Arn"]
    assert [trial.status for trial in search.trials] == ["Completed"] * 3
    assert all(trial.objective and trial.objective > 0.6 for trial in search.trials)
    assert search.best == best.job
    assert best.hyperparameters.items() <= job["HyperParameters"].items()
    assert evidence.evaluation.hyperparameters
    assert evidence.evaluation.hyperparameters["eta"] == float(best.hyperparameters["eta"])
    assert evidence.evaluation.hyperparameters["max_depth"] == int(best.hyperparameters["max_depth"])


def test_trials_ran_closed_and_on_what_was_prepared_for_training(fork: Fork, steps: str, evidence: Evidence) -> None:
    assert evidence.search
    described = [fork.client("sagemaker").describe_training_job(TrainingJobName=trial.job) for trial in evidence.search.trials]

    assert all(job["EnableNetworkIsolation"] and job["EnableInterContainerTrafficEncryption"] for job in described)
    assert {job["Environment"]["TRIAL_COMMANDS"] for job in described} == {COMMANDS[steps]}
    printed = [{metric["MetricName"] for metric in job["FinalMetricDataList"]} for job in described]
    assert all("validation_roc_auc" in names for names in printed)


def test_the_road_command_reads_the_trials_logs(fork: Fork, delivered: dict[str, Any]) -> None:
    logs = fork.road("logs", MODEL, "--stage", naming.TRAIN).stdout

    assert delivered["MODEL_PACKAGE_ARN"] in logs
    for number in (1, 2, 3):
        (line,) = [each for each in logs.splitlines() if each.startswith(f"Train/Search/{number}") and "metric validation_roc_auc=" in each]
        assert json.loads(line.rpartition("=")[2]) > 0.6
