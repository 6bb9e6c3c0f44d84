"""Deliveries happen elsewhere and later: who publishes never waits for who is called."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from localcloud.core.errors import error
from localcloud.events import targets
from localcloud.testing import ACCOUNT, REGION
from localcloud.testing.in_process import Aws

pytestmark = pytest.mark.laptop("how localcloud delivers")

ARN = f"arn:aws:slow:{REGION}:{ACCOUNT}:target"


@pytest.fixture
def sender(aws: Aws) -> Iterator[Sender]:
    """What calls targets of the made-up service `slow`."""
    slow = targets.senders["slow"] = Sender()
    yield slow
    slow.go.set()
    del targets.senders["slow"]


class Sender:
    """Holds every delivery until `go` is set, and fails those that `refusals` are left for."""

    def __init__(self, refusals: list[Exception] | None = None) -> None:
        self.go, self.sent = threading.Event(), list[str]()
        self.refusals = refusals or []

    def __call__(self, delivery: targets.Delivery) -> None:
        self.go.wait()
        if self.refusals:
            raise self.refusals.pop()
        self.sent.append(delivery.text)


class Outcomes:
    """What deliveries came to."""

    def __init__(self, expected: int) -> None:
        self.reasons: list[str | None] = []
        self.complete = threading.Event()
        self._expected = expected

    def __call__(self, reason: str | None) -> None:
        self.reasons.append(reason)
        if len(self.reasons) == self._expected:
            self.complete.set()


def delivery(text: str, ended: Outcomes, **retry: int) -> targets.Delivery:
    target = {"Arn": ARN, "RetryPolicy": retry}
    return targets.Delivery(by="arn:aws:events:::rule/r", service="events.amazonaws.com", target=target, text=text, ended=ended)


def test_who_publishes_does_not_wait(sender: Sender) -> None:
    """A hundred deliveries are taken while the first cannot end; afterwards each has arrived once."""
    ended = Outcomes(100)
    for number in range(100):
        targets.deliver(delivery(str(number), ended))
    assert sender.sent == []

    sender.go.set()
    assert ended.complete.wait(60)
    assert sorted(map(int, sender.sent)) == list(range(100))


def test_what_fails_is_tried_again_and_what_is_refused_for_good_is_not(sender: Sender) -> None:
    sender.go.set()
    sender.refusals = [error("Busy", "later"), error("Busy", "later")]
    ended = Outcomes(1)
    targets.deliver(delivery("again", ended, MaximumRetryAttempts=5))
    assert ended.complete.wait(60)
    assert (sender.sent, ended.reasons) == (["again"], [None])

    sender.refusals = [error("AccessDeniedException", "never")]
    ended = Outcomes(1)
    targets.deliver(delivery("once", ended, MaximumRetryAttempts=5))
    assert ended.complete.wait(60)
    assert (sender.sent, ended.reasons) == (["again"], ["AccessDeniedException: never"])
