"""What a model's tests need: the container's commands, run on a folder as SageMaker would run them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from paved_runtime import parquet, spec

ORIGIN = {"COMMIT": "0123abc", "IMAGE_URI": "registry/image@sha256:89"}


def environment(model: str, root: Path, **more: str) -> dict[str, str]:
    """The environment of a model's container whose file system begins at `root`."""
    return {**os.environ, **ORIGIN, "MODEL": model, "MODEL_CODE": str(spec.MODELS.resolve()), "ML_ROOT": str(root), **more}


def run(model: str, root: Path, *commands: str) -> subprocess.CompletedProcess[str]:
    """Run commands of the container in a process of their own."""
    argv = [sys.executable, "-m", "paved_runtime", *commands]
    return subprocess.run(argv, env=environment(model, root), capture_output=True, text=True, check=False)


def train(model: str, data: Path, root: Path) -> Path:
    """Take a CSV or Parquet file through `prepare train evaluate` in one job; returns `root`, whose `model/` holds the trained model.

    Raises:
        RuntimeError: a command failed; in its own words.
    """
    channel = root / "input/data/data"
    channel.mkdir(parents=True)
    (channel / f"data{data.suffix if data.suffix == parquet.SUFFIX else '.csv'}").write_bytes(data.read_bytes())
    finished = run(model, root, "prepare", "train", "evaluate")
    (root / "stdout").write_text(finished.stdout)
    if finished.returncode:
        raise RuntimeError(finished.stderr)
    return root


def synthetic(model: str, file: Path, *, rows: int, seed: int) -> Path:
    """Write a synthetic data set with the model's own `synthetic.py`."""
    program = str(spec.MODELS / model / "synthetic.py")
    subprocess.run([sys.executable, program, "--rows", str(rows), "--seed", str(seed), "--out", str(file)], check=True)
    return file
