"""The time that a run of the monitor looks at, and the folders in which what was captured then may lie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

SECONDS = len("2026-11-21T10:00:00")


@dataclass(frozen=True)
class Window:
    """From when on, and until when, in UTC; the end is not in it."""

    start: datetime
    end: datetime

    def holds(self, time: str) -> bool:
        """Whether a captured time is in it; SageMaker writes seconds."""
        return self._first <= time[:SECONDS] < self._last

    @property
    def hours(self) -> Iterator[datetime]:
        """The hours under which SageMaker may have filed what was captured; it writes some minutes late."""
        hour = self.start.replace(minute=0, second=0, microsecond=0)
        while hour <= self.end + timedelta(hours=1):
            yield hour
            hour += timedelta(hours=1)

    @cached_property
    def _first(self) -> str:
        return self.start.strftime("%Y-%m-%dT%H:%M:%S")

    @cached_property
    def _last(self) -> str:
        return self.end.strftime("%Y-%m-%dT%H:%M:%S")
