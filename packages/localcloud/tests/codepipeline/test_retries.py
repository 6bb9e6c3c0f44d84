"""A stage that failed, or was stopped, is taken again: its failed actions or all of them, while the pipeline is still the same."""

from __future__ import annotations

import pytest
from answers import answer
from botocore.exceptions import ClientError

from localcloud.testing.accounts import Accounts
from localcloud.testing.names import Name
from localcloud.testing.pipelines import Json, actions, approvals, approve, build, create, definition, ended, project, stored, upload
from localcloud.testing.waiting import until

aws = pytest.mark.aws("a failed or stopped stage is retried")
wording = pytest.mark.laptop("the wording is localcloud's")


def retry(cloud: Accounts, name: str, stage: str, execution: str, mode: str = "FAILED_ACTIONS") -> None:
    where = {"pipelineName": name, "stageName": stage, "pipelineExecutionId": execution}
    cloud.client("codepipeline").retry_stage_execution(**where, retryMode=mode)


def start(cloud: Accounts, name: str) -> str:
    return str(cloud.client("codepipeline").start_pipeline_execution(name=name)["pipelineExecutionId"])


def fragile(name: str, role: str, *builds: Json) -> Json:
    """Source, then two builds at once."""
    stages = [{"name": "Source", "actions": [stored(name)]}, {"name": "Builds", "actions": list(builds)}]
    return {**definition(name, role), "stages": stages}


@aws
@pytest.mark.parametrize(("mode", "sound_builds"), [("FAILED_ACTIONS", 1), ("ALL_ACTIONS", 2)])
def test_failed_actions_or_all_run_again(cloud: Accounts, role: str, name: Name, mode: str, sound_builds: int) -> None:
    """The frail build fails until there is a parameter."""
    pipeline, sound, frail, parameter = name("p"), name("sound"), name("frail"), f"/{name('go')}"
    project(cloud, sound, ["true"])
    reads: Json = {"Action": "ssm:GetParameter", "Resource": "*"}
    project(cloud, frail, ["echo not yet", f"aws ssm get-parameter --name {parameter}"], allows=[reads])
    upload(cloud, pipeline, "word")
    create(cloud, fragile(pipeline, role, build("Sound", sound), build("Frail", frail)))
    execution = start(cloud, pipeline)
    assert ended(cloud, pipeline, execution) == "Failed"
    retry(cloud, pipeline, "Builds", execution)
    assert ended(cloud, pipeline, execution) == "Failed"
    cloud.client("ssm").put_parameter(Name=parameter, Value="go", Type="String")

    retry(cloud, pipeline, "Builds", execution, mode)

    assert ended(cloud, pipeline, execution) == "Succeeded"
    runs = cloud.client("codepipeline").list_action_executions(pipelineName=pipeline, filter={"pipelineExecutionId": execution})
    statuses = {n: [r["status"] for r in runs["actionExecutionDetails"] if r["actionName"] == n] for n in ("Frail", "Sound")}
    assert statuses == {"Frail": ["Succeeded", "Failed", "Failed"], "Sound": ["Succeeded"] * sound_builds}
    with pytest.raises(ClientError, match="StageNotRetryableException"):
        retry(cloud, pipeline, "Builds", execution, mode)


@wording
def test_a_failed_build_says_what_it_said_last(cloud: Accounts, role: str, name: Name) -> None:
    pipeline, frail = name("p"), name("frail")
    project(cloud, frail, ["echo not yet", "false"])
    upload(cloud, pipeline, "word")
    create(cloud, fragile(pipeline, role, build("Frail", frail)))
    execution = start(cloud, pipeline)

    assert ended(cloud, pipeline, execution) == "Failed"
    assert actions(cloud, pipeline, execution)["Frail"]["output"]["executionResult"]["errorDetails"]["message"].endswith("not yet")


@aws
def test_a_stage_that_was_stopped_is_taken_again(cloud: Accounts, name: Name) -> None:
    called = name("p")
    create(cloud, approvals(cloud, called, mode="QUEUED"))
    execution = stopped(cloud, called)

    retry(cloud, called, "First", execution)

    assert [approve(cloud, called, stage) for stage in ("First", "Second")] == [execution, execution]
    assert ended(cloud, called, execution) == "Succeeded"


def stopped(cloud: Accounts, name: str) -> str:
    """An execution that ended in its stage First."""
    execution = start(cloud, name)
    until(lambda: "First" in actions(cloud, name, execution))
    cloud.client("codepipeline").stop_pipeline_execution(pipelineName=name, pipelineExecutionId=execution, abandon=True)
    assert ended(cloud, name, execution) == "Stopped"
    return execution


@aws
def test_what_has_gone_on_since_is_not_taken_again(cloud: Accounts, name: Name) -> None:
    called, pipelines = name("p"), cloud.client("codepipeline")
    pipeline = approvals(cloud, called, mode="QUEUED")
    create(cloud, pipeline)
    older, newer = stopped(cloud, called), stopped(cloud, called)

    def becomes(stage: str, execution: str, mode: str = "FAILED_ACTIONS") -> str:
        where = {"pipelineName": called, "stageName": stage, "pipelineExecutionId": execution, "retryMode": mode}
        return answer(pipelines.retry_stage_execution, **where)

    assert becomes("First", older) == "NotLatestPipelineExecutionException"
    assert becomes("Third", newer) == "StageNotFoundException"
    assert becomes("Second", newer) == "StageNotRetryableException"
    assert becomes("First", newer, "SOME_ACTIONS") == "ValidationException"
    pipeline["variables"][0]["defaultValue"] = "another"
    pipelines.update_pipeline(pipeline=pipeline)
    assert becomes("First", newer) == "StageNotRetryableException"


@wording
def test_why_a_stage_is_not_taken_again(cloud: Accounts, name: Name) -> None:
    called = name("p")
    pipeline = approvals(cloud, called, mode="QUEUED")
    create(cloud, pipeline)
    execution = stopped(cloud, called)

    with pytest.raises(ClientError, match="did not fail last"):
        retry(cloud, called, "Second", execution)
    with pytest.raises(ClientError, match="must be one of FAILED_ACTIONS, ALL_ACTIONS"):
        retry(cloud, called, "First", execution, "SOME_ACTIONS")
    pipeline["variables"][0]["defaultValue"] = "another"
    cloud.client("codepipeline").update_pipeline(pipeline=pipeline)
    with pytest.raises(ClientError, match="was updated after execution"):
        retry(cloud, called, "First", execution)
