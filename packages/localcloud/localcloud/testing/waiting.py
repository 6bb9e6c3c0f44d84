"""Waits for what will happen: its end is what happens, and never a time that a busy machine would miss."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from localcloud.testing import VERIFICATION

PATIENCE = 3600.0 if VERIFICATION else 120.0  # seconds after which it is taken never to happen
PAUSE = VERIFICATION.pause if VERIFICATION else 0.02


def until(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """What `condition` returns once it is true. AWS has no calls that wait, so it is asked again and again.

    Raises:
        AssertionError: it did not come true in `seconds`.
    """
    never, ends = threading.Event(), time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < ends, f"it did not happen in {seconds:g} s"
        never.wait(PAUSE)
    return value
