"""What an action does: take a commit or an object, run a build, wait for an approval; and the artifacts that go from one to the next."""

from __future__ import annotations

import json
import shutil
import uuid
import zipfile
from pathlib import Path
from typing import Any

from moto.sns.models import sns_backends

from localcloud.codebuild import builds, projects
from localcloud.codepipeline.executions import ActionFailed, ActionRun, Execution, runners
from localcloud.codepipeline.turns import Stopped
from localcloud.core.cloud import IN_THIS_THREAD, cloud
from localcloud.iam import policies
from localcloud.source import git


def install() -> None:
    """Make these actions known."""
    runners["Source", "CodeStarSourceConnection"] = _source
    runners["Source", "S3"] = _object
    runners["Build", "CodeBuild"] = _build
    runners["Approval", "Manual"] = _approval


def _source(execution: Execution, run: ActionRun) -> None:
    _permitted(execution, run, ("codeconnections:UseConnection", "codestar-connections:UseConnection"), run.configuration["ConnectionArn"])
    branch = run.configuration["BranchName"]
    execution.commit = execution.commit or git.head(branch)
    if execution.commit is None:
        raise ActionFailed(f"branch {branch} has no commit yet: push one to {git.repository()}")
    facts = git.facts(execution.commit, branch, run.configuration["FullRepositoryId"])
    (output,) = run.action["outputArtifacts"]
    _upload(execution, run, output["name"], git.archive(execution.commit))
    run.become("InProgress", variables=facts, external_id=execution.commit, summary=facts["CommitMessage"])


def _object(execution: Execution, run: ActionRun) -> None:
    """The newest version of an object, a zip, of a bucket with versions. Nothing but a person or a program starts a pipeline for it."""
    bucket, key = run.configuration["S3Bucket"], run.configuration["S3ObjectKey"]
    s3, _ = _s3(execution, execution.definition["roleArn"])
    if s3.get_bucket_versioning(Bucket=bucket).get("Status") != "Enabled":
        raise ActionFailed(f"bucket {bucket} keeps no versions: enable versioning on it")
    newest = s3.head_object(Bucket=bucket, Key=key)
    file = cloud().folder("sources") / f"{run.id}.zip"
    s3.download_file(bucket, key, str(file), ExtraArgs={"VersionId": newest["VersionId"]}, Config=IN_THIS_THREAD)
    (output,) = run.action["outputArtifacts"]
    _upload(execution, run, output["name"], file)
    file.unlink()
    run.become("InProgress", variables={"VersionId": newest["VersionId"], "ETag": newest["ETag"]}, external_id=newest["VersionId"])


def _build(execution: Execution, run: ActionRun) -> None:
    name = run.configuration["ProjectName"]
    p = execution.pipeline
    _permitted(execution, run, ("codebuild:StartBuild",), f"arn:aws:codebuild:{p.region}:{p.account}:project/{name}")
    inputs = [a["name"] for a in run.action.get("inputArtifacts", [])]
    primary = run.configuration.get("PrimarySource", inputs[0])
    folder = cloud().folder("builds", name, f"source-{run.id}")
    project = projects.find(p.account, p.region, name)
    sources = {n: _download(execution, n, folder / n, project["serviceRole"]) for n in sorted(inputs, key=lambda n: n != primary)}
    variables = json.loads(run.configuration.get("EnvironmentVariables", "[]"))
    build = builds.start(
        account=p.account,
        region=p.region,
        name=name,
        variables={v["name"]: v["value"] for v in variables},
        sources=sources,
        outputs=tuple(a["name"] for a in run.action.get("outputArtifacts", [])),
        initiator=f"codepipeline/{p.name}",
    )
    run.become("InProgress", external_id=build.id)
    while not build.done.wait(0.2):
        if execution.ended_early is Stopped:  # a build of an execution that is cancelled may be what changes the pipeline
            build.stop()
    shutil.rmtree(folder, ignore_errors=True)
    if execution.ended_early is Stopped:
        raise Stopped
    run.variables = build.exported
    if build.status != "SUCCEEDED":
        raise ActionFailed(f"Build {build.status.lower()}: {build.failure}")
    for artifact, path in build.artifacts.items():
        _upload(execution, run, artifact, path)


def _approval(execution: Execution, run: ActionRun) -> None:
    run.token = str(uuid.uuid4())
    if topic := run.configuration.get("NotificationArn"):
        message = {
            "approval": {
                "pipelineName": execution.pipeline.name,
                "stageName": run.stage,
                "actionName": run.action["name"],
                "token": run.token,
                "customData": run.configuration.get("CustomData", ""),
                "externalEntityLink": run.configuration.get("ExternalEntityLink", ""),
            }
        }
        sns_backends[topic.split(":")[4]][topic.split(":")[3]].publish(json.dumps(message), arn=topic, subject="APPROVAL NEEDED")
    run.answered.wait()
    if execution.ended_early:
        raise execution.ended_early
    if run.decision == "Rejected":
        raise ActionFailed(f"rejected by {run.by}: {run.summary}")


def _permitted(execution: Execution, run: ActionRun, actions: tuple[str, ...], resource: str) -> None:
    """The action's role (else the pipeline's) must be allowed one of `actions` on `resource`."""
    role_arn = run.action.get("roleArn", execution.definition["roleArn"])
    if not any(policies.role_allows(role_arn, action=action, resource=resource) for action in actions):
        raise ActionFailed(f"role {role_arn} is not allowed {actions[0]} on {resource}")


def _s3(execution: Execution, role_arn: str) -> tuple[Any, str]:
    return cloud().client("s3", role_arn=role_arn, region=execution.pipeline.region), execution.definition["artifactStore"]["location"]


def _upload(execution: Execution, run: ActionRun, artifact: str, path: Path) -> None:
    role = execution.definition["roleArn"]
    if run.action["actionTypeId"]["provider"] == "CodeBuild":
        project = projects.find(execution.pipeline.account, execution.pipeline.region, run.configuration["ProjectName"])
        role = project["serviceRole"]
    s3, bucket = _s3(execution, role)
    key = f"{execution.pipeline.name}/{artifact}/{execution.id}.zip"
    s3.upload_file(str(path), bucket, key, Config=IN_THIS_THREAD)
    execution.artifacts[artifact] = (bucket, key)


def _download(execution: Execution, artifact: str, folder: Path, role_arn: str) -> Path:
    if artifact not in execution.artifacts:
        raise ActionFailed(f"input artifact {artifact} was not made by an earlier action")
    bucket, key = execution.artifacts[artifact]
    s3, _ = _s3(execution, role_arn)
    folder.mkdir(parents=True)
    file = folder.with_suffix(".zip")
    s3.download_file(bucket, key, str(file), Config=IN_THIS_THREAD)
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            target = Path(archive.extract(member, folder))
            if not member.is_dir() and (mode := member.external_attr >> 16 & 0o777):
                target.chmod(mode)
    file.unlink()
    return folder
