"""A load that does not wait for its victim: requests leave at a fixed rate, whether earlier ones were answered or not.

A client that sends its next request after the last answer stops measuring just when the server stalls, and reports one slow request for the
hundred that callers would have sent (coordinated omission). Here each latency counts from the moment at which the request was due.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from pipelines.deployment.endpoint import Unanswered
from pipelines.deployment.pace import Clock

IN_FLIGHT = 256  # requests at a time; one more waits here, and its latency counts on
TELL_EVERY = 10  # seconds
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Call:
    """One request: seconds after the load's start at which it was due, was sent and was answered; `failure` is empty for a good answer."""

    due: float
    sent: float
    answered: float
    failure: str


@dataclass(frozen=True)
class Load:
    """What a load showed. `rate` is what was to be sent, in requests a second."""

    rate: float
    calls: Sequence[Call]

    @property
    def sent_per_second(self) -> float:
        """Requests that were sent, by the time it took to send them: `rate`, or less where this machine could not keep it."""
        took = max(len(self.calls) / self.rate, max(call.sent for call in self.calls) + 1 / self.rate)
        return len(self.calls) / took

    @property
    def failures(self) -> list[str]:
        """Why requests failed, one word a failed request."""
        return [call.failure for call in self.calls if call.failure]

    @property
    def error_rate(self) -> float:
        """The share of requests that failed."""
        return len(self.failures) / len(self.calls)

    def percentile(self, percent: float) -> float:
        """Milliseconds in which that many percent of the requests were over (nearest rank), failed ones included."""
        latencies = sorted(call.answered - call.due for call in self.calls)
        return 1000 * latencies[math.ceil(percent / 100 * len(latencies)) - 1]

    def as_json(self) -> dict[str, Any]:
        """The load as the staging report holds it."""
        return {
            "requests": len(self.calls),
            "seconds": round(max(call.answered for call in self.calls), 3),
            "requests_per_second": round(self.sent_per_second, 3),
            **{f"p{percent}_ms": round(self.percentile(percent), 3) for percent in (50, 95, 99)},
            "errors": len(self.failures),
            "error_rate": round(self.error_rate, 6),
        }


def drive(send: Callable[[int], None], *, rate: float, seconds: float, in_flight: int = IN_FLIGHT, clock: Clock = time) -> Load:
    """Send `rate` requests a second for some seconds, the first at once, at most `in_flight` at a time. `send` gets 0, 1, 2, … and raises
    Unanswered if its request fails.

    Returns after the last answer.
    """
    count = max(1, round(rate * seconds))
    with ThreadPoolExecutor(min(count, in_flight)) as pool:
        start, logged = clock.monotonic(), 0.0
        calls = []
        for number in range(count):
            due = number / rate
            clock.sleep(max(0.0, start + due - clock.monotonic()))
            calls.append(pool.submit(_call, send, number, start, due, clock))
            if due >= logged + TELL_EVERY:
                logged = due
                log.info("load: %d of %d requests sent", number + 1, count)
        return Load(rate, [call.result() for call in calls])


def _call(send: Callable[[int], None], number: int, start: float, due: float, clock: Clock) -> Call:
    sent = clock.monotonic() - start
    try:
        send(number)
    except Unanswered as error:
        return Call(due, sent, clock.monotonic() - start, str(error))
    return Call(due, sent, clock.monotonic() - start, "")
