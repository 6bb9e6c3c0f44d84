"""A new pipeline starts by itself; another definition cancels what is under way, and lets a build that runs go on to its end."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from localcloud.testing.pipelines import Json, Push, actions, answer, build, create, definition, ended, history, project, source, token
from localcloud.testing.running import Running
from localcloud.testing.waiting import until

UPDATED = "The pipeline's definition was updated before the pipeline execution could be completed."


def changed(pipeline: Json) -> Json:
    """The same with another question to whoever approves."""
    *before, approval, last = pipeline["stages"]
    question = {**approval["actions"][0], "configuration": {"CustomData": "changed"}}
    return {**pipeline, "stages": [*before, {**approval, "actions": [question]}, last]}


def status(cloud: Running, name: str, execution: str) -> str:
    shown = cloud.client("codepipeline").get_pipeline_execution(pipelineName=name, pipelineExecutionId=execution)
    return str(shown["pipelineExecution"]["status"])


def test_a_new_pipeline_starts_with_the_newest_commit(cloud: Running, role: str, push: Push) -> None:
    push("word.txt", "new")

    cloud.client("codepipeline").create_pipeline(pipeline=definition("new", role, paths="none/**"))

    (first,) = history(cloud, "new")
    assert first["trigger"]["triggerType"] == "CreatePipeline"
    assert first["trigger"]["triggerDetail"].endswith(":user/administrator")
    answer(cloud, "new", until(lambda: token(cloud, "new")), "Approved")
    assert ended(cloud, "new", first["pipelineExecutionId"]) == "Succeeded"
    assert actions(cloud, "new", first["pipelineExecutionId"])["Build"]["output"]["outputVariables"] == {"WORD": "new-push"}


def test_the_first_execution_fails_where_nothing_was_pushed_yet(cloud: Running, role: str) -> None:
    pipeline = definition("early", role, paths="none/**")
    pipeline["stages"][0]["actions"] = [source("nobody-pushed")]

    cloud.client("codepipeline").create_pipeline(pipeline=pipeline)

    (first,) = history(cloud, "early")
    assert ended(cloud, "early", first["pipelineExecutionId"]) == "Failed"
    why = actions(cloud, "early", first["pipelineExecutionId"])["Source"]["output"]["executionResult"]["errorDetails"]["message"]
    assert why == f"branch nobody-pushed has no commit yet: push one to {cloud.state['remote']}"


def test_a_name_is_given_once_and_only_what_is_there_is_updated(cloud: Running, role: str) -> None:
    pipelines = cloud.client("codepipeline")
    create(cloud, definition("named", role, paths="none/**"))

    with pytest.raises(ClientError, match="PipelineNameInUseException"):
        pipelines.create_pipeline(pipeline=definition("named", role, paths="none/**"))
    with pytest.raises(ClientError, match="PipelineNotFoundException"):
        pipelines.update_pipeline(pipeline=definition("nowhere", role, paths="none/**"))


def test_another_definition_cancels_what_is_under_way(cloud: Running, role: str, push: Push) -> None:
    pipelines = cloud.client("codepipeline")
    pipeline = definition("updated", role, paths="none/**")
    create(cloud, pipeline)
    push("word.txt", "updated")
    asked = pipelines.start_pipeline_execution(name="updated")["pipelineExecutionId"]
    old_token = until(lambda: token(cloud, "updated"))
    queued = pipelines.start_pipeline_execution(name="updated")["pipelineExecutionId"]

    before = pipelines.get_pipeline(name="updated")["pipeline"]["version"]

    version = pipelines.update_pipeline(pipeline=changed(pipeline))["pipeline"]["version"]

    assert version == before + 1
    assert [status(cloud, "updated", execution) for execution in (asked, queued)] == ["Cancelled", "Cancelled"]
    newest, *_ = history(cloud, "updated")
    assert (newest["pipelineExecutionId"], newest["statusSummary"]) == (queued, UPDATED), "UpdatePipeline starts nothing"
    until(lambda: actions(cloud, "updated", asked)["Approval"]["status"] == "Abandoned")
    assert token(cloud, "updated") is None
    stage = pipelines.get_pipeline_state(name="updated")["stageStates"][2]
    assert stage["latestExecution"] == {"pipelineExecutionId": asked, "status": "Cancelled"}
    with pytest.raises(ClientError, match="InvalidApprovalTokenException"):
        answer(cloud, "updated", old_token, "Approved")
    newest = pipelines.start_pipeline_execution(name="updated")["pipelineExecutionId"]
    until(lambda: token(cloud, "updated"))
    assert actions(cloud, "updated", newest)["Approval"]["pipelineVersion"] == version
    assert actions(cloud, "updated", newest)["Approval"]["input"]["resolvedConfiguration"] == {"CustomData": "changed"}


def test_an_update_that_changes_nothing_cancels_nothing(cloud: Running, role: str, push: Push) -> None:
    pipelines = cloud.client("codepipeline")
    create(cloud, definition("same", role, paths="none/**"))
    push("word.txt", "same")
    execution = pipelines.start_pipeline_execution(name="same")["pipelineExecutionId"]
    old_token = until(lambda: token(cloud, "same"))

    pipelines.update_pipeline(pipeline=pipelines.get_pipeline(name="same")["pipeline"])

    assert token(cloud, "same") == old_token
    answer(cloud, "same", old_token, "Approved")
    assert ended(cloud, "same", execution) == "Succeeded"


def test_a_build_that_runs_is_let_finish_and_nothing_follows(cloud: Running, role: str, push: Push, tmp_path: Path) -> None:
    pipelines = cloud.client("codepipeline")
    running, go, done = (tmp_path / name for name in ("running", "go", "done"))
    waits = f"until test -f {go}; do sleep 0.05; done"
    project(cloud, "patient", [f"touch {running}", waits, f"touch {done}", "mkdir out", "cp word.txt out/"])
    pipeline = definition("running", role, paths="none/**")
    pipeline["stages"][1]["actions"] = [build("Build", "patient", outputArtifacts=[{"name": "Made"}])]
    create(cloud, pipeline)
    push("word.txt", "running")
    execution = pipelines.start_pipeline_execution(name="running")["pipelineExecutionId"]
    until(running.exists)

    pipelines.update_pipeline(pipeline=changed(pipeline))

    assert status(cloud, "running", execution) == "Cancelled"
    assert pipelines.get_pipeline_state(name="running")["stageStates"][1]["latestExecution"]["status"] == "Cancelled"
    assert actions(cloud, "running", execution)["Build"]["status"] == "InProgress"
    go.touch()
    until(lambda: actions(cloud, "running", execution)["Build"]["status"] == "Succeeded")
    assert done.exists()
    assert status(cloud, "running", execution) == "Cancelled"
    assert list(actions(cloud, "running", execution)) == ["Source", "Build"]
