"""Reasons add up to the score, or the gate says by how much they do not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from paved_runtime.reasons import TOLERANCE, Reasons, judge
from paved_runtime.table import Matrix

COLUMNS = ("age", "job", "month")
matrices = hnp.arrays(np.float32, st.tuples(st.integers(1, 20), st.just(3)), elements=st.floats(-8, 8, width=32))


def reasons(base: float, contributions: Matrix, off: float = 0.0) -> Reasons:
    """Reasons whose scores are float32, as a model's are, and `off` log-odds away from what they say."""
    log_odds = base + contributions.sum(axis=1, dtype=np.float64) + off
    scores = (1 / (1 + np.exp(-log_odds))).astype(np.float32).astype(np.float64)
    return Reasons(columns=COLUMNS, scores=scores, base=base, contributions=contributions)


@given(matrices, st.floats(-3, 3))
def test_what_adds_up_passes_however_sure_the_score_is(contributions: Matrix, base: float) -> None:
    assert judge(reasons(base, contributions)).passed is True


@given(matrices.map(lambda matrix: matrix / 8), st.sampled_from([-1, 1]))
def test_what_does_not_add_up_fails(contributions: Matrix, way: int) -> None:
    verdict = judge(reasons(-2.0, contributions, off=2 * TOLERANCE * way))

    assert verdict.passed is False
    assert verdict.found == pytest.approx(2 * TOLERANCE, rel=0.05)
    assert "one training" in verdict.advice


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_reasons_that_are_no_numbers_fail(wrong: float) -> None:
    contributions = np.zeros((4, 3), dtype=np.float32)
    explained = reasons(0.0, contributions)
    contributions[2, 1] = wrong

    assert judge(explained).passed is False


def test_no_rows_do_not_pass() -> None:
    assert judge(reasons(0.0, np.zeros((0, 3), dtype=np.float32))).passed is False


def test_importance_is_the_mean_weight_whatever_the_sign() -> None:
    importance = reasons(0.0, np.array([[1, -3, 0], [-1, 1, 0]], dtype=np.float32)).importance

    assert importance == [
        {"column": "job", "mean_contribution": 2.0},
        {"column": "age", "mean_contribution": 1.0},
        {"column": "month", "mean_contribution": 0.0},
    ]
