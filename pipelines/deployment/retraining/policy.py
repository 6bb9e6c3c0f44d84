"""When a model may be trained again though nobody pushed: once for all causes that are there, if nothing else is under way for such a
cause, the last retraining began long enough ago, and the week's budget is not used up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from paved_runtime.spec import Retraining
from pipelines.evidence import document

WEEK = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why to train again. `which` tells this one from others of its `kind`: when the alarm went into ALARM, the data's digest, the tick."""

    kind: str
    which: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Started:
    """A retraining that began. `answers` has `which` by `kind`; `controller` is the execution that decided, `execution` the road's, empty
    until it was started.
    """

    number: int
    time: str
    cause: str
    answers: Mapping[str, str]
    controller: str
    execution: str = ""

    @property
    def began(self) -> datetime:
        """When its number was taken."""
        return datetime.fromisoformat(self.time)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What `model.toml` allows, in real time: `minute_seconds` is how long a minute of it lasts."""

    limits: Retraining
    minute_seconds: float

    def refusal(self, causes: Sequence[Cause], started: Sequence[Started], in_flight: str | None, now: datetime) -> str | None:
        """Why nothing may be started for these causes now; None when it may. `started` is oldest first, `in_flight` an execution."""
        if not unanswered(causes, started):
            last = started[-1]
            return f"the same cause was answered before: retraining {last.number} began at {last.time}"
        if in_flight:
            return f"execution {in_flight} of the road has such a cause too, and has not ended"
        free = started[-1].began + self._lasts(timedelta(hours=self.limits.cooldown_hours)) if started else now
        if now < free:
            return f"cool-down: retraining {started[-1].number} began at {started[-1].time}; the next may at {document.utc(free)}"
        recent = [retraining for retraining in started if retraining.began > now - self._lasts(WEEK)]
        if len(recent) >= self.limits.per_week:
            free = recent[-self.limits.per_week].began + self._lasts(WEEK)
            return f"budget: {len(recent)} of {self.limits.per_week} a week have begun; the next may at {document.utc(free)}"
        return None

    def _lasts(self, time: timedelta) -> timedelta:
        """How long that is where time runs as it does here."""
        return time * (self.minute_seconds / 60)


def unanswered(causes: Sequence[Cause], started: Sequence[Started]) -> list[Cause]:
    """The causes that are not those of the last retraining of their kind."""
    last = {kind: which for retraining in started for kind, which in retraining.answers.items()}
    return [cause for cause in causes if last.get(cause.kind) != cause.which]
