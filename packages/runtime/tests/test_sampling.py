"""Sampled reasons: close to the exact ones by as much as they say, the same every time, and they add up to the score whatever was drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from paved_runtime.artifact import ArtifactError
from paved_runtime.links import IDENTITY
from paved_runtime.links import log_odds as log_odds_of
from paved_runtime.reasons import Reasons
from paved_runtime.sampling import BACKGROUND, CELLS, Sampler
from paved_runtime.table import Matrix, Values

POSITIONS = (0, 1, 2, 3, 1)  # of each feature's column: the second column gives two features
COLUMNS = 4
rows = hnp.arrays(np.float32, st.tuples(st.integers(1, 4), st.just(5)), elements=st.floats(-9, 9, width=32) | st.just(np.nan))


def log_odds(matrix: Matrix) -> Values:
    """Columns that act together, three at a time, too; an empty cell counts as 1."""
    a, b, c, d, e = np.where(np.isnan(matrix), 1, matrix).astype(np.float64).T
    return np.asarray(a * b - np.abs(c) * (a > 0) + 0.5 * d * e * np.tanh(c) + np.maximum(np.sin(b + c), a * d), dtype=np.float64)


def score(matrix: Matrix) -> Matrix:
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-log_odds(matrix))), dtype=np.float32)


def normal(count: int, seed: int, features: int = 5) -> Matrix:
    return np.random.default_rng(seed).normal(size=(count, features)).astype(np.float32)


def sampler(seed: int = 0, **more: Matrix) -> Sampler:
    return Sampler(score, more.get("background", normal(BACKGROUND, 8)), POSITIONS, COLUMNS, str(seed))


def shapley(row: Matrix, background: Matrix) -> Values:
    """By definition: every order of the columns, from every row of the background. float64 [columns]."""
    added = np.zeros(COLUMNS)
    orders = list(permutations(range(COLUMNS)))
    for order in orders:
        rows = background.copy()
        before = log_odds(rows)
        for column in order:
            of_column = [feature for feature, position in enumerate(POSITIONS) if position == column]
            rows[:, of_column] = row[of_column]
            after = log_odds(rows)
            added[column] += (after - before).mean()
            before = after
    return added / len(orders)


@pytest.fixture(scope="module")
def exact() -> Values:
    """The exact reasons of ten rows."""
    return np.array([shapley(row, normal(BACKGROUND, 8)) for row in normal(10, 9)])


def test_they_lie_around_the_exact_ones_as_far_apart_as_they_say(exact: Values) -> None:
    samples = [sampler(seed)(normal(10, 9)) for seed in range(300)]
    away, errors = np.array([added - exact for _, added, _ in samples]), np.array([errors for *_, errors in samples])
    spread = np.sqrt((away**2).mean(axis=0))  # float64 [rows, columns]

    assert (np.abs(away.mean(axis=0)) < 4 * spread / np.sqrt(300)).all()  # right on average
    assert np.sqrt((errors**2).mean(axis=0)) / spread == pytest.approx(1, abs=0.2)
    assert (np.abs(away) < 2 * errors).mean() == pytest.approx(0.93, abs=0.03)


def test_they_are_close_to_the_exact_ones(exact: Values) -> None:
    _, added, errors = sampler()(normal(10, 9))

    np.testing.assert_allclose(added, exact, atol=0.35)
    assert 0 < errors.mean() < 0.1 < np.abs(exact).mean()


@given(rows, hnp.arrays(np.float32, (3, 5), elements=st.floats(-9, 9, width=32) | st.just(np.nan)), st.integers(0, 99))
def test_they_add_up_to_the_score_whatever_was_drawn(matrix: Matrix, background: Matrix, seed: int) -> None:
    base, added, errors = sampler(seed, background=background)(matrix)
    scores = score(matrix).astype(np.float64)

    assert added.shape == errors.shape == (len(matrix), COLUMNS)
    assert added.dtype == errors.dtype == np.float32
    assert (errors >= 0).all()
    assert Reasons(columns="abcd", scores=scores, base=base, contributions=added).difference < 1e-4


def test_the_base_is_the_backgrounds_mean() -> None:
    base, *_ = sampler()(normal(1, 9))

    assert base == pytest.approx(log_odds(normal(BACKGROUND, 8)).mean(), abs=1e-5)


def linear(weights: Values) -> Callable[[Matrix], Matrix]:
    return lambda matrix: np.asarray(1 / (1 + np.exp(-matrix.astype(np.float64) @ weights)), dtype=np.float32)


@pytest.mark.parametrize("columns", [1, 2, 3, 300])
def test_columns_that_act_alone_are_known_exactly(columns: int) -> None:
    """300 of them are more than are scored at once."""
    weights = np.linspace(-1, 1, columns) / np.sqrt(columns) if columns > 1 else np.ones(1)
    background, matrix = normal(BACKGROUND, 3, columns), normal(2, 4, columns)
    _, added, errors = Sampler(linear(weights), background, range(columns), columns, "5")(matrix)

    np.testing.assert_allclose(added, weights * (matrix - background.mean(axis=0)), atol=1e-5)
    assert errors.max() < 1e-5


def test_a_column_without_features_adds_nothing() -> None:
    _, added, errors = Sampler(linear(np.ones(2)), normal(4, 3, 2), (0, 2), 3, "5")(normal(3, 4, 2))

    assert not added[:, 1].any()
    assert not errors[:, 1].any()
    assert added[:, [0, 2]].all()


def test_scores_of_0_and_1_are_taken_for_what_float32_can_tell() -> None:
    def sure(matrix: Matrix) -> Matrix:
        return (matrix[:, 0] > 0).astype(np.float32)

    base, added, _ = Sampler(sure, np.array([[-1], [1]], dtype=np.float32), (0,), 1, "5")(np.array([[2.0]], dtype=np.float32))

    assert (base.tolist(), added[0, 0]) == ([0], pytest.approx(np.log(2**22 - 1)))


def test_a_row_has_the_same_reasons_beside_whatever_others() -> None:
    explain, matrix = sampler(), normal(20, 9)
    alone = [explain(row[None])[1:] for row in matrix]

    np.testing.assert_array_equal(np.concatenate(alone, axis=1), explain(matrix)[1:])
    np.testing.assert_array_equal(sampler()(matrix)[1:], explain(matrix)[1:])


def test_threads_do_not_disturb_each_other() -> None:
    explain, matrix = sampler(), normal(40, 9)
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda row: explain(row[None])[1][0], matrix))

    np.testing.assert_array_equal(together, explain(matrix)[1])


def test_the_rows_that_are_scored_are_as_many_as_is_said() -> None:
    asked: list[int] = []

    def counted(matrix: Matrix) -> Matrix:
        asked.append(len(matrix))
        return score(matrix)

    explain = Sampler(counted, normal(BACKGROUND, 8), POSITIONS, COLUMNS, "0")
    assert asked == [BACKGROUND]
    explain(normal(3, 9))

    assert sum(asked) - BACKGROUND == 3 * explain.scorings


def numbers(matrix: Matrix) -> Matrix:
    """The log-odds as numbers around a million, which float32 tells apart by a sixteenth."""
    return (1_000_000 + 1000 * log_odds(matrix)).astype(np.float32)


@given(rows.map(lambda matrix: np.clip(matrix, -4, 4)), st.integers(0, 99))
def test_those_of_a_number_add_up_to_it(matrix: Matrix, seed: int) -> None:
    explain = Sampler(numbers, normal(BACKGROUND, 8), POSITIONS, COLUMNS, str(seed), link=IDENTITY)
    base, added, _ = explain(matrix)
    scores = numbers(matrix).astype(np.float64)

    assert np.abs(base + added.sum(axis=1, dtype=np.float64) - scores).max() < 0.25
    assert base == pytest.approx(numbers(normal(BACKGROUND, 8)).astype(np.float64).mean(), abs=0.01)


def test_those_of_a_number_are_a_thousand_times_those_of_its_thousandth(exact: Values) -> None:
    _, added, errors = Sampler(numbers, normal(BACKGROUND, 8), POSITIONS, COLUMNS, "0", link=IDENTITY)(normal(10, 9))
    _, small, doubts = sampler()(normal(10, 9))

    np.testing.assert_allclose(added / 1000, small, atol=1e-3)
    np.testing.assert_allclose(errors / 1000, doubts, atol=1e-3)
    np.testing.assert_allclose(added / 1000, exact, atol=0.35)


def three(matrix: Matrix) -> Matrix:
    """The probabilities of three classes."""
    strengths = np.stack([log_odds(matrix), -0.5 * log_odds(matrix), np.zeros(len(matrix))], axis=1)
    odds = np.exp(strengths - strengths.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True), dtype=np.float32)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=4), st.integers(0, 99))
def test_those_of_a_class_are_those_of_it_against_all_others(chosen: list[int], seed: int) -> None:
    background, matrix, places = normal(BACKGROUND, 8), normal(len(chosen), seed), np.array(chosen)
    base, added, errors = Sampler(three, background, POSITIONS, COLUMNS, "0")(matrix, places)
    scores = three(matrix)[np.arange(len(chosen)), places].astype(np.float64)

    assert Reasons(columns="abcd", scores=scores, base=base[places], contributions=added).difference < 1e-4
    np.testing.assert_allclose(base, log_odds_of(three(background).astype(np.float64)).mean(axis=0), atol=1e-5)
    for row, place in enumerate(chosen):
        alone = Sampler(lambda rows, at=place: three(rows)[:, at], background, POSITIONS, COLUMNS, "0")  # type: ignore[misc]
        np.testing.assert_allclose(alone(matrix[[row]])[1:], np.stack([added[[row]], errors[[row]]]), atol=1e-5)


def test_no_more_is_scored_at_once_than_is_bounded_however_many_classes_there_are() -> None:
    largest: list[int] = []

    def many(matrix: Matrix) -> Matrix:
        largest.append(len(matrix) * 300)
        return np.full((len(matrix), 300), 1 / 300, dtype=np.float32)

    columns = 60
    explain = Sampler(many, normal(BACKGROUND, 3, columns), range(columns), columns, "5")
    explain(normal(1, 4, columns), np.array([299]))

    assert explain.outcomes == 300
    assert max(largest) <= CELLS


def test_a_background_without_a_finite_number_is_refused() -> None:
    with pytest.raises(ArtifactError, match="gets a score that is no finite number"):
        Sampler(lambda _: np.array([1e9, np.inf], dtype=np.float32), normal(2, 8), POSITIONS, COLUMNS, "0", link=IDENTITY)


@pytest.mark.parametrize("wrong", [np.nan, -0.0001, 1.0001])
def test_a_background_without_a_score_is_refused(wrong: float) -> None:
    scores: Sequence[float] = [0.5, wrong]

    with pytest.raises(ArtifactError, match=r"^a row that the contract accepts gets a score that is no probability"):
        Sampler(lambda _: np.array(scores, dtype=np.float32), normal(2, 8), POSITIONS, COLUMNS, "0")
