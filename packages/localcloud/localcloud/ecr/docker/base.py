"""What stands in for a base image: a Python of this machine. There is no registry to pull another from."""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
from functools import cache
from pathlib import Path

PYTHON = re.compile(r"(?:^|/)python(?::(?P<version>\d+\.\d+)[^@]*)?(?:@(?P<digest>sha256:[0-9a-f]{64}))?$")


def version(image: str) -> str | None:
    """The Python of a base image, `3.11`; this one's where it says none, and None where it is no image of Python."""
    match = PYTHON.search(image)
    return (match["version"] or f"{sys.version_info.major}.{sys.version_info.minor}") if match else None


def program(python: str) -> str:
    """The interpreter that stands in for a version: this one where the machine has no such."""
    return shutil.which(f"python{python}") or sys.executable


@cache
def digest(python: str) -> str:
    """What the stand-in is known by: the digest of the interpreter itself."""
    return f"sha256:{hashlib.sha256(Path(program(python)).resolve().read_bytes()).hexdigest()}"
