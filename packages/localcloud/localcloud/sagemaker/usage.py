"""What an instance's processes use of this machine, from /proc; where there is none, nothing is known."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from localcloud.core.process_trees import PROC, tree

TICKS = os.sysconf("SC_CLK_TCK")


class Usage:
    """Remembers the processor time that processes had used, to tell how much they use now."""

    def __init__(self) -> None:
        self._before: dict[int, tuple[float, float]] = {}

    def of(self, pid: int | None, folder: Path) -> dict[str, float]:
        """CPUUtilization (percent of one core), MemoryUtilization and DiskUtilization of a process, all it started, and its files.

        Empty when the process is gone, or seen for the first time.
        """
        processes = list(_spent(pid)) if pid else []
        if not processes or pid is None:
            self._before.pop(pid or 0, None)
            return {}
        now, used = time.monotonic(), sum(cpu for cpu, _ in processes)
        then, before = self._before.get(pid, (now, used))
        self._before[pid] = (now, used)
        if now == then:
            return {}
        return {
            "CPUUtilization": 100 * max(used - before, 0.0) / (now - then),
            "MemoryUtilization": 100 * sum(pages for _, pages in processes) / os.sysconf("SC_PHYS_PAGES"),
            "DiskUtilization": 100 * sum(_sizes(folder)) / shutil.disk_usage(folder).total,
        }


def _sizes(folder: Path) -> Iterator[int]:
    for file in folder.rglob("*"):
        with contextlib.suppress(OSError):  # it may be removed while it is looked at
            yield file.stat().st_size


def _spent(pid: int) -> Iterator[tuple[float, int]]:
    """(seconds of processor time, pages of memory) of a process and of all its descendants."""
    for each in tree(pid):
        with contextlib.suppress(OSError):  # it may end while it is looked at
            fields = (PROC / str(each) / "stat").read_text().rpartition(")")[2].split()
            yield (int(fields[11]) + int(fields[12])) / TICKS, int(fields[21])
