"""Pushes start pipelines by their path filters; executions take stages in turn; an approval holds one execution."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud import git
from tests.localcloud.running import ACCOUNT, REGION, Running

CONNECTION = f"arn:aws:codeconnections:{REGION}:{ACCOUNT}:connection/00000000-0000-0000-0000-000000000000"


def action(category: str, provider: str, name: str, configuration: dict[str, str], **more: Any) -> dict[str, Any]:
    kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": name, "namespace": name, "actionTypeId": kind, "configuration": configuration, **more}


def definition(name: str, role: str, *, build: str, paths: str) -> dict[str, Any]:
    """Source → Build (a buildspec that exports WORD) → Approval → Last."""
    source = action(
        "Source",
        "CodeStarSourceConnection",
        "Source",
        {"ConnectionArn": CONNECTION, "FullRepositoryId": "acme/x", "BranchName": "main"},
        outputArtifacts=[{"name": "Source"}],
    )
    variables = json.dumps([{"name": "COMMIT", "value": "#{Source.CommitId}"}, {"name": "CAUSE", "value": "#{variables.cause}"}])
    builds = action(
        "Build", "CodeBuild", "Build", {"ProjectName": build, "EnvironmentVariables": variables}, inputArtifacts=[{"name": "Source"}]
    )
    builds["outputArtifacts"] = [{"name": "Made"}]
    last = action("Build", "CodeBuild", "Last", {"ProjectName": "last", "PrimarySource": "Source"})
    last["inputArtifacts"] = [{"name": "Source"}, {"name": "Made"}]
    push = {"branches": {"includes": ["main"]}, "filePaths": {"includes": [paths]}}
    return {
        "name": name,
        "roleArn": role,
        "pipelineType": "V2",
        "executionMode": "QUEUED",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "variables": [{"name": "cause", "defaultValue": "push"}],
        "triggers": [
            {"providerType": "CodeStarSourceConnection", "gitConfiguration": {"sourceActionName": "Source", "push": [push]}},
        ],
        "stages": [
            {"name": "Source", "actions": [source]},
            {"name": "Build", "actions": [builds]},
            {"name": "Approval", "actions": [action("Approval", "Manual", "Approval", {"CustomData": "commit #{Source.CommitId}"})]},
            {"name": "Last", "actions": [last]},
        ],
    }


@pytest.fixture(scope="module")
def role(cloud: Running) -> str:
    """The pipeline role; with it the bucket and the two projects that pipelines of this module use."""
    cloud.client("s3").create_bucket(Bucket="artifacts", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3: dict[str, Any] = {"Action": ["s3:PutObject", "s3:GetObject"], "Resource": "arn:aws:s3:::artifacts/*"}
    commands = {
        "make": [
            "cat word.txt",
            'test "$(cat word.txt)" != broken',
            "WORD=$(cat word.txt)-$CAUSE",
            "export WORD",
            "mkdir out",
            "cp word.txt out/",
        ],
        "last": ["test -f word.txt", "test -f $CODEBUILD_SRC_DIR_Made/word.txt"],
    }
    for name, lines in commands.items():
        spec: dict[str, Any] = {"version": 0.2, "phases": {"build": {"commands": lines}}, "env": {"exported-variables": ["WORD"]}}
        spec["artifacts"] = {"base-directory": "out", "files": ["**/*"]}
        cloud.client("codebuild").create_project(
            name=name,
            source={"type": "CODEPIPELINE", "buildspec": json.dumps(spec)},
            artifacts={"type": "CODEPIPELINE"},
            environment={"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "BUILD_GENERAL1_SMALL"},
            serviceRole=cloud.role(f"codebuild-{name}", trusts={"Service": "codebuild.amazonaws.com"}, allows=[s3]),
        )
    allows: list[dict[str, Any]] = [
        s3,
        {"Action": "codebuild:StartBuild", "Resource": f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/*"},
        {"Action": "codeconnections:UseConnection", "Resource": CONNECTION},
    ]
    return cloud.role("pipeline", trusts={"Service": "codepipeline.amazonaws.com"}, allows=allows)


@pytest.fixture(scope="module")
def push(cloud: Running, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], str]:
    """Commit one file to a clone and push it; returns what git said."""
    clone = tmp_path_factory.mktemp("clone")
    subprocess.run(["git", "init", "-q", "-b", "main", str(clone)], check=True)

    def commit(path: str, text: str) -> str:
        file = clone / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        (clone / "word.txt").touch()
        who = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
        subprocess.run(["git", "-C", str(clone), "add", "-A"], check=True)
        subprocess.run(["git", "-C", str(clone), *who, "commit", "-q", "-m", f"say {text}"], check=True)
        done = subprocess.run(["git", "-C", str(clone), "push", cloud.state["remote"], "main"], capture_output=True, text=True, check=True)
        return done.stderr

    return commit


def executions(cloud: Running, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cloud.client("codepipeline").list_pipeline_executions(pipelineName=name)["pipelineExecutionSummaries"]
    return found


def wait(condition: Callable[[], Any]) -> Any:
    """AWS has no call that waits for an execution, so ask again and again."""
    deadline = time.monotonic() + 30
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def ended(cloud: Running, name: str, execution: str) -> str:
    def status() -> str | None:
        found = next(e["status"] for e in executions(cloud, name) if e["pipelineExecutionId"] == execution)
        return found if found != "InProgress" else None

    return str(wait(status))


def token(cloud: Running, name: str) -> str | None:
    state = cloud.client("codepipeline").get_pipeline_state(name=name)
    approval = next(s for s in state["stageStates"] if s["stageName"] == "Approval")
    found: str | None = approval["actionStates"][0].get("latestExecution", {}).get("token")
    return found


def answer(cloud: Running, name: str, given: str, status: str) -> None:
    result = {"status": status, "summary": "because"}
    where = {"pipelineName": name, "stageName": "Approval", "actionName": "Approval", "token": given}
    cloud.client("codepipeline").put_approval_result(**where, result=result)


def actions(cloud: Running, name: str, execution: str) -> dict[str, Any]:
    details = cloud.client("codepipeline").list_action_executions(pipelineName=name, filter={"pipelineExecutionId": execution})
    return {d["actionName"]: d for d in details["actionExecutionDetails"]}


def pipeline(cloud: Running, name: str, *, mode: str = "SUPERSEDED") -> str:
    """A pipeline that needs nothing: its source is an approval. Returns its ARN."""
    allows = [{"Action": "s3:GetObject", "Resource": "*"}]
    role = cloud.role(f"{name}-pipeline", trusts={"Service": "codepipeline.amazonaws.com"}, allows=allows)
    stages = [{"name": n, "actions": [action("Approval", "Manual", n, {"CustomData": "#{variables.cause}"})]} for n in ("First", "Second")]
    cloud.client("codepipeline").create_pipeline(
        pipeline={
            "name": name,
            "roleArn": role,
            "pipelineType": "V2",
            "executionMode": mode,
            "artifactStore": {"type": "S3", "location": "none"},
            "variables": [{"name": "cause", "defaultValue": "person"}],
            "stages": stages,
        }
    )
    return f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{name}"


def everything(cloud: Running, name: str) -> list[dict[str, Any]]:
    pages = cloud.client("codepipeline").get_paginator("list_pipeline_executions").paginate(pipelineName=name)
    return [e for page in pages for e in page["pipelineExecutionSummaries"]]


def approve(cloud: Running, name: str, stage: str) -> str:
    """Answer the open approval of a stage; returns the execution that held it."""

    def state() -> dict[str, Any] | None:
        found = next(s for s in cloud.client("codepipeline").get_pipeline_state(name=name)["stageStates"] if s["stageName"] == stage)
        return found if found["actionStates"][0].get("latestExecution", {}).get("token") else None

    found = wait(state)
    where = {"pipelineName": name, "stageName": stage, "actionName": stage}
    token = found["actionStates"][0]["latestExecution"]["token"]
    cloud.client("codepipeline").put_approval_result(**where, token=token, result={"status": "Approved", "summary": "fine"})
    held: str = found["latestExecution"]["pipelineExecutionId"]
    return held


def test_a_push_takes_its_own_pipeline_to_the_end(cloud: Running, role: str, push: Callable[[str, str], str]) -> None:
    pipelines = cloud.client("codepipeline")
    pipelines.create_pipeline(pipeline=definition("mine", role, build="make", paths="a/**"))
    pipelines.create_pipeline(pipeline=definition("other", role, build="make", paths="b/**"))

    said = push("a/b/c.txt", "first")

    assert "started mine" in said
    assert executions(cloud, "other") == []
    (execution,) = executions(cloud, "mine")
    answer(cloud, "mine", wait(lambda: token(cloud, "mine")), "Approved")
    assert ended(cloud, "mine", execution["pipelineExecutionId"]) == "Succeeded"
    done = actions(cloud, "mine", execution["pipelineExecutionId"])
    assert done["Build"]["output"]["outputVariables"] == {"WORD": "-push"}
    assert done["Approval"]["updatedBy"].endswith(":user/administrator")
    assert done["Approval"]["output"]["executionResult"]["externalExecutionSummary"] == "because"
    told = done["Source"]["output"]["outputVariables"]
    assert (told["AuthorDisplayName"], told["AuthorEmail"], told["CommitMessage"]) == ("Test", "test@example.com", "say first")
    commit = told["CommitId"]
    assert done["Approval"]["input"]["resolvedConfiguration"]["CustomData"] == f"commit {commit}"


def test_a_second_push_waits_behind_the_approval_of_the_first(cloud: Running, role: str, push: Callable[[str, str], str]) -> None:
    cloud.client("codepipeline").create_pipeline(pipeline=definition("queue", role, build="make", paths="q/**"))
    push("q/1", "1")
    first_token = wait(lambda: token(cloud, "queue"))
    (first,) = executions(cloud, "queue")

    push("q/2", "2")
    second = next(e for e in executions(cloud, "queue") if e["pipelineExecutionId"] != first["pipelineExecutionId"])
    wait(lambda: actions(cloud, "queue", second["pipelineExecutionId"]).get("Build", {}).get("status") == "Succeeded")

    assert token(cloud, "queue") == first_token
    answer(cloud, "queue", first_token, "Approved")
    assert ended(cloud, "queue", first["pipelineExecutionId"]) == "Succeeded"
    commits = [
        actions(cloud, "queue", e["pipelineExecutionId"])["Source"]["output"]["outputVariables"]["CommitId"] for e in (first, second)
    ]
    assert commits[0] in actions(cloud, "queue", first["pipelineExecutionId"])["Approval"]["input"]["resolvedConfiguration"]["CustomData"]
    second_token = wait(lambda: token(cloud, "queue"))
    with pytest.raises(ClientError, match="answered before"):
        answer(cloud, "queue", first_token, "Approved")
    answer(cloud, "queue", second_token, "Rejected")
    assert ended(cloud, "queue", second["pipelineExecutionId"]) == "Failed"
    assert (
        "because"
        in actions(cloud, "queue", second["pipelineExecutionId"])["Approval"]["output"]["executionResult"]["errorDetails"]["message"]
    )


def test_a_failed_stage_can_be_tried_again(cloud: Running, role: str, push: Callable[[str, str], str]) -> None:
    pipelines = cloud.client("codepipeline")
    pipelines.create_pipeline(pipeline=definition("again", role, build="make", paths="none/**"))
    push("word.txt", "broken")
    started = pipelines.start_pipeline_execution(name="again", variables=[{"name": "cause", "value": "drift"}])["pipelineExecutionId"]
    assert ended(cloud, "again", started) == "Failed"
    assert "broken" in actions(cloud, "again", started)["Build"]["output"]["executionResult"]["errorDetails"]["message"]

    pipelines.retry_stage_execution(pipelineName="again", stageName="Build", pipelineExecutionId=started, retryMode="FAILED_ACTIONS")

    def builds() -> list[str]:
        runs = pipelines.list_action_executions(pipelineName="again", filter={"pipelineExecutionId": started})["actionExecutionDetails"]
        return [r["status"] for r in runs if r["actionName"] == "Build"]

    wait(lambda: builds() == ["Failed", "Failed"])
    assert ended(cloud, "again", started) == "Failed"
    with pytest.raises(ClientError, match="did not fail"):
        pipelines.retry_stage_execution(pipelineName="again", stageName="Last", pipelineExecutionId=started, retryMode="FAILED_ACTIONS")


def test_an_execution_that_waits_can_be_stopped(cloud: Running, role: str, push: Callable[[str, str], str]) -> None:
    pipelines = cloud.client("codepipeline")
    pipelines.create_pipeline(pipeline=definition("stopped", role, build="make", paths="none/**"))
    push("word.txt", "fine")
    started = pipelines.start_pipeline_execution(name="stopped")["pipelineExecutionId"]
    wait(lambda: token(cloud, "stopped"))

    pipelines.stop_pipeline_execution(pipelineName="stopped", pipelineExecutionId=started, abandon=True, reason="enough")

    assert ended(cloud, "stopped", started) == "Stopped"


def test_only_the_newest_of_those_that_wait_for_a_stage_goes_on(cloud: Running) -> None:
    pipeline(cloud, "newest")
    pipelines = cloud.client("codepipeline")
    started = []
    for _ in range(3):
        started.append(
            pipelines.start_pipeline_execution(name="newest", variables=[{"name": "cause", "value": "x"}])["pipelineExecutionId"]
        )
        assert approve(cloud, "newest", "First") == started[-1]
        wait(lambda: started[-1] in str(second(cloud)))

    assert ended(cloud, "newest", started[1]) == "Superseded"
    assert [approve(cloud, "newest", "Second") for _ in range(2)] == [started[0], started[2]]
    assert [ended(cloud, "newest", e) for e in started] == ["Succeeded", "Superseded", "Succeeded"]


def second(cloud: Running) -> dict[str, Any]:
    """The state of the second stage of the pipeline newest."""
    found: dict[str, Any] = cloud.client("codepipeline").get_pipeline_state(name="newest")["stageStates"][1]
    return found


def test_what_cannot_be_honoured_is_refused_by_name(cloud: Running, role: str) -> None:
    pipelines = cloud.client("codepipeline")
    odd = definition("odd", role, build="make", paths="a/**")
    odd["stages"][1]["actions"][0]["actionTypeId"].update(category="Deploy", provider="ECS")
    with pytest.raises(ClientError, match="Deploy actions of ECS"):
        pipelines.create_pipeline(pipeline=odd)
    parallel = {**definition("odd", role, build="make", paths="a/**"), "executionMode": "PARALLEL"}
    with pytest.raises(ClientError, match="QUEUED and SUPERSEDED"):
        pipelines.create_pipeline(pipeline=parallel)
    with pytest.raises(ClientError, match="does not have a pipeline"):
        pipelines.get_pipeline_state(name="odd")


@pytest.mark.parametrize(
    ("pattern", "path", "wanted"),
    [
        ("model_code/x/**", "model_code/x/a/b.py", True),
        ("model_code/x/**", "model_code/xy/a.py", False),
        ("*.py", "app.py", True),
        ("*.py", "stacks/app.py", False),
        ("config.p?", "config.py", True),
    ],
)
def test_globs_cross_folders_only_with_two_stars(pattern: str, path: str, wanted: bool) -> None:
    push = git.Push("main", "c", (path,))

    assert git.wants({"gitConfiguration": {"push": [{"filePaths": {"includes": [pattern]}}]}}, push) is wanted


def test_a_push_to_a_cloud_that_is_gone_is_refused(tmp_path: Path) -> None:
    with Running(tmp_path / "cloud") as gone:
        remote = gone.state["remote"]
        kept = tmp_path / "kept.git"
        subprocess.run(["cp", "-r", remote, str(kept)], check=True)
    clone = tmp_path / "clone"
    subprocess.run(["git", "init", "-q", "-b", "main", str(clone)], check=True)
    who = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    subprocess.run(["git", "-C", str(clone), *who, "commit", "-q", "--allow-empty", "-m", "x"], check=True)

    done = subprocess.run(["git", "-C", str(clone), "push", str(kept), "main"], capture_output=True, text=True)

    assert done.returncode != 0
    assert "start it with ./road up" in done.stderr
