"""Data sets that nobody has made up, which scikit-learn brings: of few rows, of many columns, of as many classes as there are digits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn import datasets  # type: ignore[import-untyped]

from paved_runtime import scoring, validation
from paved_runtime.frameworks import Framework
from paved_runtime.plugin import TrainingRun
from paved_runtime.spec import TaskName
from paved_runtime.table import Mask, Matrix, Values
from paved_runtime.train import TOLERANCE

DATA = {
    "binary": {"breast_cancer": 0.95},
    "multiclass": {"wine": 0.95, "digits": 0.95},
    "regression": {"diabetes": 0.25},
}  # and what a model is worth at the least: the ROC AUC of each class against the others, or R²
MOST = 700  # rows


def rows(name: str) -> tuple[Matrix, Matrix]:
    """float32 [rows, features], and labels float32 [rows]."""
    load: Callable[..., tuple[Matrix, Matrix]] = getattr(datasets, f"load_{name}")
    matrix, labels = load(return_X_y=True)
    chosen = np.random.default_rng(0).permutation(len(labels))[:MOST]
    return matrix[chosen].astype(np.float32), labels[chosen].astype(np.float32)


def worth(task: TaskName, labels: Values, scores: Values) -> float:
    """The area under the curve of the outcome that is hardest to tell, or R²."""
    if task == "regression":
        return float(1 - ((scores - labels) ** 2).sum() / ((labels - labels.mean()) ** 2).sum())
    each = scores if scores.ndim == 2 else np.column_stack([1 - scores, scores])
    return min(area(labels == place, each[:, place]) for place in range(each.shape[1]))


def area(positive: Mask, scores: Values) -> float:
    """How often a positive row scores higher than another one."""
    apart = scores[positive][:, None] - scores[~positive][None]
    return float((apart > 0).mean() + (apart == 0).mean() / 2)


def test_real_rows_are_learnt_and_answered_as_they_were_learnt(framework: Framework, task: TaskName, tmp_path: Path) -> None:
    for name, floor in DATA[task].items():
        matrix, labels = rows(name)
        unseen, folder = validation.rows(labels), tmp_path / name
        folder.mkdir()
        run = TrainingRun(
            matrix=matrix[~unseen],
            labels=labels[~unseen],
            task=task,
            classes=len(np.unique(labels)) if task == "multiclass" else 0,
            hyperparameters=framework.hyperparameters(task),
            monotone={str(place): 0 for place in range(matrix.shape[1])},
        )
        model = framework.train(run)
        framework.save(model, folder)
        answers = scoring.load(framework, folder)(matrix)

        span = float(np.ptp(labels)) if task == "regression" else 1
        np.testing.assert_allclose(answers, framework.predict(model, matrix), rtol=0, atol=TOLERANCE * span, err_msg=name)
        assert worth(task, labels[unseen].astype(np.float64), answers[unseen].astype(np.float64)) > floor, name


def test_there_are_rows_for_every_task(framework: Framework) -> None:
    assert set(framework.TASKS) <= set(DATA)


@pytest.mark.parametrize(("labels", "expected"), [([0, 0, 1, 1], 1), ([1, 1, 0, 0], 0), ([1, 0, 1, 0], 0.25)])
def test_what_a_model_is_worth_falls_with_its_mistakes(labels: list[int], expected: float) -> None:
    assert worth("binary", np.array(labels, dtype=np.float64), np.linspace(0, 1, 4)) == expected
    assert worth("regression", np.array(labels, dtype=np.float64), np.array(labels) / 2) == pytest.approx(0.5)
