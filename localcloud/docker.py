"""Stands in for `docker` where there is none: builds Python images as folders, and pushes their manifests to ECR.

An image is a snapshot of the files its Dockerfile copies, and a virtual environment of its own in which the RUN
commands ran, so that a dependency missing from its lock is missing here too. `docker build`, `push` and `login`
are understood as buildspecs use them; anything else is an error that names it. Images live under $LOCALCLOUD_IMAGES:

    layers/KEY/{rootfs,venv}    what the instructions up to the last RUN made; shared by images with the same lock
    images/ID/{rootfs,config.json}    tags/TAG and digests/DIGEST hold the ID of an image
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
REFERENCE = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[\w-]+)\.amazonaws\.com/(?P<repository>[\w./-]+):(?P<tag>[\w.-]+)")
FOREIGN = ("adduser", "addgroup", "apk", "apt", "apt-get", "chown", "dnf", "groupadd", "microdnf", "useradd", "yum")
HARMLESS = ("--chown", "--link")


class Refused(Exception):
    """What cannot be done, in one line."""


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Refused(f"the stand-in for docker does not understand this: {message}")


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
    env: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    entrypoint: list[str] = field(default_factory=list)
    cmd: list[str] = field(default_factory=list)

    def config(self) -> dict[str, Any]:
        return {k: getattr(self, k) for k in ("env", "labels", "workdir", "entrypoint", "cmd")}


class Reader:
    """Reads a Dockerfile against its context. Raises `Refused` with the line of what it does not know."""

    def __init__(self, dockerfile: Path, context: Path, given: dict[str, str]) -> None:
        self.context, self.given = context.resolve(), given
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
        if unused := set(given) - set(self.args):
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
        image = self._fill(rest).split()[0]
        match = re.search(r"(?:^|/)python(?::(\d+\.\d+)[^@]*)?(?:@.*)?$", image)
        if self.recipe.python or not match:
            raise self._refuse(f"FROM {image}: the stand-in makes images from one python image only")
        self.recipe.python = match[1] or f"{sys.version_info.major}.{sys.version_info.minor}"

    def _arg(self, rest: str) -> None:
        name, _, default = rest.partition("=")
        self.args[name] = self.given.get(name, self.args.get(name) or self._fill(default.strip("\"'")))

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
        command = re.sub(r"^(--mount=type=cache\S*\s+)+", "", command)
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
        found = []
        for match in matches:
            if match.is_dir():
                inner = [f for f in self.files if f.is_relative_to(match)]
                found += [Copy(f, f"{target}/{f.relative_to(match)}") for f in inner]
            elif match in self.files:
                found.append(Copy(match, f"{target}/{match.name}" if into else target))
        if not found:
            raise self._refuse(f"COPY {source}: not found in the context {self.context} (or .dockerignore leaves it out)")
        return found


def _context(root: Path, dockerfile: Path) -> list[Path]:
    """The context's files that .dockerignore lets through, sorted."""
    from docker.utils.build import PatternMatcher  # type: ignore[import-untyped]

    ignore = root / ".dockerignore"
    own = dockerfile.with_name(f"{dockerfile.name}.dockerignore")
    lines = next((f.read_text().splitlines() for f in (own, ignore) if f.exists()), [])
    patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    found = sorted(root / name for name in PatternMatcher(patterns).walk(str(root)))
    outside = [f for f in found if not f.resolve().is_relative_to(root)]
    if outside:
        raise Refused(f"{outside[0]} is a link out of the context")
    return [f for f in found if f.is_file()]


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


def build(recipe: Recipe, store: Path) -> str:
    """Make the image; returns its id, `sha256:…`. The same files and instructions give the same id."""
    last = max((i for i, s in enumerate(recipe.steps) if isinstance(s, Run)), default=-1)
    layer = _layer(recipe, recipe.steps[: last + 1], store)
    made = store / "making" / str(os.getpid())
    shutil.rmtree(made, ignore_errors=True)
    shutil.copytree(layer / "rootfs", made / "rootfs", symlinks=True)
    (made / "rootfs" / recipe.workdir.lstrip("/")).mkdir(parents=True, exist_ok=True)
    _place(recipe.steps[last + 1 :], made / "rootfs")
    contents = {str(f.relative_to(made)): hashlib.sha256(f.read_bytes()).hexdigest() for f in _files(made / "rootfs")}
    config = {**recipe.config(), "layer": layer.name, "contents": _digest(f"{k} {v}" for k, v in sorted(contents.items()))}
    identity = _digest([json.dumps(config, sort_keys=True)])
    (made / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True))
    final = store / "images" / identity
    final.parent.mkdir(exist_ok=True)
    if final.exists():
        shutil.rmtree(made)
    else:
        made.rename(final)
    return f"sha256:{identity}"


def _files(folder: Path) -> list[Path]:
    return [f for f in folder.rglob("*") if f.is_file() and "__pycache__" not in f.parts]


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _place(steps: Iterable[Copy | Run], rootfs: Path) -> None:
    for step in steps:
        if isinstance(step, Copy):
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
                    _execute(step, layer)
                else:
                    _place([step], layer / "rootfs")
            (layer / "done").touch()
        else:
            print("CACHED  every RUN instruction", file=sys.stderr)
    return layer


def _make_environment(layer: Path, python: str) -> None:
    found = shutil.which(f"python{python}")
    if not found:
        print(f"warning: python {python} is not on this machine: the image gets {sys.version.split()[0]}", file=sys.stderr)
    subprocess.run([_uv(), "venv", "--quiet", "--no-project", "--python", found or sys.executable, str(layer / "venv")], check=True)
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


def _execute(run: Run, layer: Path) -> None:
    """Run one command in the layer, with the image's absolute paths led into it."""
    rootfs, venv = layer / "rootfs", layer / "venv"
    cwd = rootfs / run.workdir.lstrip("/")
    cwd.mkdir(parents=True, exist_ok=True)

    def led(match: re.Match[str]) -> str:
        path = match[0]
        if path == "/dev/null":
            return path
        if Path(path).is_relative_to(run.workdir) or (rootfs / path.lstrip("/")).exists():
            return f"{rootfs}{path}"
        raise Refused(f"Dockerfile line {run.line}: RUN touches {path}, which is outside the image's WORKDIR {run.workdir}")

    command = re.sub(r"(?<![\w.:/$}])/[\w.-]+(?:/[\w.-]+)*", led, run.command)
    print(f"RUN {run.command}", file=sys.stderr)
    machine = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PYTHON"))}
    paths = [str(layer / "bin"), str(venv / "bin"), machine["PATH"]]
    env = {**machine, **run.env, "VIRTUAL_ENV": str(venv), "PATH": os.pathsep.join(paths)}
    code = subprocess.run(["sh", "-ec", command], cwd=cwd, env=env, stdout=sys.stderr, check=False).returncode
    if code:
        raise Refused(f"Dockerfile line {run.line}: RUN {run.command}: exit code {code}")


def push(tag: str, store: Path) -> str:
    """Register the tagged image in ECR as whoever the environment's AWS_* say; returns its digest."""
    import boto3
    from botocore.exceptions import ClientError

    reference = _reference(tag)
    held = store / "tags" / quote(tag, safe="")
    if not held.exists():
        raise Refused(f"no image is tagged {tag}: docker build -t {tag} first")
    identity = held.read_text()
    config = (store / "images" / identity.removeprefix("sha256:") / "config.json").read_bytes()
    layer = {
        "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "size": 1,
        "digest": f"sha256:{json.loads(config)['contents']}",
    }
    about = {"mediaType": "application/vnd.docker.container.image.v1+json", "size": len(config), "digest": identity}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": about, "layers": [layer]}, indent=3)
    digest = f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"
    _write(store / "digests" / digest, identity)
    ecr = boto3.client("ecr", region_name=reference["region"])
    try:
        put = ecr.put_image(
            registryId=reference["account"],
            repositoryName=reference["repository"],
            imageTag=reference["tag"],
            imageManifest=manifest,
            imageManifestMediaType=MANIFEST,
            imageDigest=digest,
        )
    except ClientError as problem:
        raise Refused(f"push {tag}: {problem.response['Error']['Code']}: {problem.response['Error']['Message']}") from problem
    if put["image"]["registryId"] != reference["account"]:
        raise Refused(f"push {tag}: these credentials are of account {put['image']['registryId']}")
    return digest


def _reference(tag: str) -> re.Match[str]:
    match = REFERENCE.fullmatch(tag)
    if not match:
        raise Refused(f"{tag} does not name an ECR image (ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY:TAG)")
    return match


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = Parser(prog="docker", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    login = commands.add_parser("login", allow_abbrev=False)
    login.add_argument("--username", choices=["AWS"], required=True)
    login.add_argument("--password-stdin", action="store_true", required=True)
    login.add_argument("host")
    make = commands.add_parser("build", allow_abbrev=False)
    make.add_argument("-f", "--file", type=Path)
    make.add_argument("-t", "--tag", required=True)
    make.add_argument("--platform", choices=["linux/amd64"])
    make.add_argument("--provenance", choices=["false"])
    make.add_argument("--output", choices=["type=docker"])
    make.add_argument("--build-arg", action="append", default=[])
    make.add_argument("context", type=Path)
    commands.add_parser("push", allow_abbrev=False).add_argument("tag")
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    if argv == ["--version"]:
        print("Docker version 0, localcloud's stand-in")
        return 0
    given = _arguments(argv)
    store = Path(os.environ["LOCALCLOUD_IMAGES"])
    if given.command == "login":
        if not sys.stdin.read().strip():
            raise Refused("login: the password on standard input is empty")
        print("Login Succeeded")
    elif given.command == "build":
        if wrong := [a for a in given.build_arg if "=" not in a]:
            raise Refused(f"--build-arg {wrong[0]}: expected NAME=value")
        dockerfile = given.file or given.context / "Dockerfile"
        identity = build(Reader(dockerfile, given.context, dict(a.split("=", 1) for a in given.build_arg)).recipe, store)
        _write(store / "tags" / quote(given.tag, safe=""), identity)
        print(identity)
    else:
        digest = push(given.tag, store)
        print(f"{given.tag.rpartition(':')[2]}: digest: {digest} size: 1")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (Refused, OSError, subprocess.CalledProcessError) as problem:
        print(f"docker: {problem}", file=sys.stderr)
        sys.exit(1)
