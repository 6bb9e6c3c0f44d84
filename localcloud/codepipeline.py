"""CodePipeline that runs: executions go through a V2 pipeline's stages as its definition says, QUEUED or SUPERSEDED."""

from __future__ import annotations

import json
import re
import shutil
import threading
import time
import traceback
import uuid
import zipfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from moto.sns.models import sns_backends

from localcloud import codebuild, events, git, iam
from localcloud.cloud import cloud
from localcloud.errors import error, invalid
from localcloud.shapes import check

REFUSED_STAGE = ("blockers", "beforeEntry", "onSuccess", "onFailure")
LONGEST_QUEUE = 50  # executions of a QUEUED pipeline that are under way at once
_pipelines: dict[tuple[str, str, str], Pipeline] = {}


class ActionFailed(Exception):
    """An action's failure, in the words the person will read."""


class Stopped(Exception):
    """The execution was stopped."""


class Superseded(Exception):
    """A newer execution came to the stage that this one waited for."""


@dataclass
class ActionRun:
    """One run of one action, and what `ListActionExecutions` and `GetPipelineState` say of it."""

    stage: str
    action: dict[str, Any]
    configuration: dict[str, str] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "InProgress"
    started: float = field(default_factory=time.time)
    updated: float = field(default_factory=time.time)
    by: str = ""
    summary: str = ""
    error: str = ""
    external_id: str = ""
    token: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    answered: threading.Event = field(default_factory=threading.Event)

    def end(self, status: str, **facts: Any) -> None:
        self.__dict__.update(facts, status=status, updated=time.time())


class Execution:
    """One execution: a fixed definition and revision, going from stage to stage in a thread of its own."""

    def __init__(self, pipeline: Pipeline, number: int, commit: str | None, trigger: dict[str, str], variables: dict[str, str]) -> None:
        self.pipeline, self.number, self.commit, self.trigger = pipeline, number, commit, trigger
        self.id = str(uuid.uuid4())
        self.definition = pipeline.definition
        declared = {v["name"]: v.get("defaultValue") for v in self.definition.get("variables", [])}
        if unknown := set(variables) - set(declared):
            raise error("ValidationException", f"pipeline {pipeline.name} has no variable {', '.join(sorted(unknown))}")
        for name, value in variables.items():
            check("codepipeline", "PipelineVariableName", name)
            check("codepipeline", "PipelineVariableValue", value)
        self.mode = str(self.definition.get("executionMode", "SUPERSEDED"))
        chosen = {**declared, **variables}
        self.namespaces: dict[str, dict[str, str]] = {
            "codepipeline": {"PipelineExecutionId": self.id},
            "variables": {k: v for k, v in chosen.items() if v is not None},
        }
        self.artifacts: dict[str, tuple[str, str]] = {}
        self.runs: list[ActionRun] = []
        self.position = -1  # the stage that it is in, or was in before it waited
        self.waiting: int | None = None  # the stage that it waits for
        self.superseded = False
        self.status, self.stop_reason = "InProgress", ""
        self.started = self.updated = time.time()
        self.stopping = threading.Event()

    def run(self, first: int = 0) -> None:
        """Take the stages from number `first` on; ends in a status that CodePipeline knows."""
        self._say("InProgress", "RESUMED" if self.runs else "STARTED")
        try:
            for number in range(first, len(self.definition["stages"])):
                self.pipeline.enter(self, number)
                self._stage(self.definition["stages"][number])
            status = "Succeeded"
        except ActionFailed:
            status = "Failed"
        except Stopped:
            status = "Stopped"
        except Superseded:
            status = "Superseded"
        self._say(status)
        self.pipeline.leave(self)

    def _say(self, status: str, state: str = "") -> None:
        self.status, self.updated = status, time.time()
        p = self.pipeline
        started = datetime.fromtimestamp(self.started, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        detail = {
            "pipeline": p.name,
            "execution-id": self.id,
            "start-time": started,
            "state": state or status.upper(),
            "version": p.version,
        }
        kind = "CodePipeline Pipeline Execution State Change"
        about = {"execution-trigger": {"trigger-type": self.trigger["triggerType"], "trigger-detail": self.trigger["triggerDetail"]}}
        events.emit(p.account, p.region, source="aws.codepipeline", kind=kind, detail=detail | about, resources=[p.arn])

    def _stage(self, stage: dict[str, Any]) -> None:
        ordered = sorted(stage["actions"], key=lambda a: a.get("runOrder", 1))
        for _, group in groupby(ordered, key=lambda a: a.get("runOrder", 1)):
            runs = [ActionRun(stage["name"], action) for action in group]
            self.runs += runs
            threads = [threading.Thread(target=self._action, args=(run,), daemon=True) for run in runs]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            if self.stopping.is_set():
                raise Stopped
            if any(run.status != "Succeeded" for run in runs):
                raise ActionFailed

    def _action(self, run: ActionRun) -> None:
        kind = run.action["actionTypeId"]
        try:
            run.configuration = {k: self.resolve(v) for k, v in run.action.get("configuration", {}).items()}
            RUNNERS[kind["category"], kind["provider"]](self, run)
            if namespace := run.action.get("namespace"):
                self.namespaces[namespace] = run.variables
            run.end("Succeeded")
        except Stopped:
            run.end("Abandoned", error=self.stop_reason)
        except ActionFailed as problem:
            run.end("Failed", error=str(problem))
        except Exception as problem:  # becomes the action's failure, as in AWS; nothing is lost: the log has the traceback
            with (cloud().root / "localcloud.log").open("a") as log:
                log.write(traceback.format_exc())
            run.end("Failed", error=str(getattr(problem, "message", None) or problem))
        self.updated = time.time()

    def resolve(self, text: str) -> str:
        """Replace `#{namespace.variable}`; a variable that does not exist fails the action, as in CodePipeline."""

        def value(match: re.Match[str]) -> str:
            namespace, _, name = match[1].partition(".")
            try:
                return self.namespaces[namespace][name]
            except KeyError:
                raise ActionFailed(f"variable #{{{match[1]}}} has no value") from None

        return re.sub(r"#\{([^}]+)\}", value, text)

    def stop(self, reason: str) -> None:
        self.stop_reason = reason
        self.stopping.set()
        for run in self.runs:
            run.answered.set()
        self.pipeline.wake()


class Pipeline:
    """A deployed pipeline, its executions, and who stands in which stage."""

    def __init__(self, account: str, region: str, definition: dict[str, Any]) -> None:
        self.account, self.region = account, region
        self.executions: list[Execution] = []
        self._turn = threading.Condition()
        self.version = 0
        self.created = time.time()
        self.put(definition)

    @property
    def name(self) -> str:
        return str(self.definition["name"])

    @property
    def arn(self) -> str:
        return f"arn:aws:codepipeline:{self.region}:{self.account}:{self.name}"

    def put(self, definition: dict[str, Any]) -> None:
        """Take a new definition for executions that start from now on. Raises an AWS error for what cannot be honoured."""
        for stage in definition["stages"]:
            if refused := [key for key in REFUSED_STAGE if stage.get(key)]:
                raise invalid(f"stage {stage['name']}: localcloud does not honour {', '.join(refused)}")
            for action in stage["actions"]:
                kind = action["actionTypeId"]["category"], action["actionTypeId"]["provider"]
                if kind not in RUNNERS:
                    raise invalid(f"action {action['name']}: localcloud does not run {kind[0]} actions of {kind[1]}")
        if definition.get("pipelineType") != "V2" or definition.get("executionMode", "SUPERSEDED") not in ("QUEUED", "SUPERSEDED"):
            raise invalid("localcloud runs V2 pipelines in QUEUED and SUPERSEDED mode only")
        self.definition = definition
        self.version += 1

    def start(self, *, commit: str | None, trigger: dict[str, str], variables: dict[str, str]) -> Execution:
        """Begin an execution. Raises an AWS error for variables that are not declared, or when too many wait already."""
        with self._turn:
            execution = Execution(self, len(self.executions), commit, trigger, variables)
            if execution.mode == "QUEUED" and len([e for e in self.executions if e.status == "InProgress"]) >= LONGEST_QUEUE:
                message = f"pipeline {self.name} has {LONGEST_QUEUE} executions under way: wait, or stop some"
                raise error("ConcurrentPipelineExecutionsLimitExceededException", message)
            self.executions.append(execution)
            self._arrive(execution, 0)
        threading.Thread(target=execution.run, daemon=True).start()
        return execution

    def enter(self, execution: Execution, stage: int) -> None:
        """Wait for the turn of this execution: in a queue, or as the one that waits for the stage until a newer one comes."""
        with self._turn:
            if stage not in (execution.waiting, execution.position):
                self._arrive(execution, stage)
            self._turn.wait_for(lambda: execution.stopping.is_set() or execution.superseded or self._admitted(execution, stage))
            execution.waiting = None
            self._turn.notify_all()
            if execution.stopping.is_set():
                raise Stopped
            if execution.superseded:
                raise Superseded

    def _arrive(self, execution: Execution, stage: int) -> None:
        """Stand before a stage. Of those that wait for it in SUPERSEDED mode only the newest goes on."""
        execution.waiting = stage
        if execution.mode == "SUPERSEDED" and not self._admitted(execution, stage):
            rivals = [e for e in self.executions if e.status == "InProgress" and e.waiting == stage]
            for older in rivals[:-1]:
                older.superseded = True
            self._turn.notify_all()

    def _admitted(self, execution: Execution, stage: int) -> bool:
        """Let it into the stage if it is its turn."""
        others = [e for e in self.executions if e.status == "InProgress" and e is not execution]
        if execution.mode == "QUEUED":  # every earlier execution is beyond the stage
            free = all(e.position > stage for e in others if e.number < execution.number)
        else:  # nobody is in it
            free = not any(e.position == stage and e.waiting is None for e in others)
        if free and execution.waiting is not None:
            execution.position, execution.waiting = stage, None
        return free

    def leave(self, execution: Execution) -> None:
        with self._turn:
            execution.position = -1 if execution.status != "Succeeded" else len(self.definition["stages"])
            self._turn.notify_all()

    def wake(self) -> None:
        with self._turn:
            self._turn.notify_all()

    def execution(self, execution_id: str) -> Execution:
        for execution in self.executions:
            if execution.id == execution_id:
                return execution
        raise error("PipelineExecutionNotFoundException", f"pipeline {self.name} has no execution {execution_id}")


def put_pipeline(account: str, region: str, definition: dict[str, Any]) -> Pipeline:
    """Create a pipeline or give it a new definition (CreatePipeline's `pipeline`)."""
    key = account, region, definition["name"]
    if key in _pipelines:
        _pipelines[key].put(definition)
    else:
        _pipelines[key] = Pipeline(account, region, definition)
    return _pipelines[key]


def delete_pipeline(account: str, region: str, name: str) -> None:
    """Stop a pipeline's executions and forget it."""
    pipeline = _pipelines.pop((account, region, name), None)
    for execution in pipeline.executions if pipeline else []:
        execution.stop("the pipeline was deleted")


def pipelines(account: str, region: str) -> list[Pipeline]:
    """The deployed pipelines of one account and region."""
    return [p for (a, r, _), p in _pipelines.items() if (a, r) == (account, region)]


def pipeline(account: str, region: str, name: str) -> Pipeline:
    """One deployed pipeline. Raises PipelineNotFoundException."""
    if (account, region, name) not in _pipelines:
        raise error("PipelineNotFoundException", f"Account '{account}' does not have a pipeline with name '{name}'")
    return _pipelines[account, region, name]


def pushed(push: git.Push) -> list[str]:
    """Start every pipeline whose trigger wants this push; says which, one line each."""
    return [
        f"started {p.name} (execution {p.start(commit=push.commit, trigger=push.trigger, variables={}).id})"
        for p in list(_pipelines.values())
        if any(git.wants(trigger, push) for trigger in p.definition.get("triggers", []))
    ]


def shutdown() -> None:
    """Stop every execution."""
    for found in _pipelines.values():
        for execution in found.executions:
            if execution.status == "InProgress":
                execution.stop("localcloud ends")


def _source(execution: Execution, run: ActionRun) -> None:
    _permitted(execution, run, ("codeconnections:UseConnection", "codestar-connections:UseConnection"), run.configuration["ConnectionArn"])
    execution.commit = execution.commit or git.head(run.configuration["BranchName"])
    facts = git.facts(execution.commit, run.configuration["BranchName"], run.configuration["FullRepositoryId"])
    (output,) = run.action["outputArtifacts"]
    _upload(execution, run, output["name"], git.archive(execution.commit))
    run.end("InProgress", variables=facts, external_id=execution.commit, summary=facts["CommitMessage"])


def _build(execution: Execution, run: ActionRun) -> None:
    name = run.configuration["ProjectName"]
    p = execution.pipeline
    _permitted(execution, run, ("codebuild:StartBuild",), f"arn:aws:codebuild:{p.region}:{p.account}:project/{name}")
    inputs = [a["name"] for a in run.action.get("inputArtifacts", [])]
    primary = run.configuration.get("PrimarySource", inputs[0])
    folder = cloud().folder("builds", name, f"source-{run.id}")
    project = codebuild._project(p.account, p.region, name)
    sources = {n: _download(execution, n, folder / n, project["serviceRole"]) for n in sorted(inputs, key=lambda n: n != primary)}
    given = json.loads(run.configuration.get("EnvironmentVariables", "[]"))
    build = codebuild.start(
        account=p.account,
        region=p.region,
        name=name,
        variables={v["name"]: v["value"] for v in given},
        sources=sources,
        outputs=tuple(a["name"] for a in run.action.get("outputArtifacts", [])),
        initiator=f"codepipeline/{p.name}",
    )
    run.end("InProgress", external_id=build.id)
    while not build.done.wait(0.2):
        if execution.stopping.is_set():
            build.stop()
    shutil.rmtree(folder, ignore_errors=True)
    if execution.stopping.is_set():
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
    if execution.stopping.is_set():
        raise Stopped
    if run.status == "Rejected":
        raise ActionFailed(f"rejected by {run.by}: {run.summary}")


RUNNERS = {
    ("Source", "CodeStarSourceConnection"): _source,
    ("Build", "CodeBuild"): _build,
    ("Approval", "Manual"): _approval,
}


def _permitted(execution: Execution, run: ActionRun, actions: tuple[str, ...], resource: str) -> None:
    """The action's role (else the pipeline's) must be allowed one of `actions` on `resource`."""
    role_arn = run.action.get("roleArn", execution.definition["roleArn"])
    if not any(iam.role_allows(role_arn, action=action, resource=resource) for action in actions):
        raise ActionFailed(f"role {role_arn} is not allowed {actions[0]} on {resource}")


def _s3(execution: Execution, role_arn: str) -> tuple[Any, str]:
    return cloud().client("s3", role_arn=role_arn, region=execution.pipeline.region), execution.definition["artifactStore"]["location"]


def _upload(execution: Execution, run: ActionRun, artifact: str, path: Path) -> None:
    role = execution.definition["roleArn"]
    if run.action["actionTypeId"]["provider"] == "CodeBuild":
        project = codebuild._project(execution.pipeline.account, execution.pipeline.region, run.configuration["ProjectName"])
        role = project["serviceRole"]
    s3, bucket = _s3(execution, role)
    key = f"{execution.pipeline.name}/{artifact}/{execution.id}.zip"
    s3.upload_file(str(path), bucket, key)
    execution.artifacts[artifact] = (bucket, key)


def _download(execution: Execution, artifact: str, folder: Path, role_arn: str) -> Path:
    if artifact not in execution.artifacts:
        raise ActionFailed(f"input artifact {artifact} was not made by an earlier action")
    bucket, key = execution.artifacts[artifact]
    s3, _ = _s3(execution, role_arn)
    folder.mkdir(parents=True)
    file = folder.with_suffix(".zip")
    s3.download_file(bucket, key, str(file))
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            target = Path(archive.extract(member, folder))
            if not member.is_dir() and (mode := member.external_attr >> 16 & 0o777):
                target.chmod(mode)
    file.unlink()
    return folder
