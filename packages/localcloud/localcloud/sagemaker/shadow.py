"""Shadow variants: a copy of production traffic for a model whose answers nobody gets."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from localcloud.sagemaker.instances import Instance
from localcloud.sagemaker.sampling import spread
from localcloud.sagemaker.variants import Variant

QUEUE, WORKERS = 100, 8  # copies of requests that wait for a shadow, and threads that send them


class Shadow:
    """Sends requests to a shadow variant as well, in proportion to its weight beside the production variant's.

    What finds the queue full is dropped (`dropped` counts it): a slow shadow slows nobody.
    """

    def __init__(self, variant: Variant, production: Variant) -> None:
        self.variant, self._production = variant, production
        self.dropped = 0
        self._room = threading.BoundedSemaphore(QUEUE)
        self._turns = itertools.count(1)
        self._workers = ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="shadow")

    def offer(self, send: Callable[[Instance], object]) -> None:
        """Have `send` called with an instance of the shadow, later and elsewhere, if this request is in the share."""
        if spread(next(self._turns)) * self._production.weight >= self.variant.weight:
            return
        if not self._room.acquire(blocking=False):
            self.dropped += 1
            return

        def work() -> None:
            try:
                if instance := self.variant.take():
                    try:
                        send(instance)
                    finally:
                        instance.release()
            finally:
                self._room.release()

        with contextlib.suppress(RuntimeError):  # the shadow has ended meanwhile
            self._workers.submit(work)

    def end(self) -> None:
        """Send no more."""
        self._workers.shutdown(wait=False, cancel_futures=True)
