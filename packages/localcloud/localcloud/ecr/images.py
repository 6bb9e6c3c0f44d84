"""Finds the image that an ECR URI names, for the role that pulls it, and says how to run it as a container would."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from moto.ecr.models import ecr_backends

from localcloud.core.cloud import cloud, machine_environment
from localcloud.core.errors import invalid
from localcloud.core.processes import Process, spawn
from localcloud.ecr import host_names
from localcloud.ecr.containers import ContainerImage
from localcloud.iam import policies

BY_DIGEST = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[\w-]+)\.amazonaws\.com/(?P<name>[\w./-]+)@(?P<digest>sha256:[0-9a-f]{64})"
)
MACHINE = ("LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
ML = "/opt/ml"
PULL = "ecr:BatchGetImage"


@dataclass(frozen=True)
class Image:
    """A built image: its files, its virtual environment and its configuration."""

    rootfs: Path
    venv: Path
    env: Mapping[str, str]
    entrypoint: Sequence[str]
    cmd: Sequence[str]
    workdir: str

    @property
    def cwd(self) -> Path:
        return self.rootfs / self.workdir.lstrip("/")

    def start(
        self,
        arguments: Sequence[str],
        *variables: Mapping[str, str],
        entrypoint: Sequence[str] | None = None,
        ml: Path,
        isolated: bool,
        hosts: Sequence[str] = (),
        on_line: Callable[[str], None],
    ) -> Process:
        """Run it as a container would, with `ml` for /opt/ml, where several `hosts` know each other by name.

        An isolated one is given no credentials, but has this machine's network.
        """
        command = host_names.command(self.command(arguments, entrypoint=entrypoint, ml=ml), hosts, ml.parent)
        return spawn(command, env=self.environment(*variables, ml=ml), cwd=self.cwd, on_line=on_line)

    def command(self, arguments: Sequence[str], *, entrypoint: Sequence[str] | None = None, ml: Path) -> list[str]:
        """What to execute: the entry point (the image's, unless given) and the arguments (CMD when there are none)."""
        words = [*(entrypoint or self.entrypoint), *(arguments or ([] if entrypoint else self.cmd))]
        if not words:
            raise invalid("the image has no ENTRYPOINT, and none is given")
        program, *rest = (self.inside(word, ml) for word in words)
        own = self.venv / "bin" / program
        return [str(own) if own.exists() else program, *rest]

    def environment(self, *variables: Mapping[str, str], ml: Path) -> dict[str, str]:
        """What a container would see: the image's variables, then `variables`, and nothing of localcloud's own."""
        machine = {k: v for k, v in machine_environment().items() if k in MACHINE}
        declared = {k: v for several in (self.env, *variables) for k, v in several.items()}
        return {
            **machine,
            "HOME": str(ml),
            **{k: os.pathsep.join(self.inside(part, ml) for part in v.split(":")) if v.startswith("/") else v for k, v in declared.items()},
            "PATH": f"{self.venv / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "ML_ROOT": str(ml),
        }

    def inside(self, word: str, ml: Path) -> str:
        """A path of the container as the path on this machine; other words stay as they are."""
        if word == ML or word.startswith(f"{ML}/"):
            return f"{ml}{word.removeprefix(ML)}"
        return f"{self.rootfs}{word}" if word.startswith("/") and (self.rootfs / word.lstrip("/")).exists() else word


def account_of(uri: str) -> str:
    """The account whose registry an image lies in. Raises an AWS error where it is not named by digest."""
    match = BY_DIGEST.fullmatch(uri)
    if not match:
        raise invalid(f"image {uri} is not named by digest (ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY@sha256:…)")
    return match["account"]


def find(uri: str, *, role_arn: str) -> Image | ContainerImage:
    """The image at `uri`, pulled as `role_arn`. Raises an AWS error when it is not there or may not be pulled."""
    match = BY_DIGEST.fullmatch(uri)
    if not match:
        raise invalid(f"image {uri} is not named by digest (ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY@sha256:…)")
    _pull(uri, match, role_arn)
    if engine := cloud().engine:
        stored = engine.reference(account=match["account"], region=match["region"], repository=match["name"])
        return ContainerImage(engine, f"{stored}@{match['digest']}")
    store = cloud().folder("images")
    identity = store / "digests" / match["digest"]
    if not identity.exists():
        raise invalid(f"image {uri} was not built on this machine: localcloud runs the images of its own docker only")
    folder = store / "images" / identity.read_text().removeprefix("sha256:")
    config = json.loads((folder / "config.json").read_text())
    return Image(
        rootfs=folder / "rootfs",
        venv=store / "layers" / config["layer"] / "venv",
        env=config["env"],
        entrypoint=config["entrypoint"],
        cmd=config["cmd"],
        workdir=config["workdir"],
    )


def _pull(uri: str, match: re.Match[str], role_arn: str) -> None:
    name, digest, owner = match["name"], match["digest"], match["account"]
    repository = ecr_backends[owner][match["region"]].repositories.get(name)
    if repository is None or digest not in {i.get_image_digest() for i in repository.images}:
        raise invalid(f"Requested image {uri} not found.")
    arn = f"arn:aws:ecr:{match['region']}:{owner}:repository/{name}"
    if not policies.role_allows(role_arn, action=PULL, resource=arn):
        raise invalid(f"role {role_arn} is not allowed {PULL} on {arn}")
    if role_arn.split(":")[4] != owner and not policies.lets_in(repository.policy, caller=role_arn, action=PULL):
        raise invalid(f"the policy of repository {name} in account {owner} does not let {role_arn} pull {uri}")
