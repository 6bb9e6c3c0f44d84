"""Reads a Dockerfile against its context: what is done in order, and the configuration that is left."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localcloud.ecr.docker import Refused, base

HARMLESS = ("--chown", "--link")
PREDEFINED = {name for proxy in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY") for name in (proxy, proxy.lower())}  # no ARG, and in no image


@dataclass(frozen=True)
class Copy:
    """A file of the context and where it goes in the image."""

    source: Path
    target: str

    def text(self) -> str:
        return f"COPY {self.target} {os.access(self.source, os.X_OK)} {hashlib.sha256(self.source.read_bytes()).hexdigest()}"


@dataclass(frozen=True)
class Run:
    """A shell command, the environment it sees and the folder it runs in."""

    command: str
    env: dict[str, str]
    workdir: str
    line: int

    def text(self) -> str:
        return f"RUN {self.workdir} {json.dumps(self.env, sort_keys=True)} {self.command}"


@dataclass
class Recipe:
    """A Dockerfile that was read: what is done in order, and the configuration it leaves."""

    steps: list[Copy | Run] = field(default_factory=list)
    python: str = ""
    base: str = ""  # the digest of what stands in for the base image
    env: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    entrypoint: list[str] = field(default_factory=list)
    cmd: list[str] = field(default_factory=list)

    def config(self) -> dict[str, Any]:
        return {k: getattr(self, k) for k in ("base", "env", "labels", "workdir", "entrypoint", "cmd")}


class Reader:
    """Reads a Dockerfile against its context. Raises `Refused` with the line of what it does not know."""

    def __init__(self, dockerfile: Path, context: Path, arguments: dict[str, str]) -> None:
        self.context, self.arguments = context.resolve(), arguments
        self.args: dict[str, str] = {}
        self.recipe = Recipe()
        self.files = _context(self.context, dockerfile)
        for self.line, name, rest in _instructions(dockerfile.read_text()):
            method = getattr(self, f"_{name.lower()}", None)
            if method is None or name != name.upper():
                raise self._refuse(f"unknown instruction {name}")
            method(rest)
        if not self.recipe.python:
            raise Refused(f"{dockerfile} has no FROM")
        if unused := set(arguments) - set(self.args) - PREDEFINED:
            raise Refused(f"--build-arg {', '.join(sorted(unused))} is not an ARG of {dockerfile}")

    def _refuse(self, why: str) -> Refused:
        return Refused(f"Dockerfile line {self.line}: {why}")

    def _fill(self, text: str) -> str:
        known = {**self.args, **self.recipe.env}

        def value(match: re.Match[str]) -> str:
            return known.get(match[1] or match[3]) or match[2] or ""

        return re.sub(r"\$(?:\{(\w+)(?::-([^}]*))?\}|(\w+))", value, text)

    def _pairs(self, rest: str) -> dict[str, str]:
        words = shlex.split(rest)
        if len(words) == 2 and "=" not in words[0]:
            words = ["=".join(words)]
        if wrong := [w for w in words if "=" not in w]:
            raise self._refuse(f"expected NAME=value, found {wrong[0]}")
        return {k: self._fill(v) for k, v in (w.split("=", 1) for w in words)}

    def _exec_form(self, rest: str) -> list[str]:
        try:
            words = json.loads(rest)
        except ValueError:
            words = None
        if not isinstance(words, list):
            raise self._refuse(f'the exec form is needed, ["program", "argument"], found {rest}')
        return [str(w) for w in words]

    def _inside(self, path: str) -> str:
        return os.path.normpath(os.path.join(self.recipe.workdir, path))  # noqa: PTH118  a path in the image, not on this machine

    def _from(self, rest: str) -> None:
        image = self._fill(rest).partition(" ")[0]
        if not image:
            raise self._refuse(f"FROM {rest}: it has no value: --build-arg")
        python = base.version(image)
        if self.recipe.python or python is None:
            raise self._refuse(f"FROM {image}: the stand-in makes images from one python image only")
        self.recipe.python, self.recipe.base = python, base.digest(python)
        if "@" in image and not image.endswith(f"@{self.recipe.base}"):
            print(f"FROM {image}: {base.program(python)} stands in for it", file=sys.stderr)

    def _arg(self, rest: str) -> None:
        name, _, default = rest.partition("=")
        self.args[name] = self.arguments.get(name, self.args.get(name) or self._fill(default.strip("\"'")))

    def _env(self, rest: str) -> None:
        self.recipe.env.update(self._pairs(rest))

    def _label(self, rest: str) -> None:
        self.recipe.labels.update(self._pairs(rest))

    def _expose(self, _rest: str) -> None:
        """A note to readers; SageMaker says which port."""

    def _workdir(self, rest: str) -> None:
        self.recipe.workdir = self._inside(self._fill(rest))

    def _entrypoint(self, rest: str) -> None:
        self.recipe.entrypoint = self._exec_form(rest)

    def _cmd(self, rest: str) -> None:
        self.recipe.cmd = self._exec_form(rest)

    def _run(self, rest: str) -> None:
        command = " ".join(json.loads(rest)) if rest.startswith("[") else rest
        command = re.sub(r"^(--mount=type=(cache|secret)\S*\s+)+", "", command)  # a secret is an environment variable here anyway
        if command.startswith("--") or "<<" in command:
            raise self._refuse(f"RUN with {command.split()[0]} or a here-document is not understood")
        self.recipe.steps.append(Run(command, {**self.args, **self.recipe.env}, self.recipe.workdir, self.line))

    def _copy(self, rest: str) -> None:
        words = shlex.split(self._fill(rest))
        while words[0].startswith("--"):
            if words[0].split("=")[0] not in HARMLESS:
                raise self._refuse(f"COPY {words[0]} is not understood")
            words.pop(0)
        *sources, target = words
        into = target.endswith("/") or target == "." or len(sources) > 1
        for source in sources:
            self.recipe.steps += self._copies(source, self._inside(target), into)

    def _copies(self, source: str, target: str, into: bool) -> list[Copy]:
        pattern = os.path.normpath(source.lstrip("/") or ".")
        matches = sorted(self.context.glob(pattern)) if pattern != "." else [self.context]
        copies = []
        for match in matches:
            if match.is_dir():
                inner = [f for f in self.files if f.is_relative_to(match)]
                copies += [Copy(f, f"{target}/{f.relative_to(match)}") for f in inner]
            elif match in self.files:
                copies.append(Copy(match, f"{target}/{match.name}" if into else target))
        if not copies:
            raise self._refuse(f"COPY {source}: not found in the context {self.context} (or .dockerignore leaves it out)")
        return copies


def _context(root: Path, dockerfile: Path) -> list[Path]:
    """The context's files that .dockerignore lets through, sorted."""
    from docker.utils.build import PatternMatcher  # type: ignore[import-untyped]  # the client library of the same name: a second's import

    ignore = root / ".dockerignore"
    own = dockerfile.with_name(f"{dockerfile.name}.dockerignore")
    lines = next((f.read_text().splitlines() for f in (own, ignore) if f.exists()), [])
    patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    paths = sorted(root / name for name in PatternMatcher(patterns).walk(str(root)))
    outside = [path for path in paths if not path.resolve().is_relative_to(root)]
    if outside:
        raise Refused(f"{outside[0]} is a link out of the context")
    return [path for path in paths if path.is_file()]


def _instructions(text: str) -> Iterator[tuple[int, str, str]]:
    """Line number, instruction and the rest; lines that end in a backslash are joined."""
    pending, start = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or (not line.strip() and not pending):
            continue
        start = start or number
        pending += line.rstrip().removesuffix("\\").strip() + " "
        if not line.rstrip().endswith("\\"):
            name, _, rest = pending.strip().partition(" ")
            yield start, name, rest.strip()
            pending, start = "", 0
