"""One thread that does what is due: alarms at the ends of their periods, scheduled scaling at its times. Nothing due, nothing runs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable

_due: dict[Hashable, tuple[float, Callable[[], None]]] = {}
_changed = threading.Condition()
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


def _run() -> None:
    while True:
        key, call = _next()
        try:
            call()
        except Exception:  # one broken alarm or schedule must not stop the others
            logging.getLogger(__name__).exception("%s failed", key)


def _next() -> tuple[Hashable, Callable[[], None]]:
    with _changed:
        while True:
            key = min(_due, key=lambda k: _due[k][0], default=None)
            wait = _due[key][0] - time.time() if key is not None else None
            if key is not None and wait is not None and wait <= 0:
                return key, _due.pop(key)[1]
            _changed.wait(wait)
