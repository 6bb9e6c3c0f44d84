"""What tests of delivery pipelines do: make one, push to it, see how far an execution has come, answer its approvals."""

from __future__ import annotations

import io
import json
import subprocess
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from localcloud.testing import ACCOUNT, PROCESS, REGION, named
from localcloud.testing.accounts import Accounts, shared
from localcloud.testing.running import Running
from localcloud.testing.waiting import until

CONNECTION = f"arn:aws:codeconnections:{REGION}:{ACCOUNT}:connection/00000000-0000-0000-0000-000000000000"
AUTHOR = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
MAKING = ["cat word.txt", "WORD=$(cat word.txt)-$CAUSE", "export WORD", "mkdir out", "cp word.txt out/"]
Json = dict[str, Any]
STORE = named(f"artifacts{PROCESS}")  # the bucket of artifacts, and of sources that are not of a repository
MAKE, LAST = named(f"make{PROCESS}"), named(f"last{PROCESS}")  # the two projects that `definition` names
OBJECTS = ["s3:PutObject", "s3:GetObject", "s3:GetObjectVersion", "s3:GetBucketVersioning"]
STORING: Json = {"Action": OBJECTS, "Resource": [f"arn:aws:s3:::{STORE}", f"arn:aws:s3:::{STORE}/*"]}
LOGGING: Json = {"Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"}
Push = Callable[[str, str], str]


def action(category: str, provider: str, name: str, configuration: dict[str, str], **more: Any) -> Json:
    """An action whose variables have its name as their namespace."""
    kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": name, "namespace": name, "actionTypeId": kind, "configuration": configuration, **more}


def definition(name: str, role: str, *, paths: str = "") -> Json:
    """Source → Build (of the project `make`, which exports WORD) → Approval → Last. A push that changes `paths` starts it.

    Without paths its source is the object that `upload` writes, and nothing starts it.
    """
    variables = json.dumps([{"name": "CAUSE", "value": "#{variables.cause}"}])
    last = {"inputArtifacts": [{"name": "Source"}, {"name": "Made"}]}
    stages = (
        source() if paths else stored(name),
        build("Build", MAKE, outputArtifacts=[{"name": "Made"}], EnvironmentVariables=variables),
        action("Approval", "Manual", "Approval", {"CustomData": f"commit #{{Source.{'CommitId' if paths else 'VersionId'}}}"}),
        build("Last", LAST, **last, PrimarySource="Source"),
    )
    push = {"branches": {"includes": ["main"]}, "filePaths": {"includes": [paths]}}
    trigger = {"providerType": "CodeStarSourceConnection", "gitConfiguration": {"sourceActionName": "Source", "push": [push]}}
    return {
        "name": name,
        "roleArn": role,
        "pipelineType": "V2",
        "executionMode": "QUEUED",
        "artifactStore": {"type": "S3", "location": STORE},
        "variables": [{"name": "cause", "defaultValue": "push"}],
        "stages": [{"name": a["name"], "actions": [a]} for a in stages],
        **({"triggers": [trigger]} if paths else {}),
    }


def source(branch: str = "main") -> Json:
    """The action Source, of a repository, whose artifact has the same name."""
    configuration = {"ConnectionArn": CONNECTION, "FullRepositoryId": "acme/x", "BranchName": branch}
    return action("Source", "CodeStarSourceConnection", "Source", configuration, outputArtifacts=[{"name": "Source"}])


def stored(name: str) -> Json:
    """The action Source, of the object of that name, whose artifact is called Source. Nothing but a call starts its pipeline."""
    configuration = {"S3Bucket": STORE, "S3ObjectKey": f"{name}.zip", "PollForSourceChanges": "false"}
    return action("Source", "S3", "Source", configuration, outputArtifacts=[{"name": "Source"}])


def upload(cloud: Accounts, name: str, word: str) -> str:
    """Write the object of `stored`, a zip of word.txt; its version."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("word.txt", word)
    return str(cloud.client("s3").put_object(Bucket=STORE, Key=f"{name}.zip", Body=file.getvalue())["VersionId"])


def build(name: str, project: str, **more: Any) -> Json:
    """An action that builds a project, of the source unless other artifacts are named. Names in capitals go to its configuration."""
    configuration = {"ProjectName": project, **{key: more.pop(key) for key in list(more) if key[0].isupper()}}
    return action("Build", "CodeBuild", name, configuration, **{"inputArtifacts": [{"name": "Source"}], **more})


def create(cloud: Accounts, pipeline: Json) -> None:
    """Create a pipeline in which nothing has run: the execution that starts with it only waits, and its real definition cancels that."""
    first, *_ = pipeline["stages"]
    waits = [first, {"name": "Wait", "actions": [action("Approval", "Manual", "Wait", {})]}]
    cloud.client("codepipeline").create_pipeline(pipeline={**pipeline, "stages": waits, "triggers": []})
    cloud.client("codepipeline").update_pipeline(pipeline=pipeline)


def project(cloud: Accounts, name: str, commands: Sequence[str], *, makes: bool = False, allows: Sequence[Json] = ()) -> None:
    """Make a project for pipelines that use the bucket STORE. It exports WORD where a command does; `makes` is an artifact of out."""
    spec: Json = {"version": 0.2, "phases": {"build": {"commands": list(commands)}}}
    if "export WORD" in commands:
        spec["env"] = {"exported-variables": ["WORD"]}
    if makes:
        spec["artifacts"] = {"base-directory": "out", "files": ["**/*"]}
    cloud.client("codebuild").create_project(
        name=name,
        source={"type": "CODEPIPELINE", "buildspec": json.dumps(spec)},
        artifacts={"type": "CODEPIPELINE"},
        environment={"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole=cloud.role(f"{name}-build", trusts={"Service": "codebuild.amazonaws.com"}, allows=[STORING, LOGGING, *allows]),
    )


def prepare(cloud: Accounts) -> str:
    """Make the bucket and the two projects that `definition` names; returns the ARN of the role for it. Once a process."""
    store(cloud)
    project(cloud, MAKE, MAKING, makes=True)
    project(cloud, LAST, ["test -f word.txt", "test -f $CODEBUILD_SRC_DIR_Made/word.txt"])
    allows: list[Json] = [
        STORING,
        {"Action": ["codebuild:StartBuild", "codebuild:BatchGetBuilds"], "Resource": f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/*"},
        {"Action": "codeconnections:UseConnection", "Resource": CONNECTION},
    ]
    return cloud.role(named(f"pipeline{PROCESS}"), trusts={"Service": "codepipeline.amazonaws.com"}, allows=allows)


def store(cloud: Accounts) -> None:
    """Make the bucket STORE, which keeps versions, unless it is there."""
    with shared():
        cloud.create_bucket(STORE)
    cloud.client("s3").put_bucket_versioning(Bucket=STORE, VersioningConfiguration={"Status": "Enabled"})


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
    """Make a pipeline of two approvals in which nothing has run. Returns its ARN."""
    create(cloud, approvals(cloud, name, mode=mode))
    return f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{name}"


def approvals(cloud: Accounts, name: str, *, mode: str = "SUPERSEDED") -> Json:
    """The definition of a pipeline of the stages Source, First and Second, the last two approvals. Makes its role and its source."""
    store(cloud)
    upload(cloud, name, "word")
    role = cloud.role(f"{name}-pipeline", trusts={"Service": "codepipeline.amazonaws.com"}, allows=[STORING])
    asks = (action("Approval", "Manual", n, {"CustomData": "#{variables.cause}"}) for n in ("First", "Second"))
    return {
        "name": name,
        "roleArn": role,
        "pipelineType": "V2",
        "executionMode": mode,
        "artifactStore": {"type": "S3", "location": STORE},
        "variables": [{"name": "cause", "defaultValue": "person"}],
        "stages": [{"name": a["name"], "actions": [a]} for a in (stored(name), *asks)],
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
