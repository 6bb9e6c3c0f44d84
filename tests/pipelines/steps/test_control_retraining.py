"""The retraining controller, as its pipeline runs it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.reference import MODEL, MODELS
from tests.support.programs import run_step

NOWHERE = "http://127.0.0.1:1"
ARGUMENTS = ("--model", MODEL, "--execution", "e")


@pytest.fixture
def never(tmp_path: Path) -> Path:
    """Models that nothing trains again."""
    shutil.copytree(MODELS / MODEL, tmp_path / MODEL, ignore=shutil.ignore_patterns("__pycache__"))
    file = tmp_path / MODEL / "model.toml"
    text, removed = re.subn(r"^\[monitoring\.retraining\]\n(?:[^[].*\n|\n)*", "", file.read_text(), flags=re.MULTILINE)
    assert removed == 1
    file.write_text(text)
    return tmp_path


def test_a_model_that_nothing_trains_again(tree: Path, never: Path) -> None:
    """AWS is not asked anything."""
    ran = run_step(tree, "control_retraining", *ARGUMENTS, url=NOWHERE, MODEL_CODE=str(never))

    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout) == {"outcome": "nothing", "reason": f"model_code/{MODEL}/model.toml asks for no retraining"}


def test_one_that_is_trained_again_has_a_registry(tree: Path) -> None:
    ran = run_step(tree, "control_retraining", *ARGUMENTS, url=NOWHERE)

    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("control_retraining: AWS refused or did not answer: ")
