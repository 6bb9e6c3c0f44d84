"""How fast things are waited for: AWS is asked again and again, but not so often that it throttles."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from pipelines.deployment.errors import Unfinished

TELL_EVERY = 60  # seconds
log = logging.getLogger(__name__)


class Clock(Protocol):
    """The part of the module `time` that waiting needs."""

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float, /) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Pace:
    """`poll_seconds` lie between two looks. `minute_seconds` is how long a minute of `model.toml` and of alarms lasts: less than 60 where
    time is made to run faster.
    """

    poll_seconds: float
    minute_seconds: float = 60
    clock: Clock = time

    def polls(self, *, minutes: float, waiting_for: str) -> Iterator[None]:
        """Come back at once and then every `poll_seconds`, for at most `minutes` of real time. Who waits is told so every minute.

        Raises:
            Unfinished: the time is over.
        """
        began, told = self.clock.monotonic(), 0
        for _ in self._polls(60 * minutes):
            yield
            waited = int((self.clock.monotonic() - began) // TELL_EVERY)
            if waited > told:
                told = waited
                log.info("%s: waited for %d of at most %g minutes", waiting_for, waited, minutes)
        raise Unfinished(f"{waiting_for}: not finished after {minutes:g} minutes", "see its console page, then retry the stage")

    def watch(self, minutes: float) -> Iterator[None]:
        """Come back at once and then every `poll_seconds`, until so many minutes of `model.toml` are over."""
        yield from self._polls(self.minute_seconds * minutes)

    def _polls(self, seconds: float) -> Iterator[None]:
        end = self.clock.monotonic() + seconds
        yield
        while self.clock.monotonic() < end:
            self.clock.sleep(self.poll_seconds)
            yield
