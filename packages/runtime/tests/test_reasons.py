"""Reasons add up to the score, or the gate says by how much they do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from paved_runtime.links import IDENTITY
from paved_runtime.reasons import NONE, TOLERANCE, Reasons, described, judge
from paved_runtime.table import Matrix
from paved_runtime.verdict import Verdict

COLUMNS = ("age", "job", "month")
matrices = hnp.arrays(np.float32, st.tuples(st.integers(1, 20), st.just(3)), elements=st.floats(-8, 8, width=32))


def reasons(base: float, contributions: Matrix, off: float = 0.0) -> Reasons:
    """Reasons whose scores are float32, as a model's are, and `off` log-odds away from what they say."""
    log_odds = base + contributions.sum(axis=1, dtype=np.float64) + off
    scores = (1 / (1 + np.exp(-log_odds))).astype(np.float32).astype(np.float64)
    return Reasons(columns=COLUMNS, scores=scores, base=base, contributions=contributions)


def verdict(explained: Reasons) -> Verdict:
    """The only word on exact reasons."""
    (only,) = judge(explained, accepted=0.05)
    return only


@given(matrices, st.floats(-3, 3))
def test_what_adds_up_passes_however_sure_the_score_is(contributions: Matrix, base: float) -> None:
    assert verdict(reasons(base, contributions)).passed is True


@given(matrices.map(lambda matrix: matrix / 8), st.sampled_from([-1, 1]))
def test_what_does_not_add_up_fails(contributions: Matrix, way: int) -> None:
    failed = verdict(reasons(-2.0, contributions, off=2 * TOLERANCE * way))

    assert failed.passed is False
    assert failed.found == pytest.approx(2 * TOLERANCE, rel=0.05)
    assert "one training" in failed.advice


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_reasons_that_are_no_numbers_fail(wrong: float) -> None:
    contributions = np.zeros((4, 3), dtype=np.float32)
    explained = reasons(0.0, contributions)
    contributions[2, 1] = wrong

    assert verdict(explained).passed is False


def numbers(base: float, contributions: Matrix, off: float = 0.0) -> Reasons:
    """Reasons of numbers, which are `off` standard deviations away from what they say."""
    exact = base + contributions.sum(axis=1, dtype=np.float64)
    scores = (exact + off * IDENTITY.scale(exact)).astype(np.float32).astype(np.float64)
    return Reasons(columns=COLUMNS, scores=scores, base=base, contributions=contributions, link=IDENTITY)


@given(matrices, st.floats(-1e7, 1e7), st.sampled_from([1e-3, 1.0, 1e4]))
def test_what_adds_up_to_a_number_passes_however_far_from_0_it_is(contributions: Matrix, base: float, size: float) -> None:
    assert verdict(numbers(base, contributions * np.float32(size))).passed is True


@given(
    matrices.filter(lambda matrix: matrix.sum(axis=1, dtype=np.float64).std() > 0.1), st.sampled_from([-1, 1]), st.sampled_from([1.0, 1e4])
)
def test_what_does_not_add_up_to_a_number_fails(contributions: Matrix, way: int, size: float) -> None:
    failed = verdict(numbers(100 * size, contributions * np.float32(size), off=2 * way * TOLERANCE))

    assert failed.passed is False
    assert failed.subject.endswith("largest difference in standard deviations of the scores")


def test_errors_of_numbers_are_counted_in_standard_deviations_of_the_scores() -> None:
    contributions = np.array([[0, 0, 0], [200, 0, 0]], dtype=np.float32)
    explained = replace(numbers(1000.0, contributions), errors=np.full((2, 3), 4, dtype=np.float32))
    _, errors = judge(explained, accepted=0.05)

    assert (errors.passed, errors.found) == (True, 0.04)
    assert errors.subject == "mean standard error of sampled reasons of 2 rows, in standard deviations of the scores"
    assert described(explained)["largest_error"] == 0.04


def test_each_row_may_have_a_base_of_its_own() -> None:
    contributions = np.array([[1, -3, 0], [0.5, 0, 0]], dtype=np.float32)
    bases = np.array([0.25, -2.0])
    of_each = [reasons(float(base), contributions[[row]]) for row, base in enumerate(bases)]
    scores = np.concatenate([each.scores for each in of_each])
    together = Reasons(columns=COLUMNS, scores=scores, base=bases, contributions=contributions)

    assert verdict(together).passed is True
    assert verdict(replace(together, base=bases[::-1])).passed is False


def test_no_rows_do_not_pass() -> None:
    assert verdict(reasons(0.0, np.zeros((0, 3), dtype=np.float32))).passed is False


def test_importance_is_the_mean_weight_whatever_the_sign() -> None:
    importance = reasons(0.0, np.array([[1, -3, 0], [-1, 1, 0]], dtype=np.float32)).importance

    assert importance == [
        {"column": "job", "mean_contribution": 2.0},
        {"column": "age", "mean_contribution": 1.0},
        {"column": "month", "mean_contribution": 0.0},
    ]


def sampled(*errors: float, off: float = 0.0) -> Reasons:
    """Reasons of one row with these standard errors, a column each."""
    return replace(reasons(0.5, np.array([[1, -3, 0]], dtype=np.float32), off), errors=np.array([errors], dtype=np.float32))


@pytest.mark.parametrize(("error", "passed"), [(0.0499, True), (0.0501, False), (np.nan, False)])
def test_sampled_reasons_must_be_known_well_enough(error: float, passed: bool) -> None:
    sums, errors = judge(sampled(0.0, 2 * error, error), accepted=0.05)

    assert (sums.passed, errors.passed) == (True, passed)
    assert errors.subject == "mean standard error of sampled reasons of 1 rows, in log-odds"
    assert ("gates.reasons_error" in errors.advice) is not passed


def test_sampled_reasons_must_add_up_as_well() -> None:
    sums, errors = judge(sampled(0.01, 0.01, 0.01, off=0.1), accepted=0.05)

    assert (sums.passed, errors.passed) == (False, True)
    assert "each time" in sums.advice


def test_no_sampled_rows_do_not_pass() -> None:
    nothing: Matrix = np.zeros((0, 3), dtype=np.float32)

    assert [verdict.passed for verdict in judge(replace(reasons(0.0, nothing), errors=nothing), accepted=0.05)] == [False, False]


def test_a_model_without_reasons_is_not_judged() -> None:
    (only,) = judge(None, accepted=0.05)

    assert (only.gate, only.passed, only.found, only.advice) == ("reason codes", None, None, NONE)


def test_evaluation_says_how_scores_are_explained() -> None:
    exact = described(reasons(0.0, np.zeros((2, 3), dtype=np.float32)))

    assert exact == {"method": "exact", "mean_error": None, "largest_error": None}
    assert described(None) == {**exact, "method": "none"}
    assert described(sampled(0.0, 0.25, 0.125)) == {"method": "sampled", "mean_error": 0.125, "largest_error": 0.25}
