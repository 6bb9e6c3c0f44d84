"""A model's own environment: the packages of its image and of its tests, apart from everybody else's."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from cli.output import say
from cli.problem import Problem
from cli.tree import CACHE, HERE, relative

LOCKS = ("requirements.lock", "requirements-test.lock")
FRAME = ("model_code/tests", "model_code/runtime")


def suites(model: str) -> list[str]:
    """The folders whose tests run in the model's environment: its own, and those of what every model shares."""
    return [*FRAME, own_suite(model)]


def own_suite(model: str) -> str:
    """The folder of the model's own tests."""
    return f"model_code/{model}"


class FrameTests:
    """The tests of what every model shares, in one model's environment: once they passed there, they need not be run again."""

    def __init__(self, model: str) -> None:
        self.model, self._stamp = model, CACHE / "models" / f"{model}.frame"
        files = [*_locks(model), *(file for file in (HERE / "model_code").glob("*.py"))]
        files += [file for suite in FRAME for file in (HERE / suite).rglob("*") if file.is_file() and file.suffix != ".pyc"]
        self._key = hashlib.sha256(b"".join(str(file.relative_to(HERE)).encode() + file.read_bytes() for file in sorted(files))).hexdigest()

    @property
    def passed(self) -> bool:
        """Whether they passed with exactly these files and locks."""
        return self._stamp.is_file() and self._stamp.read_text() == self._key

    def note(self) -> None:
        """They passed."""
        self._stamp.parent.mkdir(parents=True, exist_ok=True)
        self._stamp.write_text(self._key)


def python(model: str) -> Path:
    """The Python of the model's environment, made on first use and again when a lock has changed.

    Raises:
        Problem: the packages could not be installed.
    """
    home = CACHE / "models" / model
    home.parent.mkdir(parents=True, exist_ok=True)
    locks = _locks(model)
    wanted = hashlib.sha256(b"".join(lock.read_bytes() for lock in locks)).hexdigest()
    stamp = home / "stamp"
    with home.with_suffix(".lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not stamp.is_file() or stamp.read_text() != wanted:
            _make(model, home, locks)
            stamp.write_text(wanted)
    return home / "bin" / "python"


def _locks(model: str) -> list[Path]:
    return [HERE / "model_code" / model / name for name in LOCKS]


def _make(model: str, home: Path, locks: list[Path]) -> None:
    say(f"making the environment of {model} in {relative(home)} (once)")
    shutil.rmtree(home, ignore_errors=True)
    log = home.with_suffix(".log")
    install = ["uv", "pip", "sync", "--require-hashes", *map(str, locks)]
    with log.open("w") as output:
        for command in (["uv", "venv", "--python", sys.executable, str(home)], install):
            env = {**os.environ, "VIRTUAL_ENV": str(home)}
            if subprocess.run(command, cwd=HERE, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output).returncode:
                lines = [line.strip() for line in log.read_text().splitlines() if line.strip()]
                why = lines[-1] if lines else "it printed nothing"
                raise Problem(f"environment of {model}: {command[1]} failed", why, f"the registry must be reachable; read {relative(log)}")
