"""A training run that outlasts the action that started it: the actions after it wait on, and Staging gets what the run registered.

The row of actions comes with the push that asks for it: Update deploys it, and the execution that starts then takes it.
"""

from __future__ import annotations

import json
from itertools import takewhile
from typing import Any

import pytest

import naming
from localcloud.testing.waiting import until
from pipelines.waiting import UNFINISHED, waits
from tests.reference import CONFIG, MODEL
from tests.support.fork import PIPELINE, Fork
from tests.support.layouts import trained_for

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.laptop("a training that outlasts eight hours")]
DAYS = 3 * 24 * 60  # minutes


@pytest.fixture(scope="module")
def staging(fork: Fork) -> dict[str, Any]:
    """The action that deploys what was trained, once it has begun. An action of Train waits for a second."""
    fork.edit(f"model_code/{MODEL}/model.toml", "max_runtime_minutes = 60\n", f"max_runtime_minutes = {DAYS}\n")
    fork.edit("pipelines/deployment/training_run.py", "minutes=LONGEST_WAIT", "minutes=1 / 60")
    _, pushed = fork.push("train for three days")
    fork.stop_others()
    fork.wait(pushed, naming.UPDATE, "Succeeded")
    execution = until(lambda: newest if (newest := fork.executions()[0]["pipelineExecutionId"]) != pushed else None)
    begun = fork.wait(execution, naming.stage(CONFIG.environments[0]), "InProgress", "Succeeded")
    fork.client("codepipeline").stop_pipeline_execution(
        pipelineName=PIPELINE, pipelineExecutionId=execution, abandon=True, reason="this test looks at Train"
    )
    return begun


@pytest.fixture(scope="module")
def row(fork: Fork, staging: dict[str, Any]) -> list[dict[str, Any]]:
    """The actions of Train, the first first."""
    where = {"pipelineName": PIPELINE, "filter": {"pipelineExecutionId": staging["pipelineExecutionId"]}}
    pages = fork.client("codepipeline").get_paginator("list_action_executions").paginate(**where)
    details = [detail for page in pages for detail in page["actionExecutionDetails"] if detail["stageName"] == naming.TRAIN]
    return sorted(details, key=lambda detail: detail["startTime"])


def exported(row: list[dict[str, Any]], variable: str) -> list[str]:
    return [action["output"]["outputVariables"][variable] for action in row]


def test_each_action_hands_over_to_the_next_until_the_run_has_ended(row: list[dict[str, Any]]) -> None:
    length = waits(trained_for(DAYS))
    packages = exported(row, "MODEL_PACKAGE_ARN")
    handed_over = list(takewhile(lambda arn: arn == UNFINISHED, packages))

    assert [action["actionName"] for action in row] == [*(f"Train-{order}" for order in range(1, length)), "Train"]
    assert {action["status"] for action in row} == {"Succeeded"}
    assert 1 <= len(handed_over) < length
    assert len({*packages[len(handed_over) :]}) == 1


def test_all_of_them_waited_for_the_one_run(fork: Fork, row: list[dict[str, Any]]) -> None:
    pipeline = naming.training_pipeline(CONFIG, MODEL)
    (run,) = fork.client("sagemaker").list_pipeline_executions(PipelineName=pipeline)["PipelineExecutionSummaries"]

    assert {*exported(row, "PIPELINE_EXECUTION_ARN")} == {run["PipelineExecutionArn"]}
    assert run["PipelineExecutionStatus"] == "Succeeded"


def test_what_the_run_registered_is_what_staging_deploys(fork: Fork, staging: dict[str, Any], row: list[dict[str, Any]]) -> None:
    group = naming.model_package_group(CONFIG, MODEL)
    (package,) = fork.client("sagemaker").list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    variables = json.loads(staging["input"]["resolvedConfiguration"]["EnvironmentVariables"])

    assert exported(row, "MODEL_PACKAGE_ARN")[-1] == package["ModelPackageArn"]
    assert {"name": "MODEL_PACKAGE_ARN", "value": package["ModelPackageArn"], "type": "PLAINTEXT"} in variables
