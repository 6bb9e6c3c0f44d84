"""Executions stand in the stages of their pipeline as its mode says; seen without actions, pipelines and time."""

from __future__ import annotations

import threading

import pytest

from localcloud.codepipeline.turns import Cancelled, EndedEarly, Place, Stopped, Superseded, Turns

pytestmark = pytest.mark.laptop("turns are seen without pipelines, and without time")


def enters(turns: Turns, place: Place, stage: int) -> threading.Event:
    """Set once the place has entered the stage, or will never."""
    entered = threading.Event()

    def enter() -> None:
        try:
            turns.enter(place, stage)
        except EndedEarly:
            return
        entered.set()

    threading.Thread(target=enter, daemon=True).start()
    return entered


def test_a_queue_keeps_its_order_through_every_stage() -> None:
    turns = Turns()
    first, second = turns.arrive("QUEUED"), turns.arrive("QUEUED")
    turns.enter(first, 0)
    behind = enters(turns, second, 0)
    assert not behind.is_set()
    turns.enter(first, 1)
    assert behind.wait(60)
    ahead = enters(turns, second, 1)
    assert not ahead.is_set()
    turns.leave(first, position=2)
    assert ahead.wait(60)


def test_of_those_that_wait_only_the_newest_goes_on() -> None:
    turns = Turns()
    running, older, newest = (turns.arrive("SUPERSEDED") for _ in range(3))
    turns.enter(running, 0)
    with pytest.raises(Superseded):
        turns.enter(older, 0)
    waiting = enters(turns, newest, 0)
    turns.leave(older, position=-1)
    turns.leave(running, position=-1)
    assert waiting.wait(60)


@pytest.mark.parametrize("early", [Stopped, Cancelled])
def test_who_has_ended_early_waits_no_more(early: type[EndedEarly]) -> None:
    turns = Turns()
    first, second = turns.arrive("QUEUED"), turns.arrive("QUEUED")
    turns.enter(first, 0)
    turns.end(second, early)
    turns.end(second, Superseded)
    with pytest.raises(early):
        turns.enter(second, 0)


def test_who_comes_back_goes_on() -> None:
    turns = Turns()
    place = turns.arrive("QUEUED")
    turns.enter(place, 0)
    turns.end(place, Stopped)
    turns.leave(place, position=-1)
    turns.come_back(place)
    assert enters(turns, place, 0).wait(60)
