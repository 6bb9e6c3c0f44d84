"""Which training rows a learner looks at to know when to stop: of every outcome, of numbers of every size, and never too many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paved_runtime import validation


@given(st.lists(st.integers(0, 4), min_size=20, max_size=300))
def test_of_each_outcome_every_eighth_row(outcomes: list[int]) -> None:
    labels = np.array(outcomes, dtype=np.float32)
    held = validation.rows(labels)

    for outcome in set(outcomes):
        of_it = held[labels == outcome]
        assert of_it.sum() == -(-len(of_it) // 8)
        assert of_it[0]


@pytest.mark.parametrize(("rows", "distinct"), [(64, 64), (200, 90), (304, 100), (4000, 4000)])
def test_of_numbers_every_eighth_in_their_order(rows: int, distinct: int) -> None:
    """However few they are: were each of them an outcome, most rows would be looked at, and few learnt from."""
    labels = np.random.default_rng(0).permutation(np.arange(rows) % distinct).astype(np.float32)
    held = validation.rows(labels)

    assert held.sum() == rows / 8
    for quarter in np.split(np.argsort(labels, kind="stable"), 4):
        assert held[quarter].mean() == pytest.approx(1 / 8, abs=1 / len(quarter))
