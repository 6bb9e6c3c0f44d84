"""`road lock`: every lock of the repository, compiled again from what people write by hand."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

from cli.output import say
from cli.problem import Problem
from cli.tree import HERE
from model_code import spec

COMPILE = ("uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url")


def lock() -> None:
    """Compile requirements.lock, the models' locks and package-lock.json again. Upgrade by editing what they are made of."""
    for made, command in _locks():
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True)
        if done.returncode:
            lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
            raise Problem(f"{made} was not made", lines[-1] if lines else "it printed nothing", f"run it by hand: {' '.join(command)}")
        say(f"ok  {made}")


def _locks() -> Iterator[tuple[str, list[str]]]:
    yield "requirements.lock", [*COMPILE, "pyproject.toml", "-o", "requirements.lock"]
    for model in spec.names():
        for name in ("requirements", "requirements-test"):
            made = f"model_code/{model}/{name}.lock"
            yield made, [*COMPILE, f"model_code/{model}/{name}.in", "-o", made]
    npm = ["npm", "install", "--package-lock-only", "--silent", "--omit-lockfile-registry-resolved"]
    yield "package-lock.json", npm
    yield "tests/browser/package-lock.json", [*npm, "--prefix", "tests/browser"]
