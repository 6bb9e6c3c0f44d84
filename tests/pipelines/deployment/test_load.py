"""A load keeps its rate, and what a stall does to the callers shows in its figures."""

from __future__ import annotations

import logging
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.deployment.endpoint import Unanswered
from pipelines.deployment.load import Call, Load, drive
from pipelines.evidence import document
from tests.support.fakes import Clock


def ok(_: int) -> None:
    """A request that is answered at once."""


def of(*seconds: float) -> Load:
    """A load whose requests were answered after so many seconds."""
    return Load(1.0, [Call(due=at, sent=at, answered=at + took, failure="") for at, took in enumerate(seconds)])


def test_requests_leave_at_the_rate() -> None:
    clock = Clock()
    numbers: list[int] = []
    load = drive(numbers.append, rate=8, seconds=5, clock=clock)

    assert sorted(numbers) == list(range(40))
    assert [call.due for call in load.calls] == [number / 8 for number in range(40)]
    assert clock.monotonic() == 39 / 8
    assert (load.failures, load.error_rate) == ([], 0)


def test_a_request_never_leaves_early() -> None:
    load = drive(ok, rate=100, seconds=0.3)

    assert all(call.sent >= call.due for call in load.calls)
    assert load.sent_per_second <= 100


def test_a_stall_shows_in_every_request_that_was_due_meanwhile() -> None:
    """One request holds a server that answers one at a time for half a second: half of the requests wait for it, not one."""
    server = threading.Lock()
    held = threading.Event()

    def send(number: int) -> None:
        with server:
            if number == 20:
                held.wait(0.5)

    load = drive(send, rate=100, seconds=1)

    assert load.percentile(99) > 400
    assert load.percentile(75) > 100


def test_a_rate_that_is_not_kept_is_told() -> None:
    never = threading.Event()

    def slow(_: int) -> None:
        never.wait(0.05)

    load = drive(slow, rate=100, seconds=0.2, in_flight=1)

    assert load.sent_per_second < 30
    assert load.percentile(99) > 500  # the last of twenty waited for all of them


def test_failures_are_counted_by_what_they_say() -> None:
    def send(number: int) -> None:
        if number % 4 == 0:
            raise Unanswered("status 500")

    load = drive(send, rate=400, seconds=0.1)

    assert load.failures == ["status 500"] * 10
    assert load.error_rate == 0.25


def test_a_mistake_of_our_own_is_no_failure_of_the_server() -> None:
    def send(number: int) -> None:
        raise KeyError(number)

    with pytest.raises(KeyError):
        drive(send, rate=10, seconds=0.1)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=300), st.sampled_from([1, 50, 95, 99, 100]))
def test_a_percentile_is_the_first_latency_that_so_many_do_not_exceed(seconds: list[float], percent: int) -> None:
    value = of(*seconds).percentile(percent) / 1000
    share = percent / 100 * len(seconds)
    latencies = [call.answered - call.due for call in of(*seconds).calls]

    assert sum(latency <= value + 1e-9 for latency in latencies) >= share
    assert sum(latency < value - 1e-9 for latency in latencies) < share


def test_known_percentiles() -> None:
    hundred = of(*(number / 1000 for number in range(1, 101)))

    assert [round(hundred.percentile(percent)) for percent in (50, 95, 99, 100)] == [50, 95, 99, 100]
    assert round(of(0.25).percentile(1)) == 250


def test_the_report_is_what_evidence_takes() -> None:
    report = Load(10.0, [Call(0, 0, 0.02, ""), Call(0.1, 0.1, 0.15, "status 500")]).as_json()

    assert report == {
        "requests": 2,
        "seconds": 0.15,
        "requests_per_second": 10,
        "p50_ms": 20,
        "p95_ms": 50,
        "p99_ms": 50,
        "errors": 1,
        "error_rate": 0.5,
    }
    assert document.Load.model_validate(report)


def test_a_long_load_tells_how_far_it_is(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "pipelines")
    drive(ok, rate=2, seconds=25, clock=Clock())

    assert caplog.messages == ["load: 21 of 50 requests sent", "load: 41 of 50 requests sent"]


def test_a_load_is_one_request_at_least() -> None:
    assert len(drive(ok, rate=0.1, seconds=1).calls) == 1
