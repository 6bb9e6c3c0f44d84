"""Images for tests, built and pushed by the docker of localcloud's builds: its own, or the machine's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from localcloud.ecr.docker import BIN

IMAGE = Path(__file__).with_name("image")


@dataclass(frozen=True)
class Docker:
    """docker, as somebody with `keys` (AWS_*) of the cloud at `url` runs it.

    `images` is that cloud's store; `engine` says of its Docker, where it has one.
    """

    url: str
    keys: Mapping[str, str]
    images: Path
    engine: Mapping[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """`docker ARGUMENTS`, to its end."""
        own = {"AWS_ENDPOINT_URL": self.url, "LOCALCLOUD_PYTHON": sys.executable, "LOCALCLOUD_IMAGES": str(self.images), **self.engine}
        kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        command = [str(BIN / "docker"), *arguments]
        return subprocess.run(command, env={**kept, **self.keys, **own}, input=stdin, capture_output=True, text=True, check=False)

    def image(self, name: str, context: Path = IMAGE) -> str:
        """Build a folder's image and push it to a repository that is there; `name` has a tag. Returns its URI, by digest."""
        self._succeed("build", "-t", name, str(context))
        pushed = self._succeed("push", name)
        return f"{name.rpartition(':')[0]}@{pushed.split('digest: ')[1].split()[0]}"

    def _succeed(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout
