"""A framework learns the tasks that it promises; one that is asked for another says so in one line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from paved_runtime import frameworks, spec
from paved_runtime.spec import TaskName

FRUGAL = """
from paved_runtime.frameworks.xgboost import FILES, hyperparameters, load, predict, save, train
from paved_runtime.spec import TaskName

NAME, PACKAGE = "frugal", "xgboost-cpu"
TASKS: tuple[TaskName, ...] = ("binary", "regression")
"""


@pytest.mark.parametrize("name", spec.FRAMEWORKS)
def test_a_new_model_of_each_promised_task_begins_with_hyperparameters(name: str) -> None:
    framework = frameworks.named(name)

    assert framework.TASKS
    for task in framework.TASKS:
        assert framework.hyperparameters(task)


@pytest.mark.parametrize(("model", "task"), [("risk_grade", "multiclass"), ("claim_amount", "regression")])
def test_a_task_that_a_framework_does_not_learn_is_refused(tmp_path: Path, model: str, task: TaskName) -> None:
    folder = tmp_path / "model_code" / model
    shutil.copytree(spec.MODELS / model, folder)
    (folder / "framework.py").write_text(FRUGAL)
    (folder / "model.toml").write_text(f'framework = "frugal"\n{(folder / "model.toml").read_text()}')
    program = f"from paved_runtime import frameworks, spec; print(frameworks.of(spec.load({model!r})).NAME)"
    environment = {**os.environ, "MODEL_CODE": str(tmp_path / "model_code")}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)

    if task == "multiclass":
        assert done.stderr.splitlines()[-1] == "ValueError: task: found 'multiclass', framework frugal learns binary, regression"
    else:
        assert done.stdout == "frugal\n"
