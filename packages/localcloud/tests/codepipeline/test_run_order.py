"""Actions of one stage in a row: each begins when the one before has succeeded, and has what that exported."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from localcloud.testing.names import Name
from localcloud.testing.pipelines import Json, Push, actions, build, create, definition, ended, project, source
from localcloud.testing.running import Running
from localcloud.testing.waiting import until

pytestmark = pytest.mark.laptop("pushes to localcloud's own repository")

NAMES = ("First", "Second", "Third")


def row(cloud: Running, name: str, role: str, *commands: str) -> None:
    """A pipeline with a stage of three builds in a row, listed the other way round. Each has in BEFORE what the one before exported."""
    project(cloud, name, [*commands, 'WORD="$BEFORE+"', "export WORD"])
    before = ("none", "#{First.WORD}", "#{Second.WORD}")
    row = [
        {**build(each, name, EnvironmentVariables=json.dumps([{"name": "BEFORE", "value": value}])), "runOrder": order}
        for order, (each, value) in enumerate(zip(NAMES, before, strict=True), start=1)
    ]
    stages = [{"name": "Source", "actions": [source()]}, {"name": "Row", "actions": row[::-1]}]
    create(cloud, {**definition(name, role, paths="none/**"), "stages": stages})


def begun(cloud: Running, name: str, push: Push) -> str:
    """An execution of a commit of its own."""
    push("word.txt", name)
    return str(cloud.client("codepipeline").start_pipeline_execution(name=name)["pipelineExecutionId"])


def runs(cloud: Running, name: str, execution: str) -> list[Json]:
    """Every run of the stage's actions, oldest first."""
    found = cloud.client("codepipeline").list_action_executions(pipelineName=name, filter={"pipelineExecutionId": execution})
    return [run for run in reversed(found["actionExecutionDetails"]) if run["stageName"] == "Row"]


def test_each_has_what_the_one_before_exported(cloud: Running, role: str, push: Push, name: Name) -> None:
    pipeline = name("row")
    row(cloud, pipeline, role)
    execution = begun(cloud, pipeline, push)

    assert ended(cloud, pipeline, execution) == "Succeeded"
    made = runs(cloud, pipeline, execution)
    assert [run["actionName"] for run in made] == [*NAMES]
    assert [run["output"]["outputVariables"]["WORD"] for run in made] == ["none+", "none++", "none+++"]
    assert all(first["lastUpdateTime"] <= then["startTime"] for first, then in pairwise(made))


@pytest.mark.parametrize(("mode", "again"), [("FAILED_ACTIONS", ["Second", "Third"]), ("ALL_ACTIONS", [*NAMES])])
def test_one_that_fails_is_taken_again_with_what_was_exported_before_it(
    cloud: Running, role: str, push: Push, tmp_path: Path, name: Name, mode: str, again: list[str]
) -> None:
    pipeline = name("frail")
    row(cloud, pipeline, role, f'test "$BEFORE" = none || test -f {tmp_path}/go')
    execution = begun(cloud, pipeline, push)
    assert ended(cloud, pipeline, execution) == "Failed"
    assert {run["actionName"]: run["status"] for run in runs(cloud, pipeline, execution)} == {"First": "Succeeded", "Second": "Failed"}
    (tmp_path / "go").touch()

    where = {"pipelineName": pipeline, "pipelineExecutionId": execution, "stageName": "Row"}
    cloud.client("codepipeline").retry_stage_execution(**where, retryMode=mode)

    assert ended(cloud, pipeline, execution) == "Succeeded"
    assert [run["actionName"] for run in runs(cloud, pipeline, execution)[2:]] == again
    assert actions(cloud, pipeline, execution)["Third"]["output"]["outputVariables"]["WORD"] == "none+++"


def test_where_the_execution_is_stopped_the_row_ends(cloud: Running, role: str, push: Push, tmp_path: Path, name: Name) -> None:
    pipeline = name("stopped")
    row(cloud, pipeline, role, f"touch {tmp_path}/begun", f"until test -f {tmp_path}/never; do sleep 0.1; done")
    execution = begun(cloud, pipeline, push)
    until((tmp_path / "begun").exists)

    cloud.client("codepipeline").stop_pipeline_execution(pipelineName=pipeline, pipelineExecutionId=execution, abandon=True)

    assert ended(cloud, pipeline, execution) == "Stopped"
    assert [run["actionName"] for run in runs(cloud, pipeline, execution)] == ["First"]
