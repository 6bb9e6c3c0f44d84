"""The ROC AUC's interval holds the truth as often as it says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]

from paved_runtime import delong
from paved_runtime.delong import mean_roc_auc, roc_auc
from paved_runtime.table import Values


def test_the_area_and_its_interval() -> None:
    """In a simulation of known area, nine in ten intervals at 90 % have it within."""
    truth, held = float(stats.norm.cdf(1 / np.sqrt(2))), 0
    for seed in range(300):
        positive, negative = np.random.default_rng(2 * seed).normal(1, size=60), np.random.default_rng(2 * seed + 1).normal(size=200)
        area, low, high = roc_auc(positive, negative, 0.9)
        held += low <= truth <= high
        if seed < 3:
            labels = np.repeat([1, 0], [60, 200])
            assert area == pytest.approx(roc_auc_score(labels, np.concatenate([positive, negative])))
    assert 0.85 <= held / 300 <= 0.95


def test_tied_scores_count_half() -> None:
    assert roc_auc(np.array([0.5, 0.5]), np.array([0.5, 0.5]), 0.9) == (0.5, 0.5, 0.5)


def graded(seed: int, rows: int) -> tuple[Values, Values]:
    """Places of four classes, and the scores that they were drawn by."""
    draw = np.random.default_rng(seed)
    raised = np.exp(np.log([0.5, 0.3, 0.15, 0.05]) + draw.normal(size=(rows, 4)))
    scores = raised / raised.sum(axis=1, keepdims=True)
    return np.minimum((scores.cumsum(axis=1) < draw.random((rows, 1))).sum(axis=1), 3).astype(np.float64), scores


def test_the_mean_over_classes_is_scikit_learns_whatever_the_ties() -> None:
    labels, scores = graded(0, 500)
    rounded = scores.round(1)
    wanted = [roc_auc_score(labels == place, rounded[:, place]) for place in (0, 2)]

    assert mean_roc_auc(labels, rounded, [0, 2], 0.9)[0] == pytest.approx(np.mean(wanted))
    assert delong.area(rounded[labels == 2, 2], rounded[labels != 2, 2]) == pytest.approx(wanted[1])


def test_of_two_classes_the_mean_is_as_sure_as_the_one_roc_auc() -> None:
    """Both classes say the same, so nothing is gained by the second one."""
    draw = np.random.default_rng(0)
    scores = draw.random(2_000)
    labels = (draw.random(2_000) < scores).astype(np.float64)
    both = mean_roc_auc(labels, np.column_stack([1 - scores, scores]), [0, 1], 0.95)

    assert both == pytest.approx(roc_auc(scores[labels == 1], scores[labels == 0], 0.95), abs=1e-4)


def test_the_interval_of_the_mean_over_classes_holds_the_truth_as_often_as_it_says() -> None:
    truth = mean_roc_auc(*graded(1, 300_000), range(4), 0.9)[0]
    intervals = [mean_roc_auc(*graded(seed, 400), range(4), 0.9)[1:] for seed in range(2, 602)]
    below, above = (np.mean([high < truth for _, high in intervals]), np.mean([low > truth for low, _ in intervals]))

    assert 0.02 <= below <= 0.08
    assert 0.02 <= above <= 0.08
