"""A stage that failed, or was stopped, is taken again: its failed actions or all of them, while the pipeline is still the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from localcloud.testing.names import Name
from localcloud.testing.pipelines import Json, Push, actions, approvals, approve, build, create, definition, ended, project, source
from localcloud.testing.running import Running
from localcloud.testing.waiting import until


def retry(cloud: Running, name: str, stage: str, execution: str, mode: str = "FAILED_ACTIONS") -> None:
    where = {"pipelineName": name, "stageName": stage, "pipelineExecutionId": execution}
    cloud.client("codepipeline").retry_stage_execution(**where, retryMode=mode)


def start(cloud: Running, name: str) -> str:
    return str(cloud.client("codepipeline").start_pipeline_execution(name=name)["pipelineExecutionId"])


def fragile(name: str, role: str, *builds: Json) -> Json:
    """Source, then two builds at once."""
    stages = [{"name": "Source", "actions": [source()]}, {"name": "Builds", "actions": list(builds)}]
    return {**definition(name, role, paths="none/**"), "stages": stages}


@pytest.mark.parametrize(("mode", "sound_builds"), [("FAILED_ACTIONS", 1), ("ALL_ACTIONS", 2)])
def test_failed_actions_or_all_run_again(
    cloud: Running, role: str, push: Push, tmp_path: Path, name: Name, mode: str, sound_builds: int
) -> None:
    pipeline, sound, frail = name("p"), name("sound"), name("frail")
    project(cloud, sound, [f"echo x >> {tmp_path}/sound"])
    project(cloud, frail, ["echo not yet", f"test -f {tmp_path}/go"])
    create(cloud, fragile(pipeline, role, build("Sound", sound), build("Frail", frail)))
    push("word.txt", str(name))
    execution = start(cloud, pipeline)
    assert ended(cloud, pipeline, execution) == "Failed"
    assert actions(cloud, pipeline, execution)["Frail"]["output"]["executionResult"]["errorDetails"]["message"].endswith("not yet")
    retry(cloud, pipeline, "Builds", execution)
    assert ended(cloud, pipeline, execution) == "Failed"
    (tmp_path / "go").touch()

    retry(cloud, pipeline, "Builds", execution, mode)

    assert ended(cloud, pipeline, execution) == "Succeeded"
    assert (tmp_path / "sound").read_text() == "x\n" * sound_builds
    runs = cloud.client("codepipeline").list_action_executions(pipelineName=pipeline, filter={"pipelineExecutionId": execution})
    assert [r["status"] for r in runs["actionExecutionDetails"] if r["actionName"] == "Frail"] == ["Succeeded", "Failed", "Failed"]
    with pytest.raises(ClientError, match="StageNotRetryableException"):
        retry(cloud, pipeline, "Builds", execution, mode)


def test_a_stage_that_was_stopped_is_taken_again(cloud: Running) -> None:
    create(cloud, approvals(cloud, "resumed", mode="QUEUED"))
    execution = start(cloud, "resumed")
    until(lambda: actions(cloud, "resumed", execution))
    cloud.client("codepipeline").stop_pipeline_execution(pipelineName="resumed", pipelineExecutionId=execution, abandon=True)
    assert ended(cloud, "resumed", execution) == "Stopped"

    retry(cloud, "resumed", "First", execution)

    assert [approve(cloud, "resumed", stage) for stage in ("First", "Second")] == [execution, execution]
    assert ended(cloud, "resumed", execution) == "Succeeded"


def stopped(cloud: Running, name: str) -> str:
    """An execution that ended in its first stage."""
    execution = start(cloud, name)
    until(lambda: actions(cloud, name, execution))
    cloud.client("codepipeline").stop_pipeline_execution(pipelineName=name, pipelineExecutionId=execution, abandon=True)
    ended(cloud, name, execution)
    return execution


def test_what_has_gone_on_since_is_not_taken_again(cloud: Running) -> None:
    pipeline = approvals(cloud, "gone-on", mode="QUEUED")
    create(cloud, pipeline)
    older, newer = stopped(cloud, "gone-on"), stopped(cloud, "gone-on")

    with pytest.raises(ClientError, match="NotLatestPipelineExecutionException"):
        retry(cloud, "gone-on", "First", older)
    with pytest.raises(ClientError, match="StageNotFoundException"):
        retry(cloud, "gone-on", "Third", newer)
    with pytest.raises(ClientError, match="did not fail last"):
        retry(cloud, "gone-on", "Second", newer)
    with pytest.raises(ClientError, match="must be one of FAILED_ACTIONS, ALL_ACTIONS"):
        retry(cloud, "gone-on", "First", newer, "SOME_ACTIONS")
    pipeline["variables"][0]["defaultValue"] = "another"
    cloud.client("codepipeline").update_pipeline(pipeline=pipeline)
    with pytest.raises(ClientError, match=r"StageNotRetryableException.* was updated after execution"):
        retry(cloud, "gone-on", "First", newer)
