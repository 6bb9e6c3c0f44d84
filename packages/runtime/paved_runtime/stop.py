"""A job that is stopped ends at once and says so.

SageMaker stops a job with SIGTERM and waits 120 seconds before it kills (https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html).
A container's first process gets no signal that it has not asked for, so without this each stop would cost all of them.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

EXIT_CODE = 128 + signal.SIGTERM
THREAD = "on-stop"


def on_stop(report: Callable[[], None]) -> None:
    """From now on SIGTERM calls `report` and ends the process, with 143. To be called in the main thread.

    A thread of its own waits for the signal, because Python would handle it only between two steps of its own, and one step may be minutes
    of numerical work. A child does as it did before.
    """
    end, beginning = os.pipe()
    os.set_blocking(beginning, False)
    signal.set_wakeup_fd(beginning, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, _nothing)  # the wake-up is all
    os.register_at_fork(before=_hold, after_in_parent=_release, after_in_child=_forget)
    threading.Thread(target=_wait, args=(end, report), name=THREAD, daemon=True).start()


def _wait(end: int, report: Callable[[], None]) -> None:
    while signal.SIGTERM not in os.read(end, 1):
        pass
    try:
        report()
    finally:
        os._exit(EXIT_CODE)


def _nothing(*_: object) -> None:
    pass


def _hold() -> None:
    """A signal in the midst of a fork waits until the child has forgotten its parent's way."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def _release() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def _forget() -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _release()
