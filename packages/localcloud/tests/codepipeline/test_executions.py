"""Pushes start pipelines by their path filters; executions take stages in turn; an approval holds one execution."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.exceptions import ClientError

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
    token,
)
from localcloud.testing.running import Running
from localcloud.testing.waiting import until


def test_a_push_takes_its_own_pipeline_to_the_end(cloud: Running, role: str, clone: Path, push: Push) -> None:
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
    assert done["Build"]["output"]["outputVariables"] == {"WORD": "word-push"}
    assert done["Approval"]["updatedBy"].endswith(":user/administrator")
    assert done["Approval"]["output"]["executionResult"]["externalExecutionSummary"] == "because"
    source = done["Source"]["output"]["outputVariables"]
    assert (source["AuthorDisplayName"], source["AuthorEmail"], source["CommitMessage"]) == ("Test", "test@example.com", "say first")
    commit = source["CommitId"]
    assert done["Approval"]["input"]["resolvedConfiguration"]["CustomData"] == f"commit {commit}"


def test_a_second_push_waits_behind_the_approval_of_the_first(cloud: Running, role: str, push: Push) -> None:
    create(cloud, definition("queue", role, paths="q/**"))
    push("q/1", "1")
    first_token = until(lambda: token(cloud, "queue"))
    (first,) = executions(cloud, "queue")

    push("q/2", "2")
    second = next(e for e in executions(cloud, "queue") if e["pipelineExecutionId"] != first["pipelineExecutionId"])
    until(lambda: actions(cloud, "queue", second["pipelineExecutionId"]).get("Build", {}).get("status") == "Succeeded")

    assert token(cloud, "queue") == first_token
    answer(cloud, "queue", first_token, "Approved")
    assert ended(cloud, "queue", first["pipelineExecutionId"]) == "Succeeded"
    commits = [
        actions(cloud, "queue", e["pipelineExecutionId"])["Source"]["output"]["outputVariables"]["CommitId"] for e in (first, second)
    ]
    assert commits[0] in actions(cloud, "queue", first["pipelineExecutionId"])["Approval"]["input"]["resolvedConfiguration"]["CustomData"]
    second_token = until(lambda: token(cloud, "queue"))
    with pytest.raises(ClientError, match="answered before"):
        answer(cloud, "queue", first_token, "Approved")
    answer(cloud, "queue", second_token, "Rejected")
    assert ended(cloud, "queue", second["pipelineExecutionId"]) == "Failed"
    assert (
        "because"
        in actions(cloud, "queue", second["pipelineExecutionId"])["Approval"]["output"]["executionResult"]["errorDetails"]["message"]
    )


def test_an_execution_that_waits_can_be_stopped(cloud: Running, role: str, push: Push) -> None:
    pipelines = cloud.client("codepipeline")
    create(cloud, definition("stopped", role, paths="none/**"))
    push("word.txt", "fine")
    started = pipelines.start_pipeline_execution(name="stopped")["pipelineExecutionId"]
    until(lambda: token(cloud, "stopped"))

    pipelines.stop_pipeline_execution(pipelineName="stopped", pipelineExecutionId=started, abandon=True, reason="enough")

    assert ended(cloud, "stopped", started) == "Stopped"


def test_only_the_newest_of_those_that_wait_for_a_stage_goes_on(cloud: Running) -> None:
    of_approvals(cloud, "newest")
    pipelines = cloud.client("codepipeline")
    started = []
    for _ in range(3):
        started.append(
            pipelines.start_pipeline_execution(name="newest", variables=[{"name": "cause", "value": "x"}])["pipelineExecutionId"]
        )
        assert approve(cloud, "newest", "First") == started[-1]
        until(lambda: started[-1] in str(second(cloud)))

    assert ended(cloud, "newest", started[1]) == "Superseded"
    assert [approve(cloud, "newest", "Second") for _ in range(2)] == [started[0], started[2]]
    assert [ended(cloud, "newest", e) for e in started] == ["Succeeded", "Superseded", "Succeeded"]


def second(cloud: Running) -> Json:
    """The state of the second stage of the pipeline newest."""
    state: Json = cloud.client("codepipeline").get_pipeline_state(name="newest")["stageStates"][1]
    return state


def test_what_cannot_be_honoured_is_refused_by_name(cloud: Running, role: str) -> None:
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
    with pytest.raises(ClientError, match="does not have a pipeline"):
        pipelines.get_pipeline_state(name="odd")
