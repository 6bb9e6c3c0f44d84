"""`docker build`, `push`, `pull` and `image inspect` by Docker itself: images lie in the registry of this cloud, manifests in ECR."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from localcloud.ecr.docker import Refused, registry

# The classic builder knows no provenance (it makes no index), no other output, no secrets and no mounts.
OF_BUILDX = {"--provenance=false": 1, "--output": 2}  # and how many words each is
OF_ECR = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[\w-]+)\.amazonaws\.com/(?P<rest>.+)")
MOUNT = re.compile(r"^(RUN\s+)(--mount=\S+\s+)+", re.MULTILINE)


def docker() -> str | None:
    """Docker's program, where this build is to use it."""
    return os.environ.get("LOCALCLOUD_DOCKER")


def run(program: str, command: str, words: Sequence[str]) -> None:
    """One command that the stand-in knows, by Docker. Raises Refused when it fails."""
    *options, name = words
    match command:
        case "build":
            build(program, words)
        case "push":
            print(f"{name.rpartition(':')[2]}: digest: {push(program, name)} size: 1")
        case _:
            _run(program, command, *options, _stored(name), stdout=None)


def build(program: str, words: Sequence[str]) -> None:
    """`docker build`, on the machine's own network. Raises Refused when it fails."""
    if _has_buildx(program):
        _run(program, "build", "--network", "host", *words)
        return
    with tempfile.TemporaryDirectory() as folder:
        _run(program, "build", "--network", "host", *_classic(words, Path(folder)))


def push(program: str, name: str) -> str:
    """Push the tagged image to this cloud's registry and register its manifest in ECR; returns its digest."""
    reference = registry.reference(name)
    host = os.environ["LOCALCLOUD_REGISTRY"]
    path = f"{reference['account']}/{reference['region']}/{reference['repository']}"
    stored = _stored(name)
    _run(program, "tag", name, stored)
    _run(program, "push", stored)
    accepted = urllib.request.Request(f"http://{host}/v2/{path}/manifests/{reference['tag']}", headers={"Accept": registry.MANIFEST})
    with urllib.request.urlopen(accepted) as answer:  # noqa: S310 - the same
        manifest, digest = answer.read().decode(), str(answer.headers["Docker-Content-Digest"])
    return registry.register(reference, manifest, digest)


def _stored(name: str) -> str:
    """How an image of an ECR repository is called in this cloud's registry; any other keeps its name."""
    match = OF_ECR.fullmatch(name)
    return f"{os.environ['LOCALCLOUD_REGISTRY']}/{match['account']}/{match['region']}/{match['rest']}" if match else name


def _classic(words: Sequence[str], folder: Path) -> list[str]:
    """What the classic builder understands of a `docker build`: the same image, from a Dockerfile without mounts."""
    if "--secret" in words:
        raise Refused("this Docker has no BuildKit, which a build with secrets takes: install docker-buildx")
    kept = list(words)
    for word, length in OF_BUILDX.items():
        if word in kept:
            del kept[kept.index(word) : kept.index(word) + length]
    place = next((kept.index(flag) + 1 for flag in ("--file", "-f") if flag in kept), None)
    written = Path(kept[place]) if place else Path(kept[-1], "Dockerfile")
    plain = folder / "Dockerfile"
    plain.write_text(MOUNT.sub(r"\1", written.read_text()))
    rest = [*kept[: place - 1], *kept[place + 1 :]] if place else kept
    return ["--file", str(plain), *rest]


def _has_buildx(program: str) -> bool:
    return subprocess.run([program, "buildx", "version"], capture_output=True, check=False).returncode == 0


def _run(program: str, *words: str, stdout: TextIO | None = sys.stderr) -> None:
    if code := subprocess.run([program, *words], stdout=stdout, check=False).returncode:
        raise Refused(f"{words[0]} failed with exit code {code}: its last lines are above")
