"""The deployed pipelines, and what starts their executions."""

from __future__ import annotations

import threading
import time
from typing import Any

from localcloud.codepipeline import definitions, triggers
from localcloud.codepipeline.executions import Execution, Version
from localcloud.codepipeline.turns import Turns
from localcloud.codepipeline.variables import declared
from localcloud.core.errors import error
from localcloud.source import git

LONGEST_QUEUE = 50  # executions of a QUEUED pipeline that are under way at once
Definition = dict[str, Any]
_pipelines: dict[tuple[str, str, str], Pipeline] = {}


class Pipeline:
    """A deployed pipeline and its executions, oldest first."""

    def __init__(self, account: str, region: str, definition: Definition) -> None:
        self.account, self.region, self.definition = account, region, definition
        self.executions: list[Execution] = []
        self.version = 1
        self.created = self.updated = time.time()
        self._turns, self._lock = Turns(), threading.Lock()

    @property
    def name(self) -> str:
        return str(self.definition["name"])

    @property
    def arn(self) -> str:
        return f"arn:aws:codepipeline:{self.region}:{self.account}:{self.name}"

    def update(self, definition: Definition) -> None:
        """Take a new definition for executions that start from now on, and cancel those under way, which have another."""
        with self._lock:
            outdated = self.under_way if definition != self.definition else []
            self.definition, self.version, self.updated = definition, self.version + 1, time.time()
        for execution in outdated:
            execution.cancel()

    def start(self, *, commit: str | None, trigger: dict[str, str], variables: dict[str, str]) -> Execution:
        """Begin an execution. Raises an AWS error for variables that are not declared, or when too many wait already."""
        with self._lock:
            version = Version(account=self.account, region=self.region, definition=self.definition, number=self.version)
            values = declared(version.definition, variables)
            if version.definition.get("executionMode") == "QUEUED" and len(self.under_way) >= LONGEST_QUEUE:
                message = f"pipeline {self.name} has {LONGEST_QUEUE} executions under way: wait, or stop some"
                raise error("ConcurrentPipelineExecutionsLimitExceededException", message)
            execution = Execution(version, self._turns, commit=commit, trigger=trigger, values=values)
            self.executions.append(execution)
        execution.start()
        return execution

    def retry(self, execution: Execution, stage: str, *, all_actions: bool) -> None:
        """Take a failed stage of an execution again. Raises an AWS error where the stage, or the pipeline, has gone on since."""
        if stage not in [s["name"] for s in self.definition["stages"]]:
            raise error("StageNotFoundException", f"pipeline {self.name} has no stage {stage}")
        if execution.definition != self.definition:
            message = f"pipeline {self.name} was updated after execution {execution.id} began: start a new execution"
            raise error("StageNotRetryableException", message)
        later = self.executions[self.executions.index(execution) + 1 :]
        if newer := next((e for e in later if stage in [run.name for run in e.stages]), None):
            message = f"execution {newer.id} has been in stage {stage} since execution {execution.id}"
            raise error("NotLatestPipelineExecutionException", message)
        execution.retry(stage, all_actions=all_actions)

    @property
    def under_way(self) -> list[Execution]:
        """The executions that have not ended."""
        return [execution for execution in self.executions if execution.status == "InProgress"]

    def execution(self, execution_id: str) -> Execution:
        """The execution of that id. Raises an AWS error."""
        for execution in self.executions:
            if execution.id == execution_id:
                return execution
        raise error("PipelineExecutionNotFoundException", f"pipeline {self.name} has no execution {execution_id}")


def create(account: str, region: str, definition: Definition, *, by: str) -> Pipeline:
    """Deploy a pipeline (CreatePipeline's `pipeline`), which starts a first execution by itself. `by` is the caller's ARN.

    Raises an AWS error for what cannot be honoured, and for a name that is taken.
    """
    key = account, region, definition["name"]
    if key in _pipelines:
        raise error("PipelineNameInUseException", f"A pipeline with the name '{definition['name']}' already exists in account '{account}'")
    pipeline = _pipelines[key] = Pipeline(account, region, _taken(definition))
    pipeline.start(commit=None, trigger={"triggerType": "CreatePipeline", "triggerDetail": by}, variables={})
    return pipeline


def update(account: str, region: str, definition: Definition) -> Pipeline:
    """Give a pipeline another definition (UpdatePipeline's `pipeline`). Raises an AWS error for what cannot be honoured."""
    pipeline = find(account, region, definition["name"])
    pipeline.update(_taken(definition))
    return pipeline


def delete(account: str, region: str, name: str) -> None:
    """Stop a pipeline's executions and forget it."""
    pipeline = _pipelines.pop((account, region, name), None)
    for execution in pipeline.executions if pipeline else []:
        execution.stop("the pipeline was deleted")


def deployed(account: str, region: str) -> list[Pipeline]:
    """The deployed pipelines of one account and region."""
    return [p for (a, r, _), p in _pipelines.items() if (a, r) == (account, region)]


def find(account: str, region: str, name: str) -> Pipeline:
    """One deployed pipeline. Raises PipelineNotFoundException."""
    if (account, region, name) not in _pipelines:
        raise error("PipelineNotFoundException", f"Account '{account}' does not have a pipeline with name '{name}'")
    return _pipelines[account, region, name]


def pushed(push: git.Push) -> list[str]:
    """Start every pipeline whose triggers want this push; says which, one line each."""
    wanting = [p for p in list(_pipelines.values()) if triggers.wants(p.definition, push)]
    return [f"started {p.name} (execution {p.start(commit=push.commit, trigger=triggers.STARTED_BY, variables={}).id})" for p in wanting]


def shutdown() -> None:
    """Stop every execution."""
    for pipeline in _pipelines.values():
        for execution in pipeline.executions:
            execution.stop("localcloud ends")


def _taken(definition: Definition) -> Definition:
    """A definition as it is kept: its version is CodePipeline's to give."""
    definitions.check(definition)
    return {name: value for name, value in definition.items() if name != "version"}
