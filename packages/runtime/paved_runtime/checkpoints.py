"""What training keeps, so that a machine that is taken away costs minutes and not the whole job.

SageMaker copies the folder to S3 while the job runs, file by file and at any moment, and brings everything back when the job begins again:
half a file may come back, and what was removed meanwhile. So a checkpoint is one file, whose name says what it is of, how far training was,
and what its bytes are; a file that is not what its name says is none.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

NAME = re.compile(r"(?P<origin>[0-9a-f]{16})-(?P<step>\d{10})-(?P<sha256>[0-9a-f]{64})")
KEPT = 2  # the last one, and one before it, should that one be damaged
BLOCK = 2**20


class CheckpointError(ValueError):
    """Checkpoints that are another training's."""


@dataclass(frozen=True, kw_only=True)
class Checkpoints:
    """A training's checkpoints in `folder`; where that is None, nothing is kept.

    `origin` is what the training is made of: its commit, data set, image and hyperparameters. Of several hosts only one `writes`, and all
    read the same: what the others find when they begin is what that one had saved.
    """

    folder: Path | None = None
    origin: Mapping[str, str] = field(default_factory=dict)
    writes: bool = True

    def latest(self) -> Path | None:
        """The file that was saved after the most steps, of those that are whole; None where there is none.

        Raises:
            CheckpointError: one is of another commit, data set, image or hyperparameters: to go on from it would train something else.
        """
        for name in sorted(self._names(), key=lambda name: int(name["step"]), reverse=True):
            file = self._file(name[0])
            if _sha256(file) == name["sha256"]:
                return file
            print(f"checkpoint {file.name} is not whole: an earlier one is taken", flush=True)
        return None

    def save(self, step: int, write: Callable[[Path], object]) -> None:
        """Keep what `write` writes to the file that it is given, as the state after `step` steps. Older checkpoints go.

        The file has its name from the moment on that it is whole.
        """
        if self.folder is None or not self.writes:
            return
        draft = self.folder / f".{step}"
        write(draft)
        kept = draft.replace(self._file(f"{self._origin}-{step:010d}-{_sha256(draft)}"))
        names = sorted(self._names(), key=lambda name: int(name["step"]))
        for name in names[:-KEPT]:
            self._file(name[0]).unlink()
        print(f"checkpoint of step {step}: {kept.name}", flush=True)

    @property
    def _origin(self) -> str:
        return hashlib.sha256(json.dumps(dict(self.origin), sort_keys=True).encode()).hexdigest()[:16]

    def _file(self, name: str) -> Path:
        assert self.folder is not None
        return self.folder / name

    def _names(self) -> list[re.Match[str]]:
        if self.folder is None or not self.folder.is_dir():
            return []
        names = [match for file in self.folder.iterdir() if (match := NAME.fullmatch(file.name))]
        for name in names:
            if name["origin"] != self._origin:
                own = ", ".join(f"{key} {value}" for key, value in self.origin.items())
                raise CheckpointError(f"checkpoint {name[0]} is not of this training ({own}): give the job a prefix that no other has used")
        return names


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
