"""Pushes start pipelines by their path filters; executions take stages in turn; an approval holds one execution."""

from __future__ import annotations

from pathlib import Path

import pytest
from answers import answer as becomes
from botocore.exceptions import ClientError

from localcloud.testing.accounts import Accounts
from localcloud.testing.names import Name
from localcloud.testing.pipelines import (
    Json,
    Push,
    actions,
    answer,
    approve,
    build,
    create,
    definition,
    ended,
    executions,
    of_approvals,
    stored,
    token,
    upload,
)
from localcloud.testing.waiting import until

modes = pytest.mark.aws("CodePipeline's QUEUED and SUPERSEDED modes")
quotas = pytest.mark.aws("50 actions a stage, 50 stages")


@pytest.mark.laptop("a push is needed, and so a connection that somebody has authorised")
def test_a_push_takes_its_own_pipeline_to_the_end(cloud: Accounts, role: str, clone: Path, push: Push) -> None:
    create(cloud, definition("mine", role, paths="a/**"))
    create(cloud, definition("other", role, paths="b/**"))
    (clone / "word.txt").write_text("word")

    said = push("a/b/c.txt", "first")

    assert "started mine" in said
    assert executions(cloud, "other") == []
    (execution,) = executions(cloud, "mine")
    answer(cloud, "mine", until(lambda: token(cloud, "mine")), "Approved")
    assert ended(cloud, "mine", execution["pipelineExecutionId"]) == "Succeeded"
    done = actions(cloud, "mine", execution["pipelineExecutionId"])
    assert done["Approval"]["updatedBy"].endswith(":user/administrator")
    source = done["Source"]["output"]["outputVariables"]
    assert (source["AuthorDisplayName"], source["AuthorEmail"], source["CommitMessage"]) == ("Test", "test@example.com", "say first")
    commit = source["CommitId"]
    assert done["Approval"]["input"]["resolvedConfiguration"]["CustomData"] == f"commit {commit}"


@pytest.mark.aws("a pipeline whose source is an object of a bucket")
def test_an_execution_takes_its_source_to_the_end(cloud: Accounts, role: str, name: Name) -> None:
    called = name("p")
    version = upload(cloud, called, "word")
    create(cloud, definition(called, role))

    execution = cloud.client("codepipeline").start_pipeline_execution(name=called)["pipelineExecutionId"]
    answer(cloud, called, until(lambda: token(cloud, called)), "Approved")

    assert ended(cloud, called, execution) == "Succeeded"
    done = actions(cloud, called, execution)
    assert list(done) == ["Source", "Build", "Approval", "Last"]
    assert done["Source"]["output"]["outputVariables"]["VersionId"] == version
    assert done["Build"]["output"]["outputVariables"]["WORD"] == "word-push"
    assert done["Approval"]["input"]["resolvedConfiguration"]["CustomData"] == f"commit {version}"
    assert done["Approval"]["output"]["executionResult"]["externalExecutionSummary"] == "because"


@pytest.mark.aws("approval bound to one execution")
def test_a_second_execution_waits_behind_the_approval_of_the_first(cloud: Accounts, role: str, name: Name) -> None:
    called, pipelines = name("p"), cloud.client("codepipeline")
    versions = [upload(cloud, called, "one")]
    create(cloud, definition(called, role))
    first = pipelines.start_pipeline_execution(name=called)["pipelineExecutionId"]
    first_token = until(lambda: token(cloud, called))

    versions.append(upload(cloud, called, "two"))
    second = pipelines.start_pipeline_execution(name=called)["pipelineExecutionId"]
    until(lambda: actions(cloud, called, second).get("Build", {}).get("status") == "Succeeded")

    assert token(cloud, called) == first_token
    answer(cloud, called, first_token, "Approved")
    assert ended(cloud, called, first) == "Succeeded"
    assert [actions(cloud, called, e)["Source"]["output"]["outputVariables"]["VersionId"] for e in (first, second)] == versions
    assert versions[0] in actions(cloud, called, first)["Approval"]["input"]["resolvedConfiguration"]["CustomData"]
    second_token = until(lambda: token(cloud, called))
    again = {"pipelineName": called, "stageName": "Approval", "actionName": "Approval", "token": first_token}
    result = {"status": "Approved", "summary": "again"}
    assert becomes(pipelines.put_approval_result, **again, result=result) in (
        "ApprovalAlreadyCompletedException",
        "InvalidApprovalTokenException",
    )
    answer(cloud, called, second_token, "Rejected")
    assert ended(cloud, called, second) == "Failed"
    rejected = actions(cloud, called, second)["Approval"]["output"]["executionResult"]
    assert "because" in str(rejected)


@pytest.mark.laptop("the wording is localcloud's")
def test_an_answer_is_taken_once(cloud: Accounts, name: Name) -> None:
    called = name("p")
    of_approvals(cloud, called)
    cloud.client("codepipeline").start_pipeline_execution(name=called)
    first = until(
        lambda: (
            cloud.client("codepipeline")
            .get_pipeline_state(name=called)["stageStates"][1]["actionStates"][0]
            .get("latestExecution", {})
            .get("token")
        )
    )
    approve(cloud, called, "First")
    where = {"pipelineName": called, "stageName": "First", "actionName": "First", "token": first}

    with pytest.raises(ClientError, match="answered before"):
        cloud.client("codepipeline").put_approval_result(**where, result={"status": "Approved", "summary": "again"})


@pytest.mark.aws("approval bound to one execution")
def test_an_execution_that_waits_can_be_stopped(cloud: Accounts, name: Name) -> None:
    pipelines, called = cloud.client("codepipeline"), name("p")
    of_approvals(cloud, called)
    started = pipelines.start_pipeline_execution(name=called)["pipelineExecutionId"]
    until(lambda: "First" in actions(cloud, called, started))

    pipelines.stop_pipeline_execution(pipelineName=called, pipelineExecutionId=started, abandon=True, reason="enough")

    assert ended(cloud, called, started) == "Stopped"


@modes
def test_only_the_newest_of_those_that_wait_for_a_stage_goes_on(cloud: Accounts, name: Name) -> None:
    called, pipelines = name("p"), cloud.client("codepipeline")
    of_approvals(cloud, called)
    started = []
    for _ in range(3):
        started.append(pipelines.start_pipeline_execution(name=called, variables=[{"name": "cause", "value": "x"}])["pipelineExecutionId"])
        assert approve(cloud, called, "First") == started[-1]
        until(lambda: started[-1] in str(second(cloud, called)))

    assert ended(cloud, called, started[1]) == "Superseded"
    assert [approve(cloud, called, "Second") for _ in range(2)] == [started[0], started[2]]
    assert [ended(cloud, called, e) for e in started] == ["Succeeded", "Superseded", "Succeeded"]


def second(cloud: Accounts, name: str) -> Json:
    """The state of the stage Second."""
    state: Json = cloud.client("codepipeline").get_pipeline_state(name=name)["stageStates"][2]
    return state


@quotas
def test_what_is_more_than_codepipeline_takes_is_refused(cloud: Accounts, role: str, name: Name) -> None:
    pipelines, called = cloud.client("codepipeline"), name("p")
    crowded = definition(called, role)
    crowded["stages"][1]["actions"] = [build(f"B{number}", name("none")) for number in range(51)]
    assert becomes(pipelines.create_pipeline, pipeline=crowded) in (
        "ValidationException",
        "LimitExceededException",
        "InvalidStructureException",
    )
    long = definition(called, role)
    long["stages"] += [{**long["stages"][1], "name": f"Again{number}"} for number in range(47)]
    assert becomes(pipelines.create_pipeline, pipeline=long) in (
        "ValidationException",
        "LimitExceededException",
        "InvalidStructureException",
    )
    assert becomes(pipelines.get_pipeline_state, name=called) == "PipelineNotFoundException"


@pytest.mark.aws("the structure of a pipeline")
def test_sources_are_in_the_first_stage_and_nothing_else_is(cloud: Accounts, role: str, name: Name) -> None:
    pipelines, called = cloud.client("codepipeline"), name("p")
    odd = definition(called, role)
    for stages in (odd["stages"][1:], [*odd["stages"], {"name": "Again", "actions": [stored(called)]}]):
        assert becomes(pipelines.create_pipeline, pipeline={**odd, "stages": stages}) == "InvalidStructureException"


@pytest.mark.laptop("AWS does what localcloud does not, and the wording is localcloud's")
def test_what_cannot_be_honoured_is_refused_by_name(cloud: Accounts, role: str) -> None:
    pipelines = cloud.client("codepipeline")
    odd = definition("odd", role, paths="a/**")
    odd["stages"][1]["actions"][0]["actionTypeId"].update(category="Deploy", provider="ECS")
    with pytest.raises(ClientError, match="Deploy actions of ECS"):
        pipelines.create_pipeline(pipeline=odd)
    parallel = {**definition("odd", role, paths="a/**"), "executionMode": "PARALLEL"}
    with pytest.raises(ClientError, match="QUEUED and SUPERSEDED"):
        pipelines.create_pipeline(pipeline=parallel)
    crowded = definition("odd", role, paths="a/**")
    crowded["stages"][1]["actions"] = [build(f"B{number}", "make") for number in range(51)]
    with pytest.raises(ClientError, match="stage Build has 51 actions: 50 is the most"):
        pipelines.create_pipeline(pipeline=crowded)
    long = definition("odd", role, paths="a/**")
    long["stages"] += [{**long["stages"][1], "name": f"Again{number}"} for number in range(47)]
    with pytest.raises(ClientError, match="pipeline odd has 51 stages: 50 is the most"):
        pipelines.create_pipeline(pipeline=long)
    polled = definition("odd", role)
    del polled["stages"][0]["actions"][0]["configuration"]["PollForSourceChanges"]
    with pytest.raises(ClientError, match="set PollForSourceChanges to false"):
        pipelines.create_pipeline(pipeline=polled)
    with pytest.raises(ClientError, match="does not have a pipeline"):
        pipelines.get_pipeline_state(name="odd")
