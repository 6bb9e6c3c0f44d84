"""What is due is done, unless it was dropped; while the clock is paused nothing is."""

from __future__ import annotations

import threading
import time

import pytest

from localcloud.core import clock

pytestmark = pytest.mark.laptop("the clock is localcloud's")


def test_what_is_due_is_done_in_its_order() -> None:
    order: list[str] = []
    last, now = threading.Event(), time.time()
    clock.at("last", now + 0.2, last.set)
    clock.at("second", now + 0.1, lambda: order.append("second"))
    clock.at("first", now - 1, lambda: order.append("first"))

    assert last.wait(60)
    assert order == ["first", "second"]


def test_a_failure_stops_nobody_else() -> None:
    after = threading.Event()
    clock.at("broken", time.time(), fail)
    clock.at("after", time.time() + 0.05, after.set)

    assert after.wait(60)


def fail() -> None:
    raise RuntimeError("as an alarm that cannot be evaluated")


def test_nothing_is_done_while_the_clock_is_paused() -> None:
    dropped, kept = threading.Event(), threading.Event()
    with clock.paused():
        clock.at("dropped", time.time(), dropped.set)
        clock.at("kept", time.time(), kept.set)
        assert not kept.wait(0.2)
        clock.drop("dropped")

    assert kept.wait(60)
    assert not dropped.is_set()
