"""When jobs lose their machines, which on AWS nobody knows: so a cloud is told how often and within what, and draws."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Sequence

FORM = re.compile(r"(?P<times>\d+)/(?P<seconds>\d+(\.\d+)?)/(?P<seed>\d+)")


class Interruptions:
    """A host is lost `times` times, each time within so many real `seconds` of its program's start: by each managed spot training job, or
    by transform jobs together.

    Which host, and after how long, `seed` draws: the same for the same jobs in the same order.
    """

    def __init__(self, *, times: int, seconds: float, seed: int) -> None:
        self.times, self.seconds = times, seconds
        self._used = 0
        self._random, self._lock = random.Random(seed), threading.Lock()  # noqa: S311 - nobody is to be surprised twice

    @classmethod
    def parsed(cls, text: str) -> Interruptions:
        """Raises ValueError for what is not TIMES/SECONDS/SEED."""
        match = FORM.fullmatch(text)
        if not match:
            raise ValueError(f"{text}: accepted is TIMES/SECONDS/SEED, such as 1/20/7")
        return cls(times=int(match["times"]), seconds=float(match["seconds"]), seed=int(match["seed"]))

    def draw(self, hosts: Sequence[str]) -> tuple[str, float]:
        """The host that is taken next, and the seconds that it still has."""
        with self._lock:
            return self._random.choice(hosts), self._random.uniform(0, self.seconds)

    def due(self) -> bool:
        """Whether one of the `times` is left for whoever asks, and uses it up."""
        with self._lock:
            self._used += 1
            return self._used <= self.times
