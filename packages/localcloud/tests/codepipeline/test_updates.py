"""A new pipeline starts by itself; another definition cancels what is under way, and lets a build that runs go on to its end."""

from __future__ import annotations

import pytest
from answers import answer as becomes

from localcloud.testing.accounts import Accounts
from localcloud.testing.names import Name
from localcloud.testing.pipelines import (
    Json,
    actions,
    answer,
    build,
    create,
    definition,
    ended,
    history,
    project,
    source,
    stored,
    token,
    upload,
)
from localcloud.testing.running import Running
from localcloud.testing.waiting import until

starts = pytest.mark.aws("a new pipeline starts a first execution by itself")
cancels = pytest.mark.aws("another definition of a pipeline cancels its executions under way")
UPDATED = "The pipeline's definition was updated before the pipeline execution could be completed."


def changed(pipeline: Json) -> Json:
    """The same with another question to whoever approves."""
    *before, approval, last = pipeline["stages"]
    question = {**approval["actions"][0], "configuration": {"CustomData": "changed"}}
    return {**pipeline, "stages": [*before, {**approval, "actions": [question]}, last]}


def status(cloud: Accounts, name: str, execution: str) -> str:
    shown = cloud.client("codepipeline").get_pipeline_execution(pipelineName=name, pipelineExecutionId=execution)
    return str(shown["pipelineExecution"]["status"])


def start(cloud: Accounts, name: str) -> str:
    return str(cloud.client("codepipeline").start_pipeline_execution(name=name)["pipelineExecutionId"])


@starts
def test_a_new_pipeline_starts_with_what_there_is(cloud: Accounts, role: str, name: Name) -> None:
    called = name("p")
    upload(cloud, called, "new")

    cloud.client("codepipeline").create_pipeline(pipeline=definition(called, role))

    (first,) = until(lambda: history(cloud, called))
    assert first["trigger"]["triggerType"] == "CreatePipeline"
    answer(cloud, called, until(lambda: token(cloud, called)), "Approved")
    assert ended(cloud, called, first["pipelineExecutionId"]) == "Succeeded"
    assert actions(cloud, called, first["pipelineExecutionId"])["Build"]["output"]["outputVariables"]["WORD"] == "new-push"


@starts
def test_the_first_execution_fails_where_its_object_is_not_there_yet(cloud: Accounts, role: str, name: Name) -> None:
    called = name("p")

    cloud.client("codepipeline").create_pipeline(pipeline=definition(called, role))

    (first,) = until(lambda: history(cloud, called))
    assert ended(cloud, called, first["pipelineExecutionId"]) == "Failed"
    assert actions(cloud, called, first["pipelineExecutionId"])["Source"]["status"] == "Failed"


@pytest.mark.laptop("the administrator and the wording are localcloud's; a branch needs a connection that somebody has authorised")
def test_the_first_execution_says_where_to_push(cloud: Running, role: str, name: Name) -> None:
    called = name("p")
    pipeline = definition(called, role, paths="none/**")
    pipeline["stages"][0]["actions"] = [source("nobody-pushed")]

    cloud.client("codepipeline").create_pipeline(pipeline=pipeline)

    (first,) = history(cloud, called)
    assert first["trigger"]["triggerDetail"].endswith(":user/administrator")
    assert ended(cloud, called, first["pipelineExecutionId"]) == "Failed"
    why = actions(cloud, called, first["pipelineExecutionId"])["Source"]["output"]["executionResult"]["errorDetails"]["message"]
    assert why == f"branch nobody-pushed has no commit yet: push one to {cloud.state['remote']}"


@pytest.mark.aws("a pipeline whose source is an object of a bucket")
def test_a_bucket_without_versions_is_no_source(cloud: Accounts, role: str, name: Name) -> None:
    called, bucket = name("p"), cloud.create_bucket(name("plain"))
    cloud.client("s3").put_object(Bucket=bucket, Key="x.zip", Body=b"")
    pipeline = definition(called, role)
    plain = {**stored(called)["configuration"], "S3Bucket": bucket, "S3ObjectKey": "x.zip"}
    pipeline["stages"][0]["actions"] = [{**stored(called), "configuration": plain}]

    cloud.client("codepipeline").create_pipeline(pipeline=pipeline)

    (first,) = until(lambda: history(cloud, called))
    assert ended(cloud, called, first["pipelineExecutionId"]) == "Failed"
    assert actions(cloud, called, first["pipelineExecutionId"])["Source"]["status"] == "Failed"


@starts
def test_a_name_is_used_once_and_only_what_is_there_is_updated(cloud: Accounts, role: str, name: Name) -> None:
    pipelines = cloud.client("codepipeline")
    create(cloud, definition(name("p"), role))

    assert becomes(pipelines.create_pipeline, pipeline=definition(name("p"), role)) == "PipelineNameInUseException"
    assert becomes(pipelines.update_pipeline, pipeline=definition(name("nowhere"), role)) == "PipelineNotFoundException"


@cancels
def test_another_definition_cancels_what_is_under_way(cloud: Accounts, role: str, name: Name) -> None:
    pipelines, called = cloud.client("codepipeline"), name("p")
    pipeline = definition(called, role)
    upload(cloud, called, "updated")
    create(cloud, pipeline)
    asked = start(cloud, called)
    old_token = until(lambda: token(cloud, called))
    queued = start(cloud, called)
    before = pipelines.get_pipeline(name=called)["pipeline"]["version"]

    version = pipelines.update_pipeline(pipeline=changed(pipeline))["pipeline"]["version"]

    assert version == before + 1
    until(lambda: [status(cloud, called, execution) for execution in (asked, queued)] == ["Cancelled", "Cancelled"])
    newest, *_ = history(cloud, called)
    assert newest["pipelineExecutionId"] == queued, "UpdatePipeline starts nothing"
    until(lambda: actions(cloud, called, asked)["Approval"]["status"] == "Abandoned")
    assert token(cloud, called) is None
    latest = pipelines.get_pipeline_state(name=called)["stageStates"][2]["latestExecution"]
    assert (latest["pipelineExecutionId"], latest["status"]) == (asked, "Cancelled")
    late = {"pipelineName": called, "stageName": "Approval", "actionName": "Approval", "token": old_token}
    assert (
        becomes(pipelines.put_approval_result, **late, result={"status": "Approved", "summary": "late"}) == "InvalidApprovalTokenException"
    )
    execution = start(cloud, called)
    until(lambda: token(cloud, called))
    approval = actions(cloud, called, execution)["Approval"]
    assert (approval["pipelineVersion"], approval["input"]["resolvedConfiguration"]["CustomData"]) == (version, "changed")


@pytest.mark.laptop("the wording is the API reference's; what CodePipeline writes is not documented")
def test_what_was_cancelled_says_why(cloud: Accounts, role: str, name: Name) -> None:
    upload(cloud, name("p"), "word")
    pipeline = definition(name("p"), role)
    create(cloud, pipeline)
    start(cloud, name("p"))
    until(lambda: token(cloud, name("p")))

    cloud.client("codepipeline").update_pipeline(pipeline=changed(pipeline))

    assert history(cloud, name("p"))[0]["statusSummary"] == UPDATED


@cancels
def test_an_update_that_changes_nothing_cancels_nothing(cloud: Accounts, role: str, name: Name) -> None:
    pipelines, called = cloud.client("codepipeline"), name("p")
    upload(cloud, called, "same")
    create(cloud, definition(called, role))
    execution = start(cloud, called)
    old_token = until(lambda: token(cloud, called))

    pipelines.update_pipeline(pipeline=pipelines.get_pipeline(name=called)["pipeline"])

    assert token(cloud, called) == old_token
    answer(cloud, called, old_token, "Approved")
    assert ended(cloud, called, execution) == "Succeeded"


@cancels
def test_a_build_that_runs_is_let_finish_and_nothing_follows(cloud: Accounts, role: str, name: Name) -> None:
    """It goes on until there is a parameter."""
    pipelines, called, parameter = cloud.client("codepipeline"), name("p"), f"/{name('go')}"
    waits = f"until aws ssm get-parameter --name {parameter}; do sleep 1; done"
    commands = [waits, "mkdir out", "cp word.txt out/"]
    project(cloud, name("patient"), commands, makes=True, allows=[{"Action": "ssm:GetParameter", "Resource": "*"}])
    pipeline = definition(called, role)
    pipeline["stages"][1]["actions"] = [build("Build", name("patient"), outputArtifacts=[{"name": "Made"}])]
    upload(cloud, called, "running")
    create(cloud, pipeline)
    execution = start(cloud, called)
    until(
        lambda: actions(cloud, called, execution).get("Build", {}).get("output", {}).get("executionResult", {}).get("externalExecutionId")
    )

    pipelines.update_pipeline(pipeline=changed(pipeline))

    until(lambda: status(cloud, called, execution) == "Cancelled")
    assert pipelines.get_pipeline_state(name=called)["stageStates"][1]["latestExecution"]["status"] == "Cancelled"
    assert actions(cloud, called, execution)["Build"]["status"] == "InProgress"
    cloud.client("ssm").put_parameter(Name=parameter, Value="go", Type="String")
    until(lambda: actions(cloud, called, execution)["Build"]["status"] == "Succeeded")
    assert status(cloud, called, execution) == "Cancelled"
    assert list(actions(cloud, called, execution)) == ["Source", "Build"]
