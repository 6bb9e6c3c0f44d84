"""The environments in which models' code runs: the packages of a model's image and of its tests, apart from everybody else's.

One is named after its locks, so models with the same packages share it, and a lock that has changed gets another.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from cli.output import say
from cli.problem import Problem
from cli.tree import CACHE, HERE, relative

LOCKS = ("requirements.lock", "requirements-test.lock")
RUNTIME = HERE / "packages/runtime/tests/model_code"  # frozen models, in whose environments the runtime's own tests run
CONFORMANCE = HERE / "packages/runtime/conformance/frameworks"  # packages of the other frameworks that the runtime brings


def folder(model: str) -> Path:
    """A model's folder."""
    return HERE / "model_code" / model


def sample() -> Path:
    """The folder of the sample: the one of the runtime's models that is complete."""
    return min(path.parent for path in RUNTIME.glob("*/Dockerfile"))


def proven(framework: str) -> Path:
    """The folder with the packages with which the runtime itself is tested with a framework. XGBoost's are the sample's."""
    return sample() if framework == "xgboost" else CONFORMANCE / f"{framework}_scoring"


def python(model: Path) -> Path:
    """The Python of a model's environment, made on first use. `model` is its folder.

    Raises:
        Problem: a lock is missing, or the packages could not be installed.
    """
    locks = [model / name for name in LOCKS]
    for lock in locks:
        if not lock.is_file():
            raise Problem(relative(lock), "there is no such file", "./road lock makes it of the .in file beside it")
    home = CACHE / "models" / _digest(locks)
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_suffix(".lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not (home / "done").is_file():
            _make(model.name, home, locks)
            (home / "done").touch()
    return home / "bin" / "python"


def installing() -> dict[str, str]:
    """The environment in which uv finds what pip finds: wheels beside the index, which people name for pip (`find-links`), such as PyTorch
    for processors alone.
    """
    links = os.environ.get("PIP_FIND_LINKS") or _configured()
    return {"UV_FIND_LINKS": ",".join(links.split()), **os.environ} if links.strip() else dict(os.environ)


def _configured() -> str:
    """The same of pip's own files, which `pip config get` does not see all of."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=True).stdout
    values = re.findall(r"^global\.find-links='(.*)'$", listed, re.MULTILINE)
    return values[-1].replace("\\n", " ") if values else ""


def _digest(locks: list[Path]) -> str:
    """Of what is installed; not of the comments, which say for which model."""
    lines = [line for lock in locks for line in lock.read_text().splitlines() if not line.lstrip().startswith("#")]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _make(model: str, home: Path, locks: list[Path]) -> None:
    say(f"making the environment of {model} in {relative(home)} (once)")
    shutil.rmtree(home, ignore_errors=True)
    log = home.with_suffix(".log")
    install = ["uv", "pip", "sync", "--require-hashes", *map(str, locks)]
    with log.open("w") as output:
        for command in (["uv", "venv", "--python", sys.executable, str(home)], install):
            env = {**installing(), "VIRTUAL_ENV": str(home)}
            if subprocess.run(command, cwd=HERE, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output).returncode:
                lines = [line.strip() for line in log.read_text().splitlines() if line.strip()]
                why = lines[-1] if lines else "it printed nothing"
                raise Problem(f"environment of {model}: {command[1]} failed", why, f"the registry must be reachable; read {relative(log)}")
