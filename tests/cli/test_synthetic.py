"""A data set where there is no real one: the model's own program makes it, or it is said that there is none."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli import datasets
from tests import reference
from tests.reference import MODEL, MODELS
from tests.support.road import environment
from tests.support.tree import reference_tree


@pytest.fixture(scope="module")
def own_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree that this module may change: with a second model, before the other in alphabetical order, that has no `synthetic.py`."""
    tree = reference_tree(tmp_path_factory.mktemp("own"))
    shutil.copytree(MODELS / MODEL, tree / "model_code/churn")
    (tree / "model_code/churn/synthetic.py").unlink()
    return tree


def make(tree: Path, model: str, file: Path) -> subprocess.CompletedProcess[str]:
    program = f"from pathlib import Path; from cli import synthetic; synthetic.make({model!r}, Path({str(file)!r}), 2000)"
    return subprocess.run(
        [sys.executable, "-c", program], cwd=tree, env=environment(tree, tree / ".road/cloud"), capture_output=True, text=True
    )


def demo(tree: Path, *arguments: str) -> list[str]:
    """What the demo says before it fails."""
    command = [sys.executable, "-m", "cli", "demo", "--yes", *arguments]
    done = subprocess.run(command, cwd=tree, env=environment(tree, tree / ".road/cloud"), capture_output=True, text=True)
    assert done.returncode == 1
    return done.stderr.splitlines()


def test_the_models_program_makes_a_data_set_of_its_contract(own_tree: Path, tmp_path: Path) -> None:
    first, again = tmp_path / "first.csv", tmp_path / "again.csv"
    for file in (first, again):
        done = make(own_tree, MODEL, file)
        assert done.returncode == 0, done.stderr

    assert datasets.check(first, reference.model()).rows == 2000
    assert first.read_bytes() == again.read_bytes()


def test_the_demo_takes_the_first_model_says_so_and_what_it_lacks(own_tree: Path) -> None:
    assert demo(own_tree) == [
        f"model: churn (the first of churn, {MODEL})",
        "road: data of churn: there is no model_code/churn/synthetic.py, which would make some: give --data FILE.csv",
    ]


def test_a_program_that_fails_is_told_in_its_last_words(own_tree: Path) -> None:
    (own_tree / "model_code/churn/synthetic.py").write_text("raise SystemExit('no rows today')\n")
    (line,) = demo(own_tree, "churn")
    assert line == "road: model_code/churn/synthetic.py failed: no rows today: correct it, or give --data FILE.csv"
    (own_tree / "model_code/churn/synthetic.py").unlink()


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("[monitoring]", "its model.toml has no [monitoring]"),
        ("[monitoring.retraining]", "its model.toml has no [monitoring.retraining] on drift"),
    ],
)
def test_a_story_that_cannot_be_told_is_refused_at_once(own_tree: Path, table: str, why: str) -> None:
    file = own_tree / "model_code/churn/model.toml"
    before = file.read_text()
    file.write_text(before[: before.index(table)])
    (line,) = demo(own_tree, "churn", "--story")
    file.write_text(before)
    assert line == f"road: the story of churn: {why}: add it, or leave --story out"
