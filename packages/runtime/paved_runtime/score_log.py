"""The score log: lines of JSON on stdout that count a container's own answers. CloudWatch Logs turns them into metrics that alarms guard.

A container without a network has no other way out, and only the model itself sees that it answers fast and wrong. A line is due
whenever ROWS rows were scored (or so many requests refused), and some seconds after the last one if there is anything to log.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from paved_runtime.invocations import Reply
from paved_runtime.protocol import REFUSED, SCORES

ROWS = 50
QUANTILES = {"p10": 0.1, "p50": 0.5, "p90": 0.9}
Write = Callable[[str], object]


def _print(line: str) -> None:
    sys.stdout.write(line)
    sys.stdout.flush()


class ScoreLog:
    """Counts the answers of one version. Not for threads: the event loop alone calls it."""

    def __init__(self, version: str, *, seconds: float, write: Write = _print) -> None:
        self._version, self.seconds, self._write = version, seconds, write
        self._scores: list[float] = []
        self._refused = 0

    def count(self, reply: Reply) -> None:
        """Count one answer; that of a request for scores, or a refusal."""
        self.add(reply.scores, int(reply.status != 200))

    def add(self, scores: Sequence[float], refused: int) -> None:
        """Count the scores of some answers, and refusals."""
        self._scores += scores
        self._refused += refused
        if len(self._scores) >= ROWS:
            self._log_scores()
        if self._refused >= ROWS:
            self._log_refused()

    def flush(self) -> None:
        """Write what was counted since the last lines, if anything was."""
        if self._scores:
            self._log_scores()
        if self._refused:
            self._log_refused()

    async def flush_regularly(self) -> None:
        """Flush again and again, so that the last rows are logged when nobody asks any more."""
        while True:
            await asyncio.sleep(self.seconds)
            self.flush()

    def _log_scores(self) -> None:
        scores, self._scores = np.sort(self._scores), []
        places = np.array(list(QUANTILES.values())) * (len(scores) - 1)
        quantiles = np.interp(places, np.arange(len(scores)), scores).tolist()
        summary = {"mean": float(scores.mean()), **dict(zip(QUANTILES, quantiles, strict=True))}
        self._line(SCORES, rows=len(scores), **{name: round(value, 6) for name, value in summary.items()})

    def _log_refused(self) -> None:
        refused, self._refused = self._refused, 0
        self._line(REFUSED, requests=refused)

    def _line(self, event: str, **facts: Any) -> None:
        self._write(json.dumps({"event": event, "model_version": self._version, **facts}) + "\n")
