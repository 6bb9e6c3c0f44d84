"""The reference's container: the runtime in the environment of the frozen model, on a file system of the test's own."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from cli import environments
from tests.reference import MODEL, MODELS

SYNTHETIC = str(MODELS / MODEL / "synthetic.py")


@cache
def python() -> str:
    """Its Python, made on first use."""
    return str(environments.python(MODELS / MODEL))


def command(*commands: str) -> list[str]:
    """Its entry point with these commands."""
    return [python(), "-m", "paved_runtime", *commands]


def variables(root: Path, models: Path = MODELS, **more: str) -> dict[str, str]:
    """The environment of a process in it whose file system begins at `root`."""
    own = {"MODEL": MODEL, "MODEL_CODE": str(models), "ML_ROOT": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    return {**os.environ, **own, **more}
