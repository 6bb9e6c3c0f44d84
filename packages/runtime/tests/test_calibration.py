"""The expected calibration error: its bounds, what it finds, and that the order of the rows does not matter to it."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from paved_runtime.calibration import BINS, reliability
from paved_runtime.table import Mask, Values

sizes = st.integers(1, 60)
scores = st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]) | st.floats(0, 1)
examples = sizes.flatmap(lambda n: st.tuples(hnp.arrays(np.bool_, n), hnp.arrays(np.float64, n, elements=scores)))


@given(examples, st.randoms(use_true_random=False))
def test_the_error_is_a_share_and_the_bins_hold_every_row(example: tuple[Mask, Values], draw: Random) -> None:
    labels, probabilities = example
    bins = reliability(labels, probabilities)
    order = np.array(draw.sample(range(len(labels)), len(labels)))

    assert 0 <= bins.error <= 1
    assert 1 <= len(bins.count) <= BINS
    assert bins.count.sum() == len(labels)
    assert (np.diff(bins.score) > 0).all()
    assert ((bins.positive >= 0) & (bins.positive <= 1)).all()
    assert reliability(labels[order], probabilities[order]).error == pytest.approx(bins.error, abs=1e-12)


def test_bins_are_of_equal_size() -> None:
    draw = np.random.default_rng(1)

    assert reliability(draw.random(905) < 0.5, draw.random(905)).count.tolist() == [91, 90, 91, 90, 91, 90, 91, 90, 91, 90]


def test_equal_scores_share_a_bin() -> None:
    bins = reliability(np.arange(100) < 30, np.full(100, 0.3))

    assert bins.count.tolist() == [100]
    assert bins.error == pytest.approx(0)


def test_what_is_calibrated_has_little_error_and_what_is_not_has_its_distance() -> None:
    draw = np.random.default_rng(2)
    probabilities = draw.beta(1, 6, 20_000)
    labels = draw.random(20_000) < probabilities

    assert reliability(labels, probabilities).error < 0.015
    assert reliability(labels, probabilities + 0.1 * (1 - probabilities)).error == pytest.approx(0.1 * (1 - probabilities.mean()), abs=0.01)
    assert reliability(~labels, labels.astype(np.float64)).error == 1
