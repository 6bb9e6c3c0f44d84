"""A data set that a model's own `synthetic.py` makes, so that the road can be driven where there is no real one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from cli import environments
from cli.problem import Problem
from cli.tree import HERE, relative

SEED = 7


def make(model: str, file: Path, rows: int) -> Path:
    """Run `synthetic.py` as a program; returns `file`, which it has written. Raises Problem when there is none, or it fails."""
    program = environments.folder(model) / "synthetic.py"
    if not program.is_file():
        raise Problem(f"data of {model}", f"there is no {relative(program)}, which would make some", "give --data FILE.csv")
    command = [sys.executable, str(program), "--rows", str(rows), "--seed", str(SEED), "--out", str(file)]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True)
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise Problem(f"{relative(program)} failed", lines[-1] if lines else "it printed nothing", "correct it, or give --data FILE.csv")
    return file
