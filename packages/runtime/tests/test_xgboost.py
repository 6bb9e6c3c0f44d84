"""XGBoost's trees learn what there is to learn, as many as a part of the rows asks for, and the same ones every time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]

from paved_runtime import scoring
from paved_runtime.artifact import ArtifactError
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


def test_a_large_mean_takes_no_digits_from_what_is_served(tmp_path: Path) -> None:
    """Temperatures in kelvin, say: a sum that is rounded after each of 400 trees would be off by more than 1e-5 of the target's range."""
    matrix, labels = rows(1500)
    kelvin = (290 + 5 * matrix[:, 0] + labels).astype(np.float32)
    settings: Hyperparameters = {"rounds": 400, "patience": 400, "eta": 0.02, "max_depth": 4}
    booster = framework.train(TrainingRun(matrix=matrix, labels=kelvin, task="regression", hyperparameters=settings, monotone=FREE))
    framework.save(booster, tmp_path)
    served = scoring.graph(tmp_path)(matrix)
    base, adds = framework.contributions(booster, matrix)

    assert np.abs(framework.predict(booster, matrix) - served).max() <= np.spacing(np.float32(300))
    assert np.abs(base + adds.sum(axis=1, dtype=np.float64) - served).max() < 1e-3
    assert np.corrcoef(served, kelvin)[0, 1] > 0.98


@pytest.mark.parametrize("objective", ["reg:gamma", "reg:tweedie", "count:poisson"])
def test_scores_that_are_powers_are_served_and_have_no_exact_reasons(tmp_path: Path, objective: str) -> None:
    matrix, labels = rows(800)
    settings: Hyperparameters = {**SETTINGS, "objective": objective, "eval_metric": "rmse"}
    run = TrainingRun(matrix=matrix, labels=3 + labels, task="regression", hyperparameters=settings, monotone=FREE)
    booster = framework.train(run)
    framework.save(booster, tmp_path)

    np.testing.assert_allclose(scoring.graph(tmp_path)(matrix), framework.predict(booster, matrix), rtol=1e-5)
    assert framework.predict(booster, matrix).mean() == pytest.approx(3 + labels.mean(), abs=0.1)
    with pytest.raises(
        ArtifactError, match=rf'^model\.json learnt {objective}, whose trees share out a logarithm: set reasons = "sampled"'
    ):
        framework.contributions(booster, matrix)


def test_rounds_are_counted_not_the_trees_of_each_class() -> None:
    matrix, labels = rows(600)
    classes = labels + (matrix[:, 0] > 1)
    settings: Hyperparameters = {**framework.hyperparameters("multiclass"), "rounds": 7}
    run = TrainingRun(matrix=matrix, labels=classes, task="multiclass", classes=3, hyperparameters=settings, monotone=FREE)
    booster = framework.train(run)

    assert (booster.num_boosted_rounds(), len(trees(booster))) == (7, 21)
