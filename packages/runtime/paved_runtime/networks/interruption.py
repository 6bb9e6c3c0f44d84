"""SIGTERM while a network learns: it is kept until the step is done and saved, and then takes its usual way."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from paved_runtime import stop


@contextmanager
def held() -> Iterator[Callable[[], bool]]:
    """Whether SIGTERM has come. At the end it is delivered to who would have got it; other threads than the main one hold nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    come = threading.Event()
    wakeup = signal.set_wakeup_fd(-1)
    handler = signal.signal(signal.SIGTERM, lambda *_: come.set())
    try:
        yield come.is_set
    finally:
        signal.signal(signal.SIGTERM, handler)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        if come.is_set():
            deliver()


def deliver() -> None:
    """Have SIGTERM take its usual way in this process."""
    os.kill(os.getpid(), signal.SIGTERM)
    for thread in [thread for thread in threading.enumerate() if thread.name == stop.THREAD]:
        thread.join()  # it ends the process
