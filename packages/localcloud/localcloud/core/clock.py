"""One thread that does what is due: alarms at the ends of their periods, scheduled scaling at its times. Nothing due, nothing runs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

_due: dict[Hashable, tuple[float, Callable[[], None]]] = {}
_changed = threading.Condition()
_running = threading.Lock()  # held while something that was due is done, and while the clock is paused
_threads: list[threading.Thread] = []


def at(key: Hashable, when: float, call: Callable[[], None]) -> None:
    """Do `call` once at `when` (seconds of `time.time()`), in place of what `key` was to do."""
    with _changed:
        _due[key] = (when, call)
        if not _threads:
            _threads.append(threading.Thread(target=_run, daemon=True, name="clock"))
            _threads[0].start()
        _changed.notify()


def drop(key: Hashable) -> None:
    """Forget what `key` was to do."""
    with _changed:
        _due.pop(key, None)


def clear() -> None:
    """Forget everything."""
    with _changed:
        _due.clear()


@contextmanager
def paused() -> Iterator[None]:
    """Nothing that is due is done while the block runs: a test looks at alarms at times of its own choosing."""
    with _running:
        yield


def _run() -> None:
    while True:
        _wait()
        with _running:
            key, call = _pop()
            try:
                call()
            except Exception:  # one broken alarm or schedule must not stop the others
                logging.getLogger(__name__).exception("%s failed", key)


def _wait() -> None:
    """Until something is due."""
    with _changed:
        while (seconds := _seconds_left()) is None or seconds > 0:
            _changed.wait(seconds)


def _pop() -> tuple[Hashable, Callable[[], None]]:
    """What is due first, unless it was dropped since."""
    with _changed:
        left = _seconds_left()
        if left is None or left > 0:
            return "nothing", lambda: None
        key = min(_due, key=lambda k: _due[k][0])
        return key, _due.pop(key)[1]


def _seconds_left() -> float | None:
    return min(when for when, _ in _due.values()) - time.time() if _due else None
