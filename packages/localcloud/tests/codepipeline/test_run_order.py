"""Actions of one stage in a row: each begins when the one before has succeeded, and has what that exported."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from localcloud.testing.accounts import Accounts
from localcloud.testing.names import Name
from localcloud.testing.pipelines import Json, actions, build, create, definition, ended, project, stored, upload
from localcloud.testing.waiting import until

pytestmark = pytest.mark.aws("50 actions a stage, 50 stages")
NAMES = ("First", "Second", "Third")
READS: Json = {"Action": "ssm:GetParameter", "Resource": "*"}


def row(cloud: Accounts, name: str, role: str, *commands: str) -> str:
    """An execution of a stage with three builds in a row, listed the other way round. Each has in BEFORE what the one before exported."""
    project(cloud, name, [*commands, 'WORD="$BEFORE+"', "export WORD"], allows=[READS])
    before = ("none", "#{First.WORD}", "#{Second.WORD}")
    row = [
        {**build(each, name, EnvironmentVariables=json.dumps([{"name": "BEFORE", "value": value}])), "runOrder": order}
        for order, (each, value) in enumerate(zip(NAMES, before, strict=True), start=1)
    ]
    stages = [{"name": "Source", "actions": [stored(name)]}, {"name": "Row", "actions": row[::-1]}]
    upload(cloud, name, "word")
    create(cloud, {**definition(name, role), "stages": stages})
    return str(cloud.client("codepipeline").start_pipeline_execution(name=name)["pipelineExecutionId"])


def runs(cloud: Accounts, name: str, execution: str) -> list[Json]:
    """Every run of the stage's actions, oldest first."""
    found = cloud.client("codepipeline").list_action_executions(pipelineName=name, filter={"pipelineExecutionId": execution})
    return [run for run in reversed(found["actionExecutionDetails"]) if run["stageName"] == "Row"]


def test_each_has_what_the_one_before_exported(cloud: Accounts, role: str, name: Name) -> None:
    pipeline = name("row")
    execution = row(cloud, pipeline, role)

    assert ended(cloud, pipeline, execution) == "Succeeded"
    made = runs(cloud, pipeline, execution)
    assert [run["actionName"] for run in made] == [*NAMES]
    assert [run["output"]["outputVariables"]["WORD"] for run in made] == ["none+", "none++", "none+++"]
    assert all(first["lastUpdateTime"] <= then["startTime"] for first, then in pairwise(made))


@pytest.mark.parametrize(("mode", "again"), [("FAILED_ACTIONS", ["Second", "Third"]), ("ALL_ACTIONS", [*NAMES])])
def test_one_that_fails_is_taken_again_with_what_was_exported_before_it(
    cloud: Accounts, role: str, name: Name, mode: str, again: list[str]
) -> None:
    """The second fails until there is a parameter."""
    pipeline, parameter = name("frail"), f"/{name('go')}"
    execution = row(cloud, pipeline, role, f'test "$BEFORE" = none || aws ssm get-parameter --name {parameter}')
    assert ended(cloud, pipeline, execution) == "Failed"
    assert {run["actionName"]: run["status"] for run in runs(cloud, pipeline, execution)} == {"First": "Succeeded", "Second": "Failed"}
    cloud.client("ssm").put_parameter(Name=parameter, Value="go", Type="String")

    where = {"pipelineName": pipeline, "pipelineExecutionId": execution, "stageName": "Row"}
    cloud.client("codepipeline").retry_stage_execution(**where, retryMode=mode)

    assert ended(cloud, pipeline, execution) == "Succeeded"
    assert [run["actionName"] for run in runs(cloud, pipeline, execution)[2:]] == again
    assert actions(cloud, pipeline, execution)["Third"]["output"]["outputVariables"]["WORD"] == "none+++"


def test_where_the_execution_is_stopped_the_row_ends(cloud: Accounts, role: str, name: Name) -> None:
    """The first would go on for as long as there is no parameter."""
    pipeline, parameter = name("stopped"), f"/{name('never')}"
    execution = row(cloud, pipeline, role, f"until aws ssm get-parameter --name {parameter}; do sleep 1; done")
    until(lambda: runs(cloud, pipeline, execution))

    cloud.client("codepipeline").stop_pipeline_execution(pipelineName=pipeline, pipelineExecutionId=execution, abandon=True)

    assert ended(cloud, pipeline, execution) == "Stopped"
    assert [run["actionName"] for run in runs(cloud, pipeline, execution)] == ["First"]
