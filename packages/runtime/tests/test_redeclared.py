"""The same rows, declared otherwise: the champion is judged on rows that it never saw, and an equal challenger is accepted."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from container import MODEL, environment

from paved_runtime import artifact, contract, spec, tasks
from paved_runtime.__main__ import main
from paved_runtime.holdout import CHAMPION
from paved_runtime.spec import ModelSpec
from paved_runtime.split import split

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/scores/7"
MARITAL = 'values = ["divorced", "married", "single"]'
DECLARATIONS = {
    "values in another order": (MARITAL, 'values = ["single", "divorced", "married"]'),
    "a value put first": (MARITAL, 'values = ["widowed", "divorced", "married", "single"]'),
    "a value appended": (MARITAL, 'values = ["divorced", "married", "single", "widowed"]'),
    "an integer made a category": (
        'day       = { type = "integer", minimum = 1, maximum = 31 }',
        f'day       = {{ type = "category", values = {[str(day) for day in range(31, 0, -1)]} }}',
    ),
}
Json = dict[str, Any]


@pytest.fixture(scope="module")
def said(trained: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the champion, which is the frozen model, says of the data set that it was trained on."""
    root = tmp_path_factory.mktemp("champion")
    artifact.pack(trained / "model", root / "processing/input/model/model.tar.gz")
    (root / "processing/input/data").mkdir()
    shutil.copy(data, root / "processing/input/data/data.csv")
    assert main(["score"], environment(root, MODEL_PACKAGE_ARN=ARN)) == 0
    return root / "processing/champion" / CHAMPION


def challenged(root: Path, data: Path, said: Path, *edits: tuple[str, str]) -> Json:
    """The evaluation of a challenger whose `model.toml` is the champion's, edited, with a margin that chance among 800 rows keeps to."""
    models = root / "model_code"
    shutil.copytree(spec.MODELS / MODEL, models / MODEL)
    file = models / MODEL / "model.toml"
    text = file.read_text()
    for before, after in (("margin = 0.01 ", "margin = 0.03 "), *edits):
        assert text.count(before) == 1
        text = text.replace(before, after)
    file.write_text(text)
    for source, channel in ((data, "data"), (said, "champion")):
        (root / "ml/input/data" / channel).mkdir(parents=True)
        shutil.copy(source, root / "ml/input/data" / channel)
    command = [sys.executable, "-m", "paved_runtime", "prepare", "train", "evaluate"]
    subprocess.run(command, env=environment(root / "ml", MODEL_CODE=str(models)), check=True, capture_output=True)
    evaluation: Json = artifact.read_json(root / "ml/model" / artifact.EVALUATION)
    return evaluation


@pytest.mark.slow
@pytest.mark.parametrize("declaration", DECLARATIONS)
def test_an_equal_challenger_is_accepted(tmp_path: Path, trained: Path, data: Path, said: Path, declaration: str) -> None:
    evaluation = challenged(tmp_path, data, said, DECLARATIONS[declaration])
    honest = artifact.read_json(trained / "model" / artifact.EVALUATION)["metrics"]["roc_auc"]["value"]

    assert (tmp_path / "ml/work/holdout/holdout.csv").read_bytes() == (trained / "work/holdout/holdout.csv").read_bytes()
    assert (tmp_path / "ml/model/rows.bin").read_bytes() == (trained / "model/rows.bin").read_bytes()
    champion = evaluation["champion"]
    assert (champion["trained_rows"], champion["compared"], champion["why"]) == (0, True, "")
    assert champion["metrics"]["roc_auc"] == honest
    assert [verdict for verdict in evaluation["gates"] if verdict["gate"] == "champion" and verdict["passed"] is False] == []


def test_after_another_seed_the_champion_is_judged_on_the_rows_that_are_left(
    tmp_path: Path, trained: Path, data: Path, said: Path, model_spec: ModelSpec
) -> None:
    """Four fifths of what is held out now it was trained on; there it would look much better than it is."""
    champion = challenged(tmp_path, data, said, ("holdout = 0.2 ", "seed = 1\nholdout = 0.4 "))["champion"]
    examples = contract.read(data.parent, model_spec.data)
    learnt, _ = split(examples, tasks.of(model_spec.data), share=0.2, seed=0)
    _, holdout = split(examples, tasks.of(model_spec.data), share=0.4, seed=1)
    both = np.isin(holdout.digests, learnt.digests)
    honest = artifact.read_json(trained / "model" / artifact.EVALUATION)["metrics"]["roc_auc"]

    assert champion["trained_rows"] == int(both.sum())
    assert 0.75 < both.mean() < 0.85
    assert honest["low"] < champion["metrics"]["roc_auc"] < honest["high"]


def test_a_champion_of_an_older_runtime_is_compared_as_before_and_it_is_said(tmp_path: Path, data: Path, said: Path) -> None:
    older = tmp_path / CHAMPION
    artifact.write_json(older, {name: value for name, value in artifact.read_json(said).items() if name != "trained"})
    evaluation = challenged(tmp_path, data, older)
    champion = evaluation["champion"]

    assert (champion["trained_rows"], champion["compared"]) == (None, True)
    assert champion["why"] == "the champion does not know which rows it was trained on: held-out ones may be among them"
    assert champion["difference"]["value"] == 0.0
