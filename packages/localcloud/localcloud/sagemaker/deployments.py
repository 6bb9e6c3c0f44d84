"""Deployment guardrails: how an endpoint moves to a new fleet step by step, watched by alarms, and back when one goes into ALARM.

An inference component moves to new copies in the same way, with a rolling update.

The new fleet takes its share of the traffic, and the step bakes. An alarm in ALARM, an instance of the new fleet that is lost, or
the time limit ends the bake at once: the traffic goes back, and only then does the new fleet, once it has answered what it began.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from localcloud.cloudwatch import alarms
from localcloud.core.cloud import cloud
from localcloud.sagemaker.deployment_policies import Policy


class Deployable(Protocol):
    """What takes the place of another: a fleet of an endpoint, the copies of an inference component. `lost` is told of who dies."""

    account: str
    region: str
    lost: Callable[[str], None]

    @property
    def variants(self) -> Mapping[str, Any]:
        """Its variants by their names."""

    def start(self, part: float) -> str | None:
        """Start the first `part` of it; returns why it cannot serve."""

    def resize(self, part: float) -> str | None:
        """Have `part` of it; returns why what was added did not start."""

    def give_up(self) -> None:
        """Stop what is only starting."""

    def retire(self) -> None:
        """Answer what was begun, then stop."""

    def stop(self) -> None:
        """Stop now."""


Shares = Sequence[tuple[Any, float]]  # what is deployed, as whoever deploys it knows it, and its part of the requests


class Deployment:
    """One move of an endpoint to the fleet `new`, from `old` if there is one.

    `route` is called with the shares of the traffic, `stage` with what is being done (a VariantStatus). `why` it is aborted, if it is;
    `stuck` when even the way back failed.
    """

    def __init__(
        self, old: Deployable | None, new: Deployable, policy: Policy, *, route: Callable[[Shares], None], stage: Callable[[str], None]
    ) -> None:
        self.old, self.new, self.policy = old, new, policy
        self.why: str | None = None
        self.stuck = self._abandoned = False
        self._route, self._stage = route, stage
        self._share = 0.0
        self._aborted, self._lock = threading.Event(), threading.Lock()

    def run(self) -> str | None:
        """Move all traffic to the new fleet; returns why it went back instead."""
        limit = None
        if self.policy.maximum and self.old:
            why = f"the deployment took longer than its MaximumExecutionTimeoutInSeconds of {self.policy.maximum:g}"
            limit = threading.Timer(max(self.policy.maximum / cloud().speed, cloud().least_patience), self.abort, [why])
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

    def abort(self, why: str) -> None:
        """Go no further, and say why. What is only starting is given up, what bakes goes back."""
        with self._lock:
            self.why = self.why or why
        self._aborted.set()
        self.new.give_up()

    def abandon(self) -> None:
        """End without a way back: the endpoint is being deleted."""
        self._abandoned = True
        self.abort("the endpoint was deleted")

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
        def alarmed(name: str) -> None:
            self.abort(f"One or more configured alarm(s) went into ALARM state: [{name}]")

        self.new.lost = self.abort
        if any(not i.ready.is_set() for v in self.new.variants.values() for i in v.instances):
            self.abort("an instance of the new fleet does not answer /ping")
        with alarms.watched(self.new.account, self.new.region, self.policy.alarms, alarmed):
            cloud().wait(self._aborted, seconds)
        self.new.lost = lambda _why: None
        return self.why

    def _shift(self, old: Deployable, share: float) -> None:
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
