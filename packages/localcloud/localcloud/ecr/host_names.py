"""The names of a job's hosts: `algo-1` finds `algo-2` by its name, as on SageMaker's network.

Each host is an address of the loopback, so that two of them can listen on one port. The names are in a file that lies over /etc/hosts for
the job's processes alone, in a mount namespace of theirs. That takes root; without it a job on several hosts runs all the same, and its
hosts have no names.
"""

from __future__ import annotations

import functools
import logging
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

HOSTS = Path("/etc/hosts")
UNSHARE = ("unshare", "--mount", "--propagation", "private")
OVERLAY = 'mount --bind "$0" /etc/hosts && exec "$@"'


def address(number: int) -> str:
    """The address of the `number`-th host, from 1."""
    return f"127.0.1.{number}"


def command(argv: Sequence[str], hosts: Sequence[str], folder: Path) -> list[str]:
    """`argv` as it runs where the names of several `hosts` are known; `folder` is the job's own."""
    if len(hosts) < 2:
        return list(argv)
    if not _possible():
        logging.getLogger(__name__).warning("%s: %s have no names: that takes root and unshare", folder.name, ", ".join(hosts))
        return list(argv)
    lines = [f"{address(number)} {host}\n" for number, host in enumerate(hosts, start=1)]
    file = folder / "hosts"
    file.write_text((HOSTS.read_text() if HOSTS.exists() else "") + "".join(lines))
    return [*UNSHARE, "sh", "-c", OVERLAY, str(file), *argv]


@functools.cache
def _possible() -> bool:
    """Whether this machine gives a process its own view of a file."""
    if not shutil.which(UNSHARE[0]) or not HOSTS.exists():
        return False
    mount = ["sh", "-c", OVERLAY, str(HOSTS), "true"]
    return subprocess.run([*UNSHARE, *mount], capture_output=True, check=False).returncode == 0
