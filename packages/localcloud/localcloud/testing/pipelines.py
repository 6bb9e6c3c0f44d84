"""What tests of delivery pipelines do: make one, push to it, see how far an execution has come, answer its approvals."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from localcloud.testing import ACCOUNT, REGION
from localcloud.testing.accounts import Accounts
from localcloud.testing.running import Running
from localcloud.testing.waiting import until

CONNECTION = f"arn:aws:codeconnections:{REGION}:{ACCOUNT}:connection/00000000-0000-0000-0000-000000000000"
AUTHOR = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
COMMANDS = {
    "make": [
        "cat word.txt",
        "WORD=$(cat word.txt)-$CAUSE",
        "export WORD",
        "mkdir out",
        "cp word.txt out/",
    ],
    "last": ["test -f word.txt", "test -f $CODEBUILD_SRC_DIR_Made/word.txt"],
}
Json = dict[str, Any]
STORE: Json = {"Action": ["s3:PutObject", "s3:GetObject"], "Resource": "arn:aws:s3:::artifacts/*"}
Push = Callable[[str, str], str]


def action(category: str, provider: str, name: str, configuration: dict[str, str], **more: Any) -> Json:
    """An action whose variables have its name as their namespace."""
    kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": name, "namespace": name, "actionTypeId": kind, "configuration": configuration, **more}


def definition(name: str, role: str, *, paths: str) -> Json:
    """Source → Build (of the project `make`, which exports WORD) → Approval → Last. A push that changes `paths` starts it."""
    variables = json.dumps([{"name": "COMMIT", "value": "#{Source.CommitId}"}, {"name": "CAUSE", "value": "#{variables.cause}"}])
    last = {"inputArtifacts": [{"name": "Source"}, {"name": "Made"}]}
    stages = (
        source(),
        build("Build", "make", outputArtifacts=[{"name": "Made"}], EnvironmentVariables=variables),
        action("Approval", "Manual", "Approval", {"CustomData": "commit #{Source.CommitId}"}),
        build("Last", "last", **last, PrimarySource="Source"),
    )
    push = {"branches": {"includes": ["main"]}, "filePaths": {"includes": [paths]}}
    trigger = {"providerType": "CodeStarSourceConnection", "gitConfiguration": {"sourceActionName": "Source", "push": [push]}}
    return {
        "name": name,
        "roleArn": role,
        "pipelineType": "V2",
        "executionMode": "QUEUED",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "variables": [{"name": "cause", "defaultValue": "push"}],
        "triggers": [trigger],
        "stages": [{"name": a["name"], "actions": [a]} for a in stages],
    }


def source(branch: str = "main") -> Json:
    """The action Source, whose artifact has the same name."""
    configuration = {"ConnectionArn": CONNECTION, "FullRepositoryId": "acme/x", "BranchName": branch}
    return action("Source", "CodeStarSourceConnection", "Source", configuration, outputArtifacts=[{"name": "Source"}])


def build(name: str, project: str, **more: Any) -> Json:
    """An action that builds a project, of the source unless other artifacts are named. Names in capitals go to its configuration."""
    configuration = {"ProjectName": project, **{key: more.pop(key) for key in list(more) if key[0].isupper()}}
    return action("Build", "CodeBuild", name, configuration, **{"inputArtifacts": [{"name": "Source"}], **more})


def create(cloud: Accounts, pipeline: Json) -> None:
    """Create a pipeline in which nothing has run: the execution that starts with it only waits, and its real definition cancels that."""
    waits = [{"name": "Wait", "actions": [action("Approval", "Manual", "Wait", {})]}]
    cloud.client("codepipeline").create_pipeline(pipeline={**pipeline, "stages": waits, "triggers": []})
    cloud.client("codepipeline").update_pipeline(pipeline=pipeline)


def project(cloud: Accounts, name: str, commands: Sequence[str], *, allows: Sequence[Json] = ()) -> None:
    """Make a project for pipelines that use the bucket `artifacts`: it exports WORD, and makes an artifact of the folder out."""
    spec: Json = {"version": 0.2, "phases": {"build": {"commands": list(commands)}}, "env": {"exported-variables": ["WORD"]}}
    spec["artifacts"] = {"base-directory": "out", "files": ["**/*"]}
    cloud.client("codebuild").create_project(
        name=name,
        source={"type": "CODEPIPELINE", "buildspec": json.dumps(spec)},
        artifacts={"type": "CODEPIPELINE"},
        environment={"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole=cloud.role(f"codebuild-{name}", trusts={"Service": "codebuild.amazonaws.com"}, allows=[STORE, *allows]),
    )


def prepare(cloud: Accounts) -> str:
    """Make the bucket and the two projects that `definition` names; returns the ARN of the role for it. Once a cloud."""
    cloud.client("s3").create_bucket(Bucket="artifacts", CreateBucketConfiguration={"LocationConstraint": REGION})
    for name, commands in COMMANDS.items():
        project(cloud, name, commands)
    allows: list[Json] = [
        STORE,
        {"Action": "codebuild:StartBuild", "Resource": f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/*"},
        {"Action": "codeconnections:UseConnection", "Resource": CONNECTION},
    ]
    return cloud.role("pipeline", trusts={"Service": "codepipeline.amazonaws.com"}, allows=allows)


def clone(cloud: Running, folder: Path) -> Push:
    """`push(path, text)` commits one file to a clone in `folder` and pushes it; it returns what git said."""
    subprocess.run(["git", "init", "-q", "-b", "main", str(folder)], check=True)

    def git(*arguments: str) -> str:
        return subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True).stderr

    def push(path: str, text: str) -> str:
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        (folder / "word.txt").touch()
        git("add", "-A")
        git(*AUTHOR, "commit", "-q", "-m", f"say {text}")
        return git("push", cloud.state["remote"], "main")

    return push


def of_approvals(cloud: Accounts, name: str, *, mode: str = "SUPERSEDED") -> str:
    """Make a pipeline that needs nothing: its source is an approval, and so is what follows. Returns its ARN."""
    create(cloud, approvals(cloud, name, mode=mode))
    return f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{name}"


def approvals(cloud: Accounts, name: str, *, mode: str = "SUPERSEDED") -> Json:
    """The definition of a pipeline that needs nothing: the stages First and Second, both approvals. Makes its role."""
    allows = [{"Action": "s3:GetObject", "Resource": "*"}]
    role = cloud.role(f"{name}-pipeline", trusts={"Service": "codepipeline.amazonaws.com"}, allows=allows)
    stages = [{"name": n, "actions": [action("Approval", "Manual", n, {"CustomData": "#{variables.cause}"})]} for n in ("First", "Second")]
    return {
        "name": name,
        "roleArn": role,
        "pipelineType": "V2",
        "executionMode": mode,
        "artifactStore": {"type": "S3", "location": "none"},
        "variables": [{"name": "cause", "defaultValue": "person"}],
        "stages": stages,
    }


def history(cloud: Accounts, name: str) -> list[Json]:
    """Every execution of a pipeline, newest first."""
    pages = cloud.client("codepipeline").get_paginator("list_pipeline_executions").paginate(pipelineName=name)
    return [e for page in pages for e in page["pipelineExecutionSummaries"]]


def executions(cloud: Accounts, name: str) -> list[Json]:
    """Every execution of a pipeline but the one that started with it, newest first."""
    return [e for e in history(cloud, name) if e["trigger"]["triggerType"] != "CreatePipeline"]


def ended(cloud: Accounts, name: str, execution: str) -> str:
    """The status of an execution, once it has ended."""

    def status() -> str | None:
        current = next(e["status"] for e in history(cloud, name) if e["pipelineExecutionId"] == execution)
        return current if current != "InProgress" else None

    return str(until(status))


def actions(cloud: Accounts, name: str, execution: str) -> Json:
    """The newest run of each action of an execution, by the action's name."""
    details = cloud.client("codepipeline").list_action_executions(pipelineName=name, filter={"pipelineExecutionId": execution})
    return {d["actionName"]: d for d in reversed(details["actionExecutionDetails"])}


def token(cloud: Accounts, name: str) -> str | None:
    """The token of the open approval of the stage Approval, if there is one."""
    state = cloud.client("codepipeline").get_pipeline_state(name=name)
    approval = next(s for s in state["stageStates"] if s["stageName"] == "Approval")
    open_token: str | None = approval["actionStates"][0].get("latestExecution", {}).get("token")
    return open_token


def answer(cloud: Accounts, name: str, token: str, status: str) -> None:
    """Answer the approval of the stage Approval."""
    result = {"status": status, "summary": "because"}
    where = {"pipelineName": name, "stageName": "Approval", "actionName": "Approval", "token": token}
    cloud.client("codepipeline").put_approval_result(**where, result=result)


def approve(cloud: Accounts, name: str, stage: str) -> str:
    """Approve what waits in a stage, once something does; returns the execution that was held by it."""

    def open_approval() -> Json | None:
        states = cloud.client("codepipeline").get_pipeline_state(name=name)["stageStates"]
        state = next(s for s in states if s["stageName"] == stage)
        return state if state["actionStates"][0].get("latestExecution", {}).get("token") else None

    state = until(open_approval)
    where = {"pipelineName": name, "stageName": stage, "actionName": stage}
    token = state["actionStates"][0]["latestExecution"]["token"]
    cloud.client("codepipeline").put_approval_result(**where, token=token, result={"status": "Approved", "summary": "fine"})
    held: str = state["latestExecution"]["pipelineExecutionId"]
    return held
