"""The frozen model of these tests, its data sets, and the container's commands for it."""

# ruff: noqa: E402 - the runtime asks for MODEL_CODE when it is imported

from __future__ import annotations

import csv
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

MODEL = "lead_scoring"
os.environ["MODEL_CODE"] = str(Path(__file__).parent / "model_code")

from paved_runtime import artifact, testing
from paved_runtime.job import Job
from paved_runtime.spec import ModelSpec
from paved_runtime.testing import ORIGIN


def environment(root: Path, **variables: str) -> dict[str, str]:
    """The environment of the model's container whose file system begins at `root`."""
    return testing.environment(MODEL, root, **variables)


def run(root: Path, *commands: str) -> subprocess.CompletedProcess[str]:
    """Run commands in a process of their own."""
    return testing.run(MODEL, root, *commands)


def job(root: Path, model: ModelSpec) -> Job:
    """A job of a model whose `model.toml` is another than the frozen one."""
    return Job(spec=model, root=root, port=0, origin={name.lower(): value for name, value in ORIGIN.items()})


def edit(model: Path, name: str, change: Callable[[Any], object]) -> None:
    """Change a JSON file of a model as its maker could have made it: metadata.json has the new digest."""
    content = artifact.read_json(model / name)
    change(content)
    artifact.write_json(model / name, content)
    artifact.write_metadata(model, artifact.read_json(model / artifact.METADATA))


def age(model: Path) -> None:
    """Make a model one of an older runtime: without its rows, and without the digests of its files."""
    (model / artifact.ROWS).unlink()
    metadata = artifact.read_json(model / artifact.METADATA)
    del metadata[artifact.FILES]
    artifact.write_json(model / artifact.METADATA, metadata)


def put_rows(root: Path, rows: Sequence[dict[str, str]]) -> None:
    """Write rows as the data set of a one-job training whose file system begins at `root`."""
    folder = root / "input/data/data"
    folder.mkdir(parents=True)
    with (folder / "data.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
