"""What the tests of the frame and of its models share: a small synthetic data set, and one model trained by a real job on it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from model_code import spec
from model_code.runtime.invocations import Invocations
from model_code.runtime.job import Job

settings.register_profile("fast", max_examples=25, deadline=None)  # --hypothesis-profile=default tries more
settings.load_profile("fast")

MODEL = "lead_scoring"
ORIGIN = {"COMMIT": "0123abc", "DATA_SHA256": "4567def", "IMAGE_URI": "registry/image@sha256:89"}


def environment(root: Path, **more: str) -> dict[str, str]:
    """The environment of a container whose file system begins at `root`."""
    return {**os.environ, **ORIGIN, "MODEL": MODEL, "ML_ROOT": str(root), **more}


def run(root: Path, *commands: str) -> subprocess.CompletedProcess[str]:
    """Run the container's entry point as SageMaker would, in a process of its own."""
    argv = [sys.executable, "-m", "model_code.runtime", *commands]
    return subprocess.run(argv, env=environment(root), cwd=spec.MODELS.parent, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def model_spec() -> spec.ModelSpec:
    return spec.load(MODEL)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic data set as CSV."""
    file = tmp_path_factory.mktemp("data") / "data.csv"
    argv = [sys.executable, "-m", f"model_code.{MODEL}.synthetic", "--rows", "4000", "--seed", "3", "--out", str(file)]
    subprocess.run(argv, cwd=spec.MODELS.parent, check=True)
    return file


@pytest.fixture(scope="session")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ML_ROOT of a finished one-job training."""
    root = tmp_path_factory.mktemp("one-job")
    channel = root / "input/data/data"
    channel.mkdir(parents=True)
    (channel / "data.csv").write_bytes(data.read_bytes())
    finished = run(root, "prepare", "train", "evaluate")
    assert finished.returncode == 0, finished.stderr
    (root / "stdout").write_text(finished.stdout)
    return root


@pytest.fixture(scope="session")
def invocations(trained: Path) -> Invocations:
    """The trained model, loaded as the server loads it."""
    from model_code.runtime.serving import load

    return load(Job.of(environment(trained)))
