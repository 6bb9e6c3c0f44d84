"""Which disk is full: the system says that one is, and seldom which."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path

from cli.tree import CLOUD, ENVIRONMENT, HERE

FULL = (errno.ENOSPC, errno.EDQUOT)
SAID = tuple(os.strerror(number) for number in FULL)  # how programs that we start say it
LEAST = 1 << 20  # bytes; with fewer left nothing more is written


def said(text: str) -> bool:
    """Whether a program's words say that a disk is full."""
    return any(words in text for words in SAID)


def full(*folders: Path, least: int = LEAST) -> str:
    """Where the road writes, and `folders`: those with less than `least` bytes left on their disk, with commas; empty without any."""
    known = dict.fromkeys([*folders, HERE, CLOUD, ENVIRONMENT, Path(tempfile.gettempdir())])
    return ", ".join(str(folder) for folder in known if _left(folder) < least)


def _left(folder: Path) -> int:
    """Bytes that are left where a folder is, or will be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
