"""The retraining controller: decides whether a model is trained again though nobody pushed, and starts its road with the cause, or records
why not.

A number is claimed first, and the road is started after that; a controller that is killed in between finds the number without an execution
when run again, and finishes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pipelines.deployment.retraining.policy import WEEK, Cause, Policy, Started
from pipelines.deployment.retraining.records import Records
from pipelines.deployment.retraining.roads import Roads
from pipelines.evidence import document

LONGEST_LIFE = timedelta(minutes=15)  # of a controller: what it has begun and not finished by then, another finishes
NOTHING = "no alarm is in ALARM, no data set is new, and the clock has not struck"
Json = dict[str, Any]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Controller:
    """One decision: `execution` is the controller's own, by which a second run of it is known."""

    execution: str
    records: Records
    roads: Roads
    policy: Policy
    now: Callable[[], datetime] = _now

    def decided(self) -> Json | None:
        """What this controller decided before it was killed, finished; None when it had decided nothing.

        Finishes what a dead one left, too.
        """
        own = None
        for retraining in self.records.started():
            finished = retraining
            dead = retraining.began < self.now() - LONGEST_LIFE
            if not retraining.execution and (retraining.controller == self.execution or dead):
                execution = self.roads.known(retraining) or self.roads.start(retraining)
                finished = self._finish(replace(retraining, execution=execution))
            if retraining.controller == self.execution:
                own = _report(finished)
        if own:
            return own
        held = self.records.suppressed(self.execution, since=self.now() - WEEK)
        return {"outcome": "suppressed", **held} if held else None

    def decide(self, causes: Sequence[Cause]) -> Json:
        """Start a retraining for these causes, or record why not."""
        if not causes:
            return {"outcome": "nothing", "reason": NOTHING}
        cause, answers = "; ".join(cause.text for cause in causes), {cause.kind: cause.which for cause in causes}
        while True:
            now, started = self.now(), self.records.started()
            in_flight = self.roads.in_flight(now, started[-1] if started else None)
            if reason := self.policy.refusal(causes, started, in_flight, now):
                held = {"cause": cause, "answers": answers, "reason": reason}
                self.records.suppress(now, self.execution, held)
                return {"outcome": "suppressed", "time": document.utc(now), "controller": self.execution, **held}
            number = started[-1].number + 1 if started else 1
            new = Started(number=number, time=document.utc(now), cause=cause, answers=answers, controller=self.execution)
            if self.records.claim(new):
                return _report(self._finish(replace(new, execution=self.roads.start(new))))

    def _finish(self, retraining: Started) -> Started:
        self.records.fill(retraining)
        return retraining


def _report(retraining: Started) -> Json:
    return {"outcome": "started", **asdict(retraining)}
