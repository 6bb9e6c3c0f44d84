"""The ROC AUC's interval holds the truth as often as it says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]

from paved_runtime.delong import roc_auc


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
