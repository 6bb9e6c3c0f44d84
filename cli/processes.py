"""Programs that check and test this tree: as many at a time as the machine bears, and none sees anybody's AWS."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from cli.tree import HERE

CORES = min(4, os.cpu_count() or 1)  # a suite's servers need more than a core each


def environment() -> dict[str, str]:
    """The person's environment without AWS's settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


def captured(arguments: Sequence[str], env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run a program in the tree; its exit code, and all that it printed."""
    done = subprocess.run(
        arguments,
        cwd=HERE,
        env={**environment(), **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


def shown(arguments: Sequence[str], env: Mapping[str, str] | None = None, *, aside: bool = False) -> int:
    """Run a program in the tree, whose output a person sees; its exit code. `aside`: on standard error, as facts go to standard output."""
    return subprocess.run(arguments, cwd=HERE, env={**environment(), **(env or {})}, stdout=sys.stderr if aside else None).returncode
