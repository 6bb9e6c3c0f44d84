"""How something is waited for: at once, then again and again, and not for ever."""

from __future__ import annotations

import logging

import pytest

from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.pace import Pace
from tests.support.fakes import Clock


def test_waiting_looks_at_once_and_ends() -> None:
    clock = Clock()
    polls = Pace(poll_seconds=15, clock=clock).polls(minutes=1, waiting_for="the run")

    assert [next(polls) or clock.monotonic() for _ in range(5)] == [0, 15, 30, 45, 60]
    with pytest.raises(DeploymentError, match="the run: not finished after 1 minutes: see its console page, then retry the stage"):
        next(polls)


@pytest.mark.parametrize(("minute_seconds", "looks"), [(60, 9), (15, 3)])
def test_a_watch_lasts_as_long_as_minutes_do(minute_seconds: float, looks: int) -> None:
    pace = Pace(poll_seconds=15, minute_seconds=minute_seconds, clock=Clock())

    assert len(list(pace.watch(2))) == looks


def test_who_waits_is_told_every_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    polls = Pace(poll_seconds=25, clock=clock).polls(minutes=9, waiting_for="the run")
    with caplog.at_level(logging.INFO, "pipelines"):
        for _ in range(7):
            next(polls)

    assert caplog.messages == [f"the run: waited for {minutes} of at most 9 minutes" for minutes in (1, 2)]
