"""Deployment guardrails: how an endpoint moves to a new fleet step by step, watched by alarms, and back when one of them rings.

The new fleet takes its share of the traffic, and the step bakes. An alarm in ALARM, an instance of the new fleet that is lost, or
the time limit ends the bake at once: the traffic goes back, and only then does the new fleet, once it has answered what it began.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localcloud import alarms
from localcloud.cloud import cloud
from localcloud.errors import invalid
from localcloud.sagemaker import fleets
from localcloud.sagemaker.fleets import Fleet
from localcloud.shapes import check

# kind → member of the policy that holds the size of a step, and the least and most part of the instances that it may be
SIZES = {"CANARY": ("CanarySize", 0.0, 0.5), "LINEAR": ("LinearStepSize", 0.1, 0.5), "ROLLING": ("MaximumBatchSize", 0.05, 0.5)}
Shares = Sequence[tuple[Fleet, float]]


@dataclass(frozen=True)
class Policy:
    """A DeploymentConfig as numbers. `steps` are the shares of the new fleet, the last one 1; times are SageMaker's seconds."""

    steps: tuple[float, ...]
    wait: float
    termination: float
    maximum: float | None
    rolling: bool
    back: float
    alarms: tuple[str, ...]


def read(config: Mapping[str, Any], counts: Mapping[str, int]) -> Policy:
    """What a DeploymentConfig asks of a fleet with `counts` instances a variant. Raises an AWS error where SageMaker refuses it."""
    check("sagemaker", "DeploymentConfig", config)
    rolling, blue_green = config.get("RollingUpdatePolicy"), config.get("BlueGreenUpdatePolicy") or {}
    if rolling and blue_green:
        raise invalid("DeploymentConfig: only one of BlueGreenUpdatePolicy and RollingUpdatePolicy can be given")
    if rolling and len(counts) > 1:
        raise invalid("DeploymentConfig: an endpoint of several variants cannot be updated by RollingUpdatePolicy")
    whole = rolling or blue_green
    routing = rolling or blue_green.get("TrafficRoutingConfiguration") or {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
    kind = "ROLLING" if rolling else routing["Type"]
    steps = _steps(kind, routing, min(counts.values()))
    wait, termination = float(routing["WaitIntervalInSeconds"]), float(whole.get("TerminationWaitInSeconds", 0))
    maximum = whole.get("MaximumExecutionTimeoutInSeconds")
    if maximum is not None and maximum <= (waits := wait * len(steps) + termination):
        raise invalid(f"MaximumExecutionTimeoutInSeconds of {maximum} must be greater than the {waits:g} seconds of all waits together")
    back = _part(routing["RollbackMaximumBatchSize"], min(counts.values())) if routing.get("RollbackMaximumBatchSize") else 1.0
    names = tuple(a["AlarmName"] for a in config.get("AutoRollbackConfiguration", {}).get("Alarms", []))
    return Policy(steps, wait, termination, maximum, bool(rolling), back, names)


def _steps(kind: str, routing: Mapping[str, Any], count: int) -> tuple[float, ...]:
    if kind == "ALL_AT_ONCE":
        return (1.0,)
    member, least, most = SIZES[kind]
    if member not in routing:
        raise invalid(f"{member} is needed by {kind}")
    step = _part(routing[member], count)
    if count < 2 or not least <= step <= most:
        accepted = f"{least:.0%} to {most:.0%}" if least else f"up to {most:.0%}"
        raise invalid(f"{member} is {step:.0%} of {count} instance(s): {kind} accepts {accepted} of at least 2 instances")
    if kind == "CANARY":
        return (step, 1.0)
    return (*(step * n for n in range(1, int(1 / step) + 1) if step * n < 1 - 1e-9), 1.0)


def _part(size: Mapping[str, Any], count: int) -> float:
    return float(size["Value"] / (100 if size["Type"] == "CAPACITY_PERCENT" else count))


class Deployment:
    """One move of an endpoint to the fleet `new`, from `old` if there is one.

    `route` is told the shares of the traffic, `stage` what is being done (a VariantStatus). `stuck` when even the way back failed.
    """

    def __init__(
        self, old: Fleet | None, new: Fleet, policy: Policy, *, route: Callable[[Shares], None], stage: Callable[[str], None]
    ) -> None:
        self.old, self.new, self.policy = old, new, policy
        self.why: str | None = None
        self.stuck = self._abandoned = False
        self._route, self._stage = route, stage
        self._share = 0.0
        self._spoken, self._lock = threading.Event(), threading.Lock()

    def run(self) -> str | None:
        """Move all traffic to the new fleet; returns why it went back instead."""
        limit = None
        if self.policy.maximum and self.old:
            said = f"the deployment took longer than its MaximumExecutionTimeoutInSeconds of {self.policy.maximum:g}"
            limit = threading.Timer(max(self.policy.maximum / cloud().speed, fleets.LEAST_PATIENCE), self.speak, [said])
            limit.daemon = True
            limit.start()
        failure = self._forward()
        if limit:
            limit.cancel()
        if not failure:
            return None
        self._stage("Deleting")
        self._back()
        return self.why or failure

    def speak(self, why: str) -> None:
        """Say why the deployment must not go on. What is only starting is given up, what bakes goes back."""
        with self._lock:
            self.why = self.why or why
        self._spoken.set()
        self.new.give_up()

    def abandon(self) -> None:
        """End without a way back: the endpoint is being deleted."""
        self._abandoned = True
        self.speak("the endpoint was deleted")

    def _forward(self) -> str | None:
        if self.old and (why := self._bake(0)):
            return why
        self._stage("Creating")
        for number, share in enumerate(self.policy.steps if self.old else (1.0,)):
            part = share if self.policy.rolling else 1.0
            if failure := self.new.resize(part) if number else self.new.start(part):
                return failure
            if not self.old or self.why:
                return self.why
            self._stage("ActivatingTraffic")
            self._shift(self.old, share)
            self._stage("Baking")
            if why := self._bake(self.policy.wait):
                return why
            if self.policy.rolling:
                self.old.resize(1 - share)
        return None

    def _bake(self, seconds: float) -> str | None:
        def ringing(name: str) -> None:
            self.speak(f"One or more configured alarm(s) went into ALARM state: [{name}]")

        self.new.lost = self.speak
        if any(not i.ready.is_set() for v in self.new.variants.values() for i in v.instances):
            self.speak("an instance of the new fleet does not answer /ping")
        with alarms.watched(self.new.account, self.new.region, self.policy.alarms, ringing):
            self._spoken.wait(seconds / cloud().speed)
        self.new.lost = lambda _why: None
        return self.why

    def _shift(self, old: Fleet, share: float) -> None:
        self._share = share
        self._route([(self.new, share), (old, 1 - share)])

    def _back(self) -> None:
        """All traffic to the old fleet: at once, or in batches that a rolling update has to start again."""
        if self._abandoned or not self.old:
            return self.new.stop()
        while self._share > 0:
            share = max(0.0, self._share - self.policy.back)
            if self.old.resize(1 - share):
                self.stuck = True
                return None
            self._shift(self.old, share)
            if self.policy.rolling:
                self.new.resize(share)
        return self.new.retire()
