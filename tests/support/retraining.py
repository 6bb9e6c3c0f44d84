"""What a retraining controller sees, in memory: a bucket, and the road's executions."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

import naming
from paved_runtime.spec import Retraining
from pipelines.deployment.retraining.controller import Controller
from pipelines.deployment.retraining.policy import Cause, Policy, Started
from pipelines.deployment.retraining.records import Records
from pipelines.deployment.retraining.roads import Roads
from pipelines.evidence import document
from tests.reference import CONFIG, MODEL
from tests.support.fakes import Anything, refusal

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
LIMITS = Retraining(cooldown_hours=24, per_week=2)
POLICY = Policy(limits=LIMITS, minute_seconds=60)
DELIVERY, RETRAINING = naming.delivery_pipeline(CONFIG, MODEL), naming.retraining_pipeline(CONFIG, MODEL)


def cause(which: object = 1, kind: str = "drift") -> Cause:
    """Something to train again for."""
    return Cause(kind=kind, which=str(which), text=f"{kind}: {which}")


def began(number: int, *, hours_ago: float, which: object = 0, kind: str = "drift", execution: str = "e") -> Started:
    """A retraining that began."""
    time = document.utc(NOW - hours_ago * HOUR)
    return Started(number=number, time=time, cause="c", answers={kind: str(which)}, controller=f"j{number}", execution=execution)


def controller(
    name: str, s3: Any, codepipeline: Any, policy: Policy = POLICY, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Controller:
    """The controller of an execution."""
    roads = Roads(codepipeline, delivery=DELIVERY, retraining=RETRAINING)
    return Controller(execution=name, records=Records(s3, "b"), roads=roads, policy=policy, now=now)


class Bucket(Anything):  # type: ignore[misc]
    """S3, as far as one bucket goes; writes only where nothing is, when asked to. Safe for threads."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self._lock = Lock()

    def put_object(self, *, Key: str, Body: bytes, IfNoneMatch: str | None = None, **_: Any) -> None:  # noqa: N803  # boto3's names
        with self._lock:
            if IfNoneMatch == "*" and Key in self.objects:
                raise refusal("PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
            self.objects[Key] = Body

    def get_object(self, *, Key: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        return {"Body": io.BytesIO(self.objects[Key])}

    def get_paginator(self, _: str) -> Bucket:
        """There is one."""
        return self

    def paginate(self, *, Prefix: str, StartAfter: str, **_: Any) -> Iterator[dict[str, Any]]:  # noqa: N803
        keys = sorted(key for key in list(self.objects) if key.startswith(Prefix) and key > StartAfter)
        yield {"Contents": [{"Key": key} for key in keys]}

    def named(self, prefix: str) -> list[dict[str, Any]]:
        """What lies under a prefix."""
        return [json.loads(body) for key, body in sorted(self.objects.items()) if key.startswith(prefix)]


class CodePipeline(Anything):  # type: ignore[misc]
    """Executions of the road, oldest first; a token that was used gives the execution that it made. `unlisted` ones are not listed yet."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self.executions: list[dict[str, Any]] = []
        self.unlisted: set[str] = set()
        self.ticks: list[dict[str, Any]] = []
        self._tokens: dict[str, str] = {}
        self._lock = Lock()

    def start_pipeline_execution(self, *, variables: list[dict[str, str]], clientRequestToken: str, **_: Any) -> dict[str, str]:  # noqa: N803
        with self._lock:
            if clientRequestToken not in self._tokens:
                self._tokens[clientRequestToken] = self.begin(variables[0]["value"])
            return {"pipelineExecutionId": self._tokens[clientRequestToken]}

    def begin(self, why: str, status: str = "InProgress", time: datetime | None = None) -> str:
        """An execution."""
        number = f"{len(self.executions) + 1}"
        self.executions.append({"pipelineExecutionId": number, "status": status, "startTime": time or self._now(), "cause": why})
        return number

    def get_pipeline_execution(self, *, pipelineExecutionId: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        execution = next(each for each in self.executions if each["pipelineExecutionId"] == pipelineExecutionId)
        variables = [{"name": "cause", "resolvedValue": execution["cause"]}]
        return {"pipelineExecution": {"status": execution["status"], "variables": variables}}

    def get_paginator(self, _: str) -> CodePipeline:
        return self

    def paginate(self, *, pipelineName: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        executions = self.ticks if pipelineName == RETRAINING else self.executions
        yield {"pipelineExecutionSummaries": [each for each in executions[::-1] if each["pipelineExecutionId"] not in self.unlisted]}

    def end(self) -> None:
        """Everything under way has succeeded."""
        for execution in self.executions:
            execution["status"] = "Succeeded"
