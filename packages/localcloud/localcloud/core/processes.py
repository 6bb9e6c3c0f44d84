"""Starts the programs that stand for AWS machines: builds, jobs, endpoint instances. Each ends when localcloud does."""

from __future__ import annotations

import http.client
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

GUARD = Path(__file__).with_name("exit_with_parent.py")


class Process:
    """A running program whose output goes, line by line, to `on_line`; it never outlives localcloud."""

    def __init__(self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, on_line: Callable[[str], None]) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARD), *argv],
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, args=(on_line,), daemon=True)
        self._reader.start()
        self._ended = threading.Event()
        threading.Thread(target=self._await_end, daemon=True).start()

    def _read(self, on_line: Callable[[str], None]) -> None:
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            on_line(line.rstrip("\n"))

    def _await_end(self) -> None:
        """Let the system say when it ends: `Popen.wait` with a timeout asks twenty times a second."""
        self._popen.wait()
        self._ended.set()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def running(self) -> bool:
        return not self._ended.is_set()

    def connection(self, port: int, timeout: float) -> http.client.HTTPConnection:
        """A connection to a port on which it listens."""
        return http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once the program has ended and its output was read. Raises `subprocess.TimeoutExpired`."""
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired(self._popen.args, timeout or 0)
        self._reader.join()
        return self._popen.wait()

    def stop(self, grace: float = 5) -> int:
        """SIGTERM, then after `grace` seconds SIGKILL, to the program and all it started."""
        self._popen.terminate()
        try:
            return self.wait(grace)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """SIGKILL, at once, to the program and all it started."""
        assert self._popen.stdin is not None
        self._popen.stdin.close()
        return self.wait()


def spawn(argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, on_line: Callable[[str], None]) -> Process:
    """Start `argv` with exactly `env`, in `cwd`."""
    return Process(argv, env=env, cwd=cwd, on_line=on_line)
