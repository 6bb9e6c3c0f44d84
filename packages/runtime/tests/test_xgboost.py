"""XGBoost's trees learn what there is to learn, as many as a part of the rows asks for, and the same ones every time."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import xgboost
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]

from paved_runtime.frameworks import xgboost as framework
from paved_runtime.plugin import Hyperparameters, TrainingRun
from paved_runtime.table import Matrix

SETTINGS: Hyperparameters = {"rounds": 200, "patience": 10, "eta": 0.2, "max_depth": 3}
FREE = {"signal": 0, "noise": 0}


def rows(count: int, seed: int = 0) -> tuple[Matrix, Matrix]:
    """A column that tells the outcome in part, and one that does not."""
    draw = np.random.default_rng(seed)
    matrix = draw.normal(size=(count, 2)).astype(np.float32)
    labels = (draw.random(count) < 1 / (1 + np.exp(1 - 2 * matrix[:, 0]))).astype(np.float32)
    return matrix, labels


def train(rows: tuple[Matrix, Matrix], settings: Hyperparameters, monotone: dict[str, int]) -> xgboost.Booster:
    matrix, labels = rows
    return framework.train(TrainingRun(matrix=matrix, labels=labels, hyperparameters=settings, monotone=monotone))


def trees(booster: xgboost.Booster) -> list[dict[str, Any]]:
    return [json.loads(tree) for tree in booster.get_dump(dump_format="json")]


def test_it_ranks_rows_that_it_has_not_seen() -> None:
    matrix, labels = rows(2000, seed=1)
    scores = train(rows(2000), SETTINGS, FREE).inplace_predict(matrix)
    area = roc_auc_score(labels == 1, scores)

    assert area is not None
    assert area > 0.8
    assert 0 <= scores.min() < scores.max() <= 1
    assert scores.mean() == pytest.approx(labels.mean(), abs=0.05)


def test_the_same_rows_give_the_same_bytes() -> None:
    first, second = (train(rows(500), SETTINGS, FREE).save_raw("json") for _ in range(2))

    assert first == second


def test_it_stops_when_more_trees_do_not_help_and_never_goes_beyond_rounds() -> None:
    matrix, labels = rows(4000)
    noise = np.random.default_rng(3).permutation(labels)
    slow = {**SETTINGS, "eta": 0.05}

    assert 3 < len(trees(train((matrix, labels), slow, FREE))) < 200
    assert len(trees(train((matrix, noise), slow, FREE))) < 100
    assert len(trees(train((matrix, labels), {**slow, "rounds": 3}, FREE))) == 3


def test_the_trees_are_of_all_rows() -> None:
    """Of those that find the number of trees, too: what they alone tell is learnt."""
    matrix, labels = rows(800)
    for label in (0, 1):
        matrix[np.flatnonzero(labels == label)[::8], 1] = 50 if label else -50
    low, high = train((matrix, labels), SETTINGS, FREE).inplace_predict(np.array([[0, -50], [0, 50]], dtype=np.float32))

    assert high - low > 0.15


def test_other_settings_are_xgboosts_own() -> None:
    stumps = trees(train(rows(500), {**SETTINGS, "max_depth": 1}, FREE))

    assert all("children" not in child for stump in stumps for child in stump.get("children", []))
    with pytest.raises(xgboost.core.XGBoostError, match="max_depth"):
        train(rows(500), {**SETTINGS, "max_depth": "deep"}, FREE)


@pytest.mark.parametrize("direction", [1, -1])
def test_directions_are_kept(direction: int) -> None:
    """Against what the rows say, too: then the column counts for nothing."""
    booster = train(rows(2000), SETTINGS, {"signal": direction, "noise": 0})
    line = np.column_stack([np.linspace(-3, 3, 50), np.zeros(50)]).astype(np.float32)
    steps = np.diff(booster.inplace_predict(line)) * direction

    assert (steps >= 0).all()
    assert (steps > 0).any() == (direction == 1)
