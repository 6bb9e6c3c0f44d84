"""One machine behind an endpoint: a process with an /opt/ml of its own, asked for its health, and started again when it dies."""

from __future__ import annotations

import contextlib
import http.client
import shutil
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from localcloud.core.cloud import cloud
from localcloud.core.processes import Process
from localcloud.ecr import images
from localcloud.ecr.containers import ContainerImage
from localcloud.sagemaker.records import reason
from localcloud.sagemaker.roles import credentials

PINGED_EVERY, MISSES, PAUSE = 5.0, 3, 0.5
GRACE = 30.0
LONGEST = 60.0  # seconds for an answer
SCORES_EVERY, LEAST = 10.0, 0.2  # seconds between the lines in which a container says what it scored: of SageMaker's time, of ours

WORKERS = "SAGEMAKER_MODEL_SERVER_WORKERS"  # one, unless the model says otherwise: many endpoints share the cores of one laptop


@dataclass(frozen=True)
class Answer:
    """What a container answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Program:
    """What an instance runs, and as whom. `model` is the folder of the unpacked model, if there is one."""

    image: images.Image | ContainerImage
    uri: str
    role: str
    region: str
    isolated: bool
    environment: Mapping[str, str]
    model: Path | None
    patience: float


class Instance:
    """One serving process. `ready` while /ping says so; `settled` once the first start has succeeded or failed.

    `lost` is called with the reason when it no longer serves, though nobody stopped it. `peak` is how many requests it had at once.
    """

    def __init__(self, program: Program, folder: Path, log: Callable[[str], None], lost: Callable[[str], None]) -> None:
        self.program, self.folder, self._log, self._lost = program, folder, log, lost
        self.ready, self.settled, self._ended = threading.Event(), threading.Event(), threading.Event()
        self.failure: str | None = None
        self.peak = self._busy = 0
        self._freed = threading.Condition()
        self._last_lines: deque[str] = deque(maxlen=5)
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()
        self._process: Process | None = None
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return self._process.pid if self._process and self._process.running else None

    @property
    def busy(self) -> int:
        """How many requests it has."""
        return self._busy

    def take(self) -> Instance:
        """Count a request that it will answer."""
        with self._freed:
            self._busy += 1
            self.peak = max(self.peak, self._busy)
        return self

    def release(self) -> None:
        """The request is answered."""
        with self._freed:
            self._busy -= 1
            self._freed.notify_all()

    def concurrency(self) -> int:
        """The most requests it had at once since this was last asked."""
        with self._freed:
            peak, self.peak = self.peak, self._busy
        return peak

    def retire(self) -> None:
        """Answer what was taken, then stop."""
        with self._freed:
            self._freed.wait_for(lambda: not self._busy, LONGEST)
        self.stop()

    def stop(self) -> None:
        """End the process: SIGTERM, and after 30 s of SageMaker's time SIGKILL."""
        with self._lock:
            self._ended.set()
            process = self._process
        if process:
            process.stop(max(GRACE / cloud().speed, 1))
        self._thread.join()

    def invoke(self, body: bytes, headers: Mapping[str, str], timeout: float) -> Answer:
        """Send one request over a kept connection. Raises OSError or HTTPException when there is no answer."""
        while True:
            try:
                connection, reused = self._idle.pop(), True
            except IndexError:
                connection, reused = self._connection(timeout), False
            try:
                if connection.sock:
                    connection.sock.settimeout(timeout)
                connection.request("POST", "/invocations", body, dict(headers))
                response = connection.getresponse()
                answer = Answer(response.status, dict(response.getheaders()), response.read())
            except (http.client.RemoteDisconnected, ConnectionError):
                connection.close()
                if not reused:
                    raise
            except BaseException:
                connection.close()
                raise
            else:
                self._idle.append(connection)
                return answer

    def _keep(self) -> None:
        try:
            while not self._ended.is_set():
                self._live_once()
        except Exception as problem:  # reported as the fleet's failure to start
            self.failure = reason(problem)
            self._line(self.failure)
        finally:
            self.settled.set()

    def _live_once(self) -> None:
        gone = self._launch()
        if self._until_healthy(gone):
            self.ready.set()
            self.settled.set()
            self._watch(gone)
            self.ready.clear()
            self._idle.clear()
            if not self._ended.is_set():
                how = "its process ended" if gone.is_set() else "/ping no longer answers 200"
                self._lost(self._with_last_lines(how))
            self._end()
        elif not self.settled.is_set():
            how = f"/ping did not answer 200 in {self.program.patience:.0f} s" if self.pid and not gone.is_set() else "its process ended"
            self._end()  # what it printed last is read by then
            self.failure = self._with_last_lines(how)
            self._ended.set()
        else:
            self._end()
        self._ended.wait(PAUSE)

    def _end(self) -> None:
        """End the process, and read what it has printed."""
        if self._process:
            self._process.stop(1)

    def _with_last_lines(self, how: str) -> str:
        return f"{how}; its last lines: {' | '.join(self._last_lines) or 'none'}"

    def _launch(self) -> threading.Event:
        ml, gone = self.folder / "ml", threading.Event()
        shutil.rmtree(ml, ignore_errors=True)
        ml.mkdir(parents=True)
        if self.program.model:
            shutil.copytree(self.program.model, ml / "model")
        self.port = _free_port()
        p = self.program
        own = {"SAGEMAKER_BIND_TO_PORT": str(self.port), "SAGEMAKER_SAFE_PORT_RANGE": f"{self.port}-{self.port}"}
        own["SCORE_LOG_SECONDS"] = str(max(SCORES_EVERY / cloud().speed, LEAST))
        aws = credentials(p.role, p.region, isolated=p.isolated)
        with self._lock:
            if self._ended.is_set():
                gone.set()
                return gone
            process = p.image.start(["serve"], aws, {WORKERS: "1"}, p.environment, own, ml=ml, isolated=p.isolated, on_line=self._line)
            self._process = process

        def note_end() -> None:
            process.wait()  # its output is read to the end by then
            gone.set()

        threading.Thread(target=note_end, daemon=True).start()
        return gone

    def _until_healthy(self, gone: threading.Event) -> bool:
        deadline = time.monotonic() + self.program.patience
        while time.monotonic() < deadline and not gone.wait(0.05):
            if self._ping():
                return not gone.is_set()
        return False

    def _watch(self, gone: threading.Event) -> None:
        misses = 0
        while misses < MISSES and not gone.wait(max(PINGED_EVERY / cloud().speed, PAUSE)):
            misses = 0 if self._ping() else misses + 1

    def _ping(self) -> bool:
        connection = self._connection(2)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/ping")
            return connection.getresponse().status == 200
        return False

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        assert self._process is not None  # who asks has seen it start
        return self._process.connection(self.port, timeout)

    def _line(self, line: str) -> None:
        if line.strip():
            self._last_lines.append(line.strip())
        self._log(line)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
