"""Several processes that answer for one model: forked from the one that has loaded and checked it, they share its memory.

The process that loaded the model answers nothing itself. It keeps as many workers as were asked for, writes what they report to the score
log as if one had scored it all, and ends when they cannot be kept alive: SageMaker then replaces the container.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import multiprocessing
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import NamedTuple

import msgspec

from paved_runtime.invocations import Reply
from paved_runtime.score_log import ROWS, ScoreLog

REPORTED = 1.0  # seconds between two reports of a worker, at most
SILENCE = 30.0  # seconds without a report, after which a worker hangs
LIVES, MINUTE = 3, 60.0  # so many times its workers may end within so many seconds
FORK = multiprocessing.get_context("fork")


class Report(msgspec.Struct, gc=False):
    """What a worker has answered since its last report."""

    scores: list[float]
    refused: int


REPORT = msgspec.msgpack.Decoder(Report)


class Lines(NamedTuple):
    """What a worker has of the process that started it: where reports go, and what can be read once that process is gone."""

    reports: Connection
    life: Connection


class Reporter:
    """The score log of one worker of several: it is written by the process that started them all. Not for threads."""

    def __init__(self, lines: Lines, *, seconds: float) -> None:
        self._lines, self._seconds = lines, min(seconds, REPORTED)
        self._report = Report([], 0)

    def count(self, reply: Reply) -> None:
        """Count one answer."""
        self._report.scores += reply.scores
        self._report.refused += reply.status != 200
        if len(self._report.scores) >= ROWS:
            self.flush()

    def flush(self) -> None:
        """Report, even that there was nothing: it is a sign of life."""
        report, self._report = self._report, Report([], 0)
        with contextlib.suppress(BrokenPipeError):  # nobody reads it any more: `until_orphaned` ends this worker
            self._lines.reports.send_bytes(msgspec.msgpack.encode(report))

    async def flush_regularly(self) -> None:
        """Report again and again; and end this process as SIGTERM does when the one that started it is gone."""
        loop, orphaned = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._lines.life.fileno(), orphaned.set)
        try:
            while not orphaned.is_set():
                self.flush()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(orphaned.wait(), self._seconds)
        finally:
            loop.remove_reader(self._lines.life.fileno())
        signal.raise_signal(signal.SIGTERM)


@dataclass
class Worker:
    """One process and its number; `seen` is when it last reported."""

    process: ForkProcess
    number: int
    seen: float


class Workers:
    """Keeps `count` workers until SIGTERM. A worker runs `work` with its lines.

    `patience`: seconds that they get to end after SIGTERM.
    """

    def __init__(self, count: int, work: Callable[[Lines], None], log: ScoreLog, *, patience: float) -> None:
        self._count, self._work, self._log, self._patience = count, work, log, patience
        self._workers: dict[Connection, Worker] = {}
        self._ends: deque[float] = deque(maxlen=LIVES * count)
        self._stopped, self._answers = math.inf, False
        self._process = os.getpid()
        self._life, self._held = FORK.Pipe(duplex=False)  # ends when the last that holds its other end does: this process

    def run(self) -> None:
        """Until SIGTERM, and all have ended.

        Raises:
            RuntimeError: a worker ended before any was ready, or too many have ended within a minute.
        """
        gc.collect()
        gc.freeze()  # what is there stays shared: the collector writes into all that it looks at
        signal.signal(signal.SIGTERM, self._stop)
        try:
            for number in range(self._count):
                self._start(number)
            flushed = time.monotonic()
            while self._workers:
                self._watch()
                if time.monotonic() - flushed >= self._log.seconds:
                    flushed = time.monotonic()
                    self._log.flush()
        finally:
            for worker in self._workers.values():
                worker.process.kill()
            self._log.flush()

    def _start(self, number: int) -> None:
        ours, theirs = FORK.Pipe(duplex=False)
        process = FORK.Process(target=self._begin, args=(ours, theirs))
        process.start()
        theirs.close()
        self._workers[ours] = Worker(process, number, time.monotonic())
        if self._stopped < math.inf:
            process.terminate()

    def _begin(self, ours: Connection, theirs: Connection) -> None:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        for connection in (ours, self._held, *self._workers):
            connection.close()
        self._work(Lines(theirs, self._life))

    def _stop(self, *_: object) -> None:
        """Hand SIGTERM on. A worker that was forked just now has this handler still, and nothing to end but itself."""
        if os.getpid() != self._process:
            os._exit(0)
        self._stopped = min(self._stopped, time.monotonic())
        for worker in self._workers.values():
            worker.process.terminate()

    def _watch(self) -> None:
        """Take what has been reported, replace who has ended, end who hangs."""
        for connection in wait([*self._workers], min(self._log.seconds, REPORTED)):
            assert isinstance(connection, Connection)
            try:
                report = REPORT.decode(connection.recv_bytes())
            except (EOFError, OSError):  # it may have ended in the midst of a report
                self._ended(connection, self._workers[connection])
            else:
                self._workers[connection].seen, self._answers = time.monotonic(), True
                self._log.add(report.scores, report.refused)
        now = time.monotonic()
        for worker in self._workers.values():
            if now - worker.seen > SILENCE or now - self._stopped > self._patience:
                worker.process.kill()

    def _ended(self, connection: Connection, worker: Worker) -> None:
        worker.process.join()
        del self._workers[connection]
        connection.close()
        if self._stopped < math.inf:
            return
        how = f"worker {worker.number} ended with {worker.process.exitcode}"
        if not self._answers:
            raise RuntimeError(f"{how} before any had answered: what it said is above")
        self._ends.append(time.monotonic())
        if len(self._ends) == self._ends.maxlen and self._ends[-1] - self._ends[0] < MINUTE:
            raise RuntimeError(f"{how}, the last of {len(self._ends)} within a minute: see the instance's memory, and what they said")
        print(f"{how}; another takes its place", file=sys.stderr, flush=True)
        self._start(worker.number)


def cores() -> int:
    """How many processors this process may use: those of its affinity, and at most what its control group grants (cpu.max of cgroup v2)."""
    visible = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
    except (FileNotFoundError, PermissionError):
        return visible
    return visible if quota == "max" else max(1, min(visible, math.ceil(int(quota) / int(period))))
