"""`road lock`: every lock of the repository, compiled again from what people write by hand."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from cli import environments, target
from cli.output import say
from cli.problem import Problem
from cli.tree import HERE, relative
from paved_runtime import spec

COMPILE = ("uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url")
OURS = ("--no-emit-package", "paved-runtime")  # an image installs it from the repository
BROWSER = "tests/browser"
STAGE = "requirements-stage.lock"  # a part of requirements.lock, in the same versions


def lock(
    *,
    model: Annotated[str | None, typer.Option(metavar="MODEL", help="Only this model's locks.")] = None,
) -> None:
    """Compile requirements.lock, the models' locks and package-lock.json again. Upgrade by editing what they are made of."""
    locks = _of_model(environments.folder(target.model(model).name)) if model else _every()
    env = environments.installing()
    for made, command in locks:
        done = subprocess.run(command, cwd=HERE, env=env, capture_output=True, text=True)
        if done.returncode:
            lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
            raise Problem(f"{made} was not made", lines[-1] if lines else "it printed nothing", f"run it by hand: {' '.join(command)}")
        say(f"ok  {made}")


def _every() -> Iterator[tuple[str, list[str]]]:
    yield "requirements.lock", [*COMPILE, "pyproject.toml", "-o", "requirements.lock"]
    yield STAGE, [*COMPILE, "--group", "pyproject.toml:stage", "--constraints", "requirements.lock", "-o", STAGE]
    for folder in [
        *map(environments.folder, spec.names()),
        *sorted(file.parent for room in (environments.RUNTIME, environments.CONFORMANCE) for file in room.glob("*/requirements.in")),
    ]:
        yield from _of_model(folder)
    npm = ["npm", "install", "--package-lock-only", "--silent", "--omit-lockfile-registry-resolved"]
    yield "package-lock.json", npm
    if (HERE / BROWSER).is_dir():
        yield f"{BROWSER}/package-lock.json", [*npm, "--prefix", BROWSER]


def _of_model(folder: Path) -> Iterator[tuple[str, list[str]]]:
    for name in ("requirements", "requirements-test"):
        made = f"{relative(folder)}/{name}.lock"
        yield made, [*COMPILE, *OURS, f"{relative(folder)}/{name}.in", "-o", made]
