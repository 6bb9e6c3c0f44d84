"""What a build holds of its machine's memory and disk, as far as is looked at, and whether that is more than there is."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from pathlib import Path

from localcloud.codebuild.compute import GB, GIB, Machine
from localcloud.core import process_trees

SHARE = 0.02  # of the time, that may be spent on looking at the disk


class Usage:
    """`memory` and `disk` are the most bytes that were seen: of a tree of processes, and of all that lies in `folders`."""

    def __init__(self, machine: Machine, folders: Iterable[Path]) -> None:
        self.machine, self.memory, self.disk = machine, 0, 0
        self._folders, self._next = list(folders), 0.0

    def look(self, pid: int) -> None:
        """Look at the process with all that it has started, and now and then at the folders."""
        self.memory = max(self.memory, process_trees.memory(pid))
        began = time.monotonic()
        if began >= self._next:
            self.disk = max(self.disk, sum(map(_held, self._folders)))
            now = time.monotonic()
            self._next = now + (now - began) / SHARE

    @property
    def over(self) -> str | None:
        """Why the build cannot go on, if it cannot."""
        machine = self.machine
        if self.memory > machine.memory:
            held, most = _in(self.memory, GIB), _in(machine.memory, GIB)
            why = f"killed for memory: held {held} GiB, more than the {most} GiB of {machine.kind}"
        elif self.disk > machine.disk:
            held, most = _in(self.disk, GB), _in(machine.disk, GB)
            why = f"no space left on device: wrote {held} GB, more than the {most} GB of {machine.kind}"
        else:
            return None
        return f"{why}: choose a larger compute type, or need less"

    def __str__(self) -> str:
        machine = self.machine
        return (
            f"Held {_in(self.memory, GIB)} GiB of memory and {_in(self.disk, GB)} GB of disk at most;"
            f" {machine.kind} has {_in(machine.memory, GIB)} GiB and {_in(machine.disk, GB)} GB"
        )


def _in(size: int, unit: int) -> str:
    return f"{size / unit:.2g}" if size < 100 * unit else f"{size / unit:.0f}"


def _held(folder: Path) -> int:
    """Bytes on the disk; a file that has several names there counts once."""
    sizes: dict[int, int] = {}
    folders = [str(folder)]
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:  # it may be removed while it is looked at
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    with contextlib.suppress(OSError):
                        sizes[entry.inode()] = entry.stat(follow_symlinks=False).st_blocks * 512
    return sum(sizes.values())
