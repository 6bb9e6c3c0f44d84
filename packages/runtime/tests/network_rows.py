"""Rows that tell the outcome in part: by a column, by one of another size, and by which cells of a third are empty."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import r2_score, roc_auc_score  # type: ignore[import-untyped]

from paved_runtime.checkpoints import Checkpoints
from paved_runtime.plugin import Hyperparameters, TrainingRun
from paved_runtime.spec import TaskName
from paved_runtime.table import Matrix

SETTINGS: Hyperparameters = {"hidden": "16,16", "epochs": 12, "patience": 4, "batch_size": 128, "learning_rate": 0.01}
NAMES = ("signal", "large", "empty", "constant")
CLASSES = {"binary": 0, "multiclass": 4, "regression": 0}
SPANS = {"binary": 1.0, "multiclass": 1.0, "regression": 100_000.0}  # from the least score to the greatest, about


def rows(count: int, seed: int = 0, task: TaskName = "binary") -> tuple[Matrix, Matrix]:
    """float32 [rows, 4], and labels float32 [rows]: one of two, of four, or numbers far from 0."""
    draw = np.random.default_rng(seed)
    empty = draw.random(count) < 0.3
    signal, large = draw.normal(size=count), draw.normal(50_000, 20_000, size=count)
    third = np.where(empty, np.nan, draw.normal(size=count))
    matrix = np.column_stack([signal, large, third, np.ones(count)]).astype(np.float32)
    logit = 2 * signal + (large - 50_000) / 20_000 + 2 * empty - 1
    return matrix, _labels(logit, draw, task).astype(np.float32)


def _labels(logit: NDArray[np.float64], draw: np.random.Generator, task: TaskName) -> NDArray[Any]:
    if task == "multiclass":
        return np.searchsorted([-2.0, 0.0, 2.0], logit + draw.logistic(size=len(logit)))
    if task == "regression":
        return 250_000 + 9_000 * (logit + draw.normal(size=len(logit)))
    return draw.random(len(logit)) < 1 / (1 + np.exp(-logit))


def assert_learnt(task: TaskName, predict: Callable[[Matrix], Matrix]) -> None:
    """It ranks rows that it has not seen, is right on the whole, and takes an empty cell for what it tells."""
    matrix, labels = rows(3000, seed=1, task=task)
    scores, filled = predict(matrix), matrix.copy()
    filled[:, 2] = 0

    assert figure(labels, scores, task) > 0.8
    assert np.abs(scores.mean(axis=0) - _events(labels, task).mean(axis=0)).max() < 0.05 * SPANS[task]
    assert (_single(scores) - _single(predict(filled)))[np.isnan(matrix[:, 2])].mean() > 0.05 * SPANS[task]


def figure(labels: Matrix, scores: Matrix, task: TaskName) -> float:
    """The area under the ROC curve, of classes the mean of each one's; of a regression R². The probabilities of classes add up to 1."""
    if task == "regression":
        return float(r2_score(labels, scores.astype(np.float64)))
    if task == "multiclass":
        assert np.abs(scores.sum(axis=1) - 1).max() < 1e-5
    return float(roc_auc_score(_events(labels, task), scores.astype(np.float64)))


def _events(labels: Matrix, task: TaskName) -> Matrix:
    """What scores say how likely it is, or how much: of the shape of scores."""
    return (labels[:, None] == np.arange(CLASSES[task])).astype(np.float32) if task == "multiclass" else labels


def _single(scores: Matrix) -> Matrix:
    """One number a row; of classes their mean place."""
    return scores if scores.ndim == 1 else scores @ np.linspace(0, 1, scores.shape[1], dtype=np.float32)


def run(
    count: int = 1500,
    *,
    task: TaskName = "binary",
    direction: int = 0,
    checkpoints: Checkpoints = Checkpoints(),  # noqa: B008
    **settings: float | str,
) -> TrainingRun:
    """A run on such rows."""
    matrix, labels = rows(count, task=task)
    return TrainingRun(
        matrix=matrix,
        labels=labels,
        task=task,
        classes=CLASSES[task],
        hyperparameters={**SETTINGS, **settings},
        monotone={**dict.fromkeys(NAMES, 0), "large": direction},
        checkpoints=checkpoints,
    )


def edges() -> Matrix:
    """Rows as far out as a contract may let them be, alone and with cells empty."""
    far = [0, 1e-30, -1e-30, 1, 1e6, -1e6, 3e38, -3e38, np.nan]
    return np.array([[a, b, b, a] for a in far for b in far], dtype=np.float32)
