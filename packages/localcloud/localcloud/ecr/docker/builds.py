"""Makes an image of what a Dockerfile says: a folder with its files, over a layer with the environment that its RUN commands made."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from localcloud.ecr.docker import Refused, base
from localcloud.ecr.docker.dockerfile import Copy, Recipe, Run

COMPILES = re.compile(r"python3? -m compileall [\w ./-]+")  # writes byte code and nothing else
FOREIGN = ("adduser", "addgroup", "apk", "apt", "apt-get", "chown", "dnf", "groupadd", "microdnf", "useradd", "yum")


def build(recipe: Recipe, store: Path) -> str:
    """Make the image; returns its id, `sha256:…`. The same files and instructions give the same id."""
    last = max((i for i, s in enumerate(recipe.steps) if isinstance(s, Run) and not COMPILES.fullmatch(s.command)), default=-1)
    layer = _layer(recipe, recipe.steps[: last + 1], store)
    draft = store / "making" / str(os.getpid())
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(layer / "rootfs", draft / "rootfs", symlinks=True)
    (draft / "rootfs" / recipe.workdir.lstrip("/")).mkdir(parents=True, exist_ok=True)
    _finish(recipe.steps[last + 1 :], draft / "rootfs", layer)
    contents = {str(f.relative_to(draft)): hashlib.sha256(f.read_bytes()).hexdigest() for f in _files(draft / "rootfs")}
    config = {**recipe.config(), "layer": layer.name, "contents": _digest(f"{k} {v}" for k, v in sorted(contents.items()))}
    identity = _digest([json.dumps(config, sort_keys=True)])
    (draft / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True))
    final = store / "images" / identity
    final.parent.mkdir(exist_ok=True)
    if final.exists():
        shutil.rmtree(draft)
    else:
        draft.rename(final)
    return f"sha256:{identity}"


def _files(folder: Path) -> list[Path]:
    return [f for f in folder.rglob("*") if f.is_file() and "__pycache__" not in f.parts]


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _finish(steps: Iterable[Copy | Run], rootfs: Path, layer: Path) -> None:
    for step in steps:
        if isinstance(step, Run):
            _execute(step, rootfs, layer)
        else:
            _place(step, rootfs)


def _place(step: Copy, rootfs: Path) -> None:
    target = rootfs / step.target.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(step.source, target)


def _layer(recipe: Recipe, steps: list[Copy | Run], store: Path) -> Path:
    """The folder with the environment that `steps` make; made once, whoever asks first."""
    layer = store / "layers" / _digest([recipe.python, *(s.text() for s in steps)])
    layer.parent.mkdir(parents=True, exist_ok=True)
    with layer.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (layer / "done").exists():
            shutil.rmtree(layer, ignore_errors=True)
            (layer / "rootfs").mkdir(parents=True)
            _make_environment(layer, recipe.python)
            for step in steps:
                if isinstance(step, Run):
                    _execute(step, layer / "rootfs", layer)
                else:
                    _place(step, layer / "rootfs")
            (layer / "done").touch()
        else:
            print("CACHED  every RUN instruction but compiling", file=sys.stderr)
    return layer


def _make_environment(layer: Path, python: str) -> None:
    if not shutil.which(f"python{python}"):
        print(f"warning: python {python} is not on this machine: the image gets {sys.version.split()[0]}", file=sys.stderr)
    subprocess.run([_uv(), "venv", "--quiet", "--no-project", "--python", base.program(python), str(layer / "venv")], check=True)
    shims = layer / "bin"
    shims.mkdir()
    pip = f'#!/bin/sh\nfor a; do shift; [ "$a" = --no-cache-dir ] || set -- "$@" "$a"; done\nexec {shlex.quote(_uv())} pip "$@"\n'
    foreign = '#!/bin/sh\necho "the stand-in for docker has no operating system to change: ${0##*/}" >&2\nexit 1\n'
    for name, text in {"pip": pip, "pip3": pip, **dict.fromkeys(FOREIGN, foreign)}.items():
        (shims / name).write_text(text)
        (shims / name).chmod(0o755)


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv") or "uv"


def _wheels(machine: Mapping[str, str]) -> dict[str, str]:
    """What is pip here is uv, which reads a variable of its own where wheels lie beside the index."""
    links = machine.get("PIP_FIND_LINKS", "").split()
    return {"UV_FIND_LINKS": ",".join(links)} if links else {}


def _execute(run: Run, rootfs: Path, layer: Path) -> None:
    """Run one command on these files, in the layer's environment, with the image's absolute paths led into them."""
    venv = layer / "venv"
    cwd = rootfs / run.workdir.lstrip("/")
    cwd.mkdir(parents=True, exist_ok=True)

    def inside(match: re.Match[str]) -> str:
        path = match[0]
        if path == "/dev/null":
            return path
        if Path(path).is_relative_to(run.workdir) or (rootfs / path.lstrip("/")).exists():
            return f"{rootfs}{path}"
        raise Refused(f"Dockerfile line {run.line}: RUN touches {path}, which is outside the image's WORKDIR {run.workdir}")

    command = re.sub(r"(?<![\w.:/$}])/[\w.-]+(?:/[\w.-]+)*", inside, run.command)
    print(f"RUN {run.command}", file=sys.stderr)
    machine = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PYTHON"))}
    paths = [str(layer / "bin"), str(venv / "bin"), machine["PATH"]]
    env = {**_wheels(machine), **machine, **run.env, "VIRTUAL_ENV": str(venv), "PATH": os.pathsep.join(paths)}
    code = subprocess.run(["sh", "-ec", command], cwd=cwd, env=env, stdout=sys.stderr, check=False).returncode
    if code:
        raise Refused(f"Dockerfile line {run.line}: RUN {run.command}: exit code {code}")
