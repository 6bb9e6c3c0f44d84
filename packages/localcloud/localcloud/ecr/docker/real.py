"""`docker build` and `push` by Docker itself: its image goes to the registry of this cloud, and its manifest to ECR."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Sequence

from localcloud.ecr.docker import Refused, registry

OF_BUILDX = ("--provenance=false",)  # the classic builder knows no provenance, and makes no index
OUTPUT = ["--output", "type=docker"]  # nor another output


def docker() -> str | None:
    """Docker's program, where this build is to use it."""
    return os.environ.get("LOCALCLOUD_DOCKER")


def build(program: str, words: Sequence[str]) -> None:
    """`docker build`, on the machine's own network. Raises Refused when it fails."""
    _run(program, "build", "--network", "host", *(words if _has_buildx(program) else _classic(words)))


def push(program: str, name: str) -> str:
    """Push the tagged image to this cloud's registry and register its manifest in ECR; returns its digest."""
    reference = registry.reference(name)
    host = os.environ["LOCALCLOUD_REGISTRY"]
    path = f"{reference['account']}/{reference['region']}/{reference['repository']}"
    stored = f"{host}/{path}:{reference['tag']}"
    _run(program, "tag", name, stored)
    _run(program, "push", stored)
    accepted = urllib.request.Request(f"http://{host}/v2/{path}/manifests/{reference['tag']}", headers={"Accept": registry.MANIFEST})
    with urllib.request.urlopen(accepted) as answer:  # noqa: S310 - the same
        manifest, digest = answer.read().decode(), str(answer.headers["Docker-Content-Digest"])
    return registry.register(reference, manifest, digest)


def _classic(words: Sequence[str]) -> list[str]:
    kept = [word for word in words if word not in OF_BUILDX]
    for place in range(len(kept) - 1, -1, -1):
        if kept[place : place + 2] == OUTPUT:
            del kept[place : place + 2]
    return kept


def _has_buildx(program: str) -> bool:
    return subprocess.run([program, "buildx", "version"], capture_output=True, check=False).returncode == 0


def _run(program: str, *words: str) -> None:
    if code := subprocess.run([program, *words], stdout=sys.stderr, check=False).returncode:
        raise Refused(f"{words[0]} failed with exit code {code}: its last lines are above")
