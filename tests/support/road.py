"""Commands as programs: the environment in which a tree's own `cli` runs, and nobody's AWS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

Road = Callable[..., subprocess.CompletedProcess[str]]
ONE_PROCESS = """
import contextlib, io, json, sys
from cli.__main__ import main
for arguments in json.load(sys.stdin):
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        code = main(arguments)
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
"""


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


def road_in(tree: Path, cloud: Path, *, seconds: float = 120) -> Road:
    """Runs `road ARGUMENTS` in a tree, with no AWS credentials; `seconds` are what a command may take."""
    own = environment(tree, cloud)

    def run(*arguments: str, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cli", *arguments]
        return subprocess.run(command, cwd=tree, env={**own, **more}, input=stdin, capture_output=True, text=True, timeout=seconds)

    return run


def each(tree: Path, cloud: Path, commands: Sequence[Sequence[str]], **more: str) -> list[Done]:
    """Runs commands one after the other, in one process: a process takes longer to start than most of them to fail."""
    done = subprocess.run(
        [sys.executable, "-c", ONE_PROCESS],
        cwd=tree,
        env={**environment(tree, cloud), **more},
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return [Done(*json.loads(line)) for line in done.stdout.splitlines()]


def environment(tree: Path, cloud: Path) -> dict[str, str]:
    """For programs in `tree`, typed there: no AWS credentials, and `cloud` for a localcloud's folder."""
    packages = sorted(str(folder) for folder in (tree / "packages").iterdir() if folder.is_dir())
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_") and name != "ROAD_CWD"},
        "PYTHONPATH": os.pathsep.join([str(tree), *packages]),
        "ROAD_CLOUD": str(cloud),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
