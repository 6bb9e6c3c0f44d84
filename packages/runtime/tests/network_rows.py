"""Rows that tell the outcome in part: by a column, by one of another size, and by which cells of a third are empty."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]

from paved_runtime.checkpoints import Checkpoints
from paved_runtime.plugin import Hyperparameters, TrainingRun
from paved_runtime.table import Matrix

SETTINGS: Hyperparameters = {"hidden": "16,16", "epochs": 12, "patience": 4, "batch_size": 128, "learning_rate": 0.01}
NAMES = ("signal", "large", "empty", "constant")


def rows(count: int, seed: int = 0) -> tuple[Matrix, Matrix]:
    """float32 [rows, 4], and labels float32 [rows]."""
    draw = np.random.default_rng(seed)
    empty = draw.random(count) < 0.3
    signal, large = draw.normal(size=count), draw.normal(50_000, 20_000, size=count)
    third = np.where(empty, np.nan, draw.normal(size=count))
    matrix = np.column_stack([signal, large, third, np.ones(count)]).astype(np.float32)
    logit = 2 * signal + (large - 50_000) / 20_000 + 2 * empty - 1
    return matrix, (draw.random(count) < 1 / (1 + np.exp(-logit))).astype(np.float32)


def assert_learnt(predict: Callable[[Matrix], Matrix]) -> None:
    """It ranks rows that it has not seen, says how likely each outcome is, and takes an empty cell for what it tells."""
    matrix, labels = rows(3000, seed=1)
    scores, filled = predict(matrix), matrix.copy()
    filled[:, 2] = 0
    area = roc_auc_score(labels == 1, scores.astype(np.float64))

    assert area is not None
    assert area > 0.85
    assert abs(scores.mean() - labels.mean()) < 0.05
    assert (scores - predict(filled))[np.isnan(matrix[:, 2])].mean() > 0.05


def run(count: int = 1500, *, direction: int = 0, checkpoints: Checkpoints = Checkpoints(), **settings: float | str) -> TrainingRun:  # noqa: B008
    """A run on such rows."""
    matrix, labels = rows(count)
    monotone = {**dict.fromkeys(NAMES, 0), "large": direction}
    return TrainingRun(matrix=matrix, labels=labels, hyperparameters={**SETTINGS, **settings}, monotone=monotone, checkpoints=checkpoints)


def edges() -> Matrix:
    """Rows as far out as a contract may let them be, alone and with cells empty."""
    far = [0, 1e-30, -1e-30, 1, 1e6, -1e6, 3e38, -3e38, np.nan]
    return np.array([[a, b, b, a] for a in far for b in far], dtype=np.float32)
