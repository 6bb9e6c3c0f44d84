"""Executions: a fixed definition and revision, going from stage to stage, each action a run that is told of."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from typing import Any

from localcloud.codepipeline import variables
from localcloud.codepipeline.conditions import ConditionRun, judge
from localcloud.codepipeline.turns import Cancelled, EndedEarly, Stopped, Turns
from localcloud.core.errors import error
from localcloud.core.threads import together
from localcloud.events import bus

UPDATED = "The pipeline's definition was updated before the pipeline execution could be completed."
EVENT_STATES = {"Cancelled": "CANCELED"}  # where EventBridge writes it in another way


class ActionFailed(Exception):
    """An action's failure, in the words the person will read."""


class StageFailed(Exception):
    """A stage's failure: an action of it has failed, or its entry condition does not hold."""


@dataclass
class ActionRun:
    """One run of one action, and what `ListActionExecutions` and `GetPipelineState` say of it. `decision` is the answer to an approval."""

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
    decision: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    answered: threading.Event = field(default_factory=threading.Event)

    def become(self, status: str, **facts: Any) -> None:
        self.__dict__.update(facts, status=status, updated=time.time())


@dataclass
class StageRun:
    """One run of one stage. `entry` is how its entry condition was judged."""

    name: str
    status: str = "InProgress"
    entry: ConditionRun | None = None
    actions: list[ActionRun] = field(default_factory=list)
    started: float = field(default_factory=time.time)


@dataclass(frozen=True, kw_only=True)
class Version:
    """A pipeline as it is when an execution starts. `definition` is CreatePipeline's `pipeline`."""

    account: str
    region: str
    definition: dict[str, Any]
    number: int

    @property
    def name(self) -> str:
        return str(self.definition["name"])

    @property
    def arn(self) -> str:
        return f"arn:aws:codepipeline:{self.region}:{self.account}:{self.name}"


class Execution:
    """One execution of a version of a pipeline. `place` is where it is among the others; `stages` are its stages' runs, oldest first."""

    def __init__(self, pipeline: Version, turns: Turns, *, commit: str | None, trigger: dict[str, str], values: dict[str, str]) -> None:
        self.pipeline, self.commit, self.trigger = pipeline, commit, trigger
        self.id = str(uuid.uuid4())
        self.definition = pipeline.definition
        self.mode = str(self.definition.get("executionMode", "SUPERSEDED"))
        self.namespaces: dict[str, dict[str, str]] = {"codepipeline": {"PipelineExecutionId": self.id}, "variables": values}
        self.artifacts: dict[str, tuple[str, str]] = {}  # name → bucket, key
        self.stages: list[StageRun] = []
        self.status, self.status_summary = "InProgress", ""
        self.started = self.updated = time.time()
        self._turns, self._lock = turns, threading.Lock()
        self.place = turns.arrive(self.mode)

    @property
    def actions(self) -> list[ActionRun]:
        """The runs of its actions, oldest first."""
        return [action for stage in self.stages for action in stage.actions]

    @property
    def ended_early(self) -> type[EndedEarly] | None:
        """Why it goes no further, where something other than a failure says so."""
        return self.place.ended_early

    def start(self) -> None:
        """Take every stage, in a thread of its own."""
        self._tell("STARTED")
        threading.Thread(target=self._run, daemon=True).start()

    def retry(self, stage: str, *, all_actions: bool) -> None:
        """Take again a stage whose actions failed or were abandoned: those alone, or all of it; then the stages behind it.

        Raises an AWS error where the execution did not end in that stage so.
        """
        with self._lock:
            last = self.stages[-1] if self.stages else None
            if self.status not in ("Failed", "Stopped") or last is None or last.name != stage or not _unfinished(last):
                message = f"stage {stage} of execution {self.id} did not fail last: the execution is {self.status}"
                raise error("StageNotRetryableException", message)
            self.status, self.status_summary = "InProgress", ""
            self._turns.come_back(self.place)
        latest = {run.action["name"]: run.status for run in self.actions if run.stage == stage}
        done = [] if all_actions else [name for name, status in latest.items() if status == "Succeeded"]
        self._tell("RESUMED")
        first = [s["name"] for s in self.definition["stages"]].index(stage)
        threading.Thread(target=self._run, args=(first, done), daemon=True).start()

    def stop(self, reason: str) -> None:
        """Go no further. What runs is ended or abandoned."""
        self._end_early(Stopped, reason)

    def cancel(self) -> None:
        """Go no further, because the pipeline has another definition now: nobody is asked any more, a build that runs goes on."""
        self._end_early(Cancelled, UPDATED)
        if self.ended_early is not Cancelled:
            return
        for stage in self.stages[-1:]:
            stage.status = Cancelled.status if stage.status == "InProgress" else stage.status
        self._become(Cancelled.status)
        self._turns.leave(self.place, position=-1)

    def resolve(self, text: str) -> str:
        """`text` with the values of its variables. Raises NoValue."""
        return variables.resolve(text, self.namespaces)

    def _end_early(self, why: type[EndedEarly], summary: str) -> None:
        with self._lock:
            if self.status != "InProgress" or self.ended_early:
                return
            self.status_summary = summary
            self._turns.end(self.place, why)
        for run in self.actions:
            run.answered.set()

    def _become(self, status: str) -> None:
        """End in a status, unless it has ended before."""
        with self._lock:
            if self.status != "InProgress":
                return
            self.status, self.updated = status, time.time()
        self._tell(EVENT_STATES.get(status, status.upper()))

    def _tell(self, state: str) -> None:
        p = self.pipeline
        started = datetime.fromtimestamp(self.started, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        detail = {"pipeline": p.name, "execution-id": self.id, "start-time": started, "state": state, "version": p.number}
        kind = "CodePipeline Pipeline Execution State Change"
        about = {"execution-trigger": {"trigger-type": self.trigger["triggerType"], "trigger-detail": self.trigger["triggerDetail"]}}
        bus.emit(p.account, p.region, source="aws.codepipeline", kind=kind, detail=detail | about, resources=[p.arn])

    def _run(self, first: int = 0, done: Collection[str] = ()) -> None:
        """Take the stages from number `first` on, in that one without the actions `done`; ends in a status that CodePipeline knows."""
        stages = self.definition["stages"]
        status = "Succeeded"
        try:
            for number in range(first, len(stages)):
                self._turns.enter(self.place, number)
                self._stage(stages[number], done if number == first else ())
        except StageFailed:
            status = "Failed"
        except EndedEarly as early:
            status = early.status
        self._turns.leave(self.place, position=len(stages) if status == "Succeeded" else -1)
        self._become(status)

    def _stage(self, stage: dict[str, Any], done: Collection[str]) -> None:
        run = StageRun(stage["name"])
        self.stages.append(run)
        try:
            if self._enters(run, stage):
                self._act(run, [action for action in stage["actions"] if action["name"] not in done])
                run.status = "Succeeded"
            else:
                run.status = "Skipped"
        except StageFailed:
            run.status = "Failed"
            raise
        except EndedEarly as early:
            run.status = early.status
            raise

    def _enters(self, run: StageRun, stage: dict[str, Any]) -> bool:
        """Whether the stage is entered. Raises StageFailed where its condition says so, or cannot be judged."""
        run.entry = judge(stage, self.resolve)
        if run.entry is None or run.entry.status == "Succeeded":
            return True
        if run.entry.status == "Errored" or run.entry.result == "FAIL":
            raise StageFailed
        return False

    def _act(self, stage: StageRun, actions: list[dict[str, Any]]) -> None:
        ordered = sorted(actions, key=lambda a: a.get("runOrder", 1))
        for _, group in groupby(ordered, key=lambda a: a.get("runOrder", 1)):
            runs = [ActionRun(stage.name, action) for action in group]
            with self._lock:
                if self.ended_early:
                    raise self.ended_early
                stage.actions += runs
            together([partial(self._action, run) for run in runs])
            if self.ended_early:
                raise self.ended_early
            if any(run.status != "Succeeded" for run in runs):
                raise StageFailed

    def _action(self, run: ActionRun) -> None:
        kind = run.action["actionTypeId"]
        try:
            run.configuration = {name: self.resolve(value) for name, value in run.action.get("configuration", {}).items()}
            runners[kind["category"], kind["provider"]](self, run)
            if namespace := run.action.get("namespace"):
                self.namespaces[namespace] = run.variables
            run.become("Succeeded")
        except EndedEarly:
            run.become("Abandoned", error=self.status_summary)
        except (ActionFailed, variables.NoValue) as problem:
            run.become("Failed", error=str(problem))
        except Exception as problem:  # becomes the action's failure, as in AWS; nothing is lost: the log has the traceback
            logging.getLogger(__name__).exception("%s: action %s", self.pipeline.name, run.action["name"])
            run.become("Failed", error=str(getattr(problem, "message", None) or problem))
        self.updated = time.time()


def _unfinished(stage: StageRun) -> bool:
    return any(run.status in ("Failed", "Abandoned") for run in stage.actions)


runners: dict[tuple[str, str], Callable[[Execution, ActionRun], None]] = {}  # by the category and the provider of an action
