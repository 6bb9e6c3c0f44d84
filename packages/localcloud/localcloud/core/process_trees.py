"""A process with all that it has started, as Linux's /proc tells of them; elsewhere nothing is known."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
UNRECLAIMABLE = ("Pss_Anon:", "Pss_Shmem:")


def tree(pid: int) -> Iterator[int]:
    """The process and its descendants, whichever of its threads has started them."""
    with contextlib.suppress(OSError):  # it may end while it is looked at
        children = [child for task in (PROC / str(pid) / "task").iterdir() for child in (task / "children").read_text().split()]
        yield pid
        for child in children:
            yield from tree(int(child))


def memory(pid: int) -> int:
    """Bytes that the tree holds and the kernel cannot take back: what processes share counts once, what is a file's cache does not."""
    return sum(map(_held, tree(pid)))


def _held(pid: int) -> int:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:  # it has ended
        return 0
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith(UNRECLAIMABLE))
