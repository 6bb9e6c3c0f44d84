"""A job of two hosts trains a network through the container's own commands; one that begins with the checkpoints of another goes on."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import pytest
from container import MODEL

from paved_runtime import artifact, spec, testing
from paved_runtime.frameworks import torch as framework

HOSTS = ("127.0.0.1", "127.0.0.2")  # both are this machine, and names resolve to themselves
SETTINGS = 'epochs = 2\nhidden = "16"\ncheckpoint_steps = 4'
PATIENCE = 240  # seconds


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the sample, learnt with PyTorch."""
    models = tmp_path_factory.mktemp("of") / "model_code"
    shutil.copytree(spec.MODELS, models)
    toml, training = models / MODEL / "model.toml", models / MODEL / "training.py"
    text = toml.read_text().replace("[data]\n", 'framework = "torch"\n\n[data]\n', 1).replace("instance_count = 1", "instance_count = 2")
    text = re.sub(r"^monotone = .*\n", "", text, flags=re.MULTILINE)
    text = re.sub(
        r"(\[training.hyperparameters\]\n).*?\n\n", r'\1epochs = 2\nhidden = "16"\ncheckpoint_steps = 4\n\n', text, flags=re.DOTALL
    )
    toml.write_text(text)
    training.write_text("from paved_runtime.frameworks.torch import train as train\n")
    return models


def roots(folder: Path, data: Path) -> list[Path]:
    """The file systems of two hosts that are about to train."""
    roots = [folder / host for host in HOSTS]
    for host, root in zip(HOSTS, roots, strict=True):
        for name in ("input/config", "input/data/data", "checkpoints"):
            (root / name).mkdir(parents=True)
        shutil.copyfile(data, root / "input/data/data/data.csv")
        configuration = {"current_host": host, "hosts": list(HOSTS), "network_interface_name": "lo"}
        (root / "input/config/resourceconfig.json").write_text(json.dumps(configuration))
    return roots


def train(roots: Sequence[Path], models: Path) -> list[str]:
    """What each of the hosts prints."""
    name = uuid4().hex  # of which the port follows
    jobs = [
        subprocess.Popen(
            [sys.executable, "-m", "paved_runtime", "prepare", "train"],
            env={**os.environ, **testing.environment(MODEL, root), "MODEL_CODE": str(models), "TRAINING_JOB_NAME": name},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for root in roots
    ]
    try:
        printed = [job.communicate(timeout=PATIENCE)[0] for job in jobs]
    finally:
        for job in jobs:
            job.kill()
    assert [job.returncode for job in jobs] == [0, 0], printed
    return printed


def test_the_first_host_leaves_model_and_checkpoints_and_another_job_goes_on_from_them(data: Path, models: Path, tmp_path: Path) -> None:
    first, second = roots(tmp_path / "job", data)
    printed = train([first, second], models)

    assert all("trained with torch" in text for text in printed)
    assert {file.name for file in (first / "model").iterdir()} == {*framework.FILES, *artifact.TRAINED}
    assert not (second / "model").exists()
    assert not list((second / "checkpoints").iterdir())
    kept = sorted((first / "checkpoints").iterdir())
    assert kept

    again, other = roots(tmp_path / "again", data)
    shutil.copyfile(kept[0], again / "checkpoints" / kept[0].name)
    resumed = train([again, other], models)
    assert all("resumed after step" in text for text in resumed), resumed
    for name in framework.FILES:
        assert (again / "model" / name).read_bytes() == (first / "model" / name).read_bytes()
