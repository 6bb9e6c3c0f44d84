"""A model that learnt another task than its model.toml names is not trained: what would answer is held against the task."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from container import put_rows
from task_rows import MODELS, made

from paved_runtime import spec, testing

OTHERS = {
    "regression": "replace(run, task='binary', labels=(run.labels > 12_000).astype('float32'))",
    "multiclass": "replace(run, classes=3, labels=run.labels.clip(0, 2))",
}
REFUSALS = {
    "regression": "task is 'regression': expected the output 'values', model.onnx has 'probabilities'",
    "multiclass": "task is 'multiclass': expected scores [600, 4], what would answer gives [600, 3]",
}
TRAINING = """from dataclasses import replace

from paved_runtime.frameworks import xgboost
from paved_runtime.plugin import TrainingRun


def train(run: TrainingRun):
    return xgboost.train({other})
"""


@pytest.mark.parametrize("task", OTHERS)
def test_a_model_of_another_task_is_refused_once_it_has_learnt(task: str, tmp_path: Path) -> None:
    name, models, root = MODELS[task], tmp_path / "model_code", tmp_path / "ml"
    shutil.copytree(spec.MODELS / name, models / name)
    (models / name / "training.py").write_text(TRAINING.format(other=OTHERS[task]))
    put_rows(root, made(task, 800))
    environment = testing.environment(name, root, MODEL_CODE=str(models))
    command = [sys.executable, "-m", "paved_runtime", "prepare", "train"]
    job = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert job.returncode == 1
    assert REFUSALS[task] in job.stderr
