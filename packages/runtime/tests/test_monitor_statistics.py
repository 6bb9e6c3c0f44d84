"""The monitor's statistics say what scipy says of the raw rows, whatever the rows' order and however they were parted."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]
from sklearn import metrics  # type: ignore[import-untyped]

from paved_runtime import calibration, drift
from paved_runtime.monitoring import statistics
from paved_runtime.monitoring.baseline import POINTS, Bins, Categories, Numbers
from paved_runtime.table import Values

few = st.lists(st.sampled_from([-1.0, 0.0, 0.5, 1.0, 7.0]), min_size=2, max_size=80).map(np.array)
many = st.lists(st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0, -1.0]), min_size=2, max_size=80).map(np.array)


def normal(seed: int, rows: int, shift: float = 0) -> Values:
    return np.random.default_rng(seed).normal(shift, size=rows)


@given(few | many, few | many)
def test_the_two_sample_test_is_scipys_where_the_grid_has_every_value(before: Values, now: Values) -> None:
    """Values that the baseline has not are no exception: they lie in the gaps between the points of its grid."""
    grid = Numbers.of(before)
    test = statistics.kolmogorov_smirnov(grid.count(before), grid.count(now))
    wanted = stats.ks_2samp(before, now, method="asymp")

    assert test.statistic == pytest.approx(wanted.statistic, abs=1e-12)
    assert test.p_value == pytest.approx(wanted.pvalue, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("shift", [0, 0.02, 0.2])
def test_a_fine_column_is_as_exact_as_its_grid(shift: float) -> None:
    before, now = normal(1, 30_000), normal(2, 5_000, shift)
    grid = Numbers.of(before)
    test = statistics.kolmogorov_smirnov(grid.count(before), grid.count(now))

    assert len(grid.points) <= POINTS + 10
    assert test.statistic == pytest.approx(stats.ks_2samp(before, now).statistic, abs=1 / POINTS)


@given(st.lists(st.integers(0, 500), min_size=2, max_size=12), st.lists(st.integers(0, 500), min_size=12, max_size=12))
def test_the_test_of_categories_is_scipys_once_sparse_ones_are_pooled(before: list[int], now: list[int]) -> None:
    counts = np.array([[*before, 100], [*now[: len(before)], 100]])
    test = statistics.chi_square(*counts)
    kept = statistics.pooled(counts)

    assert kept.sum(axis=1).tolist() == counts.sum(axis=1).tolist()
    if test is None:
        assert kept.shape[1] < 2
    else:
        assert stats.contingency.expected_freq(kept).min() >= statistics.LEAST_EXPECTED - 1e-9
        assert test.p_value == pytest.approx(stats.chi2_contingency(kept).pvalue)
    if stats.contingency.expected_freq(counts).min() >= statistics.LEAST_EXPECTED:
        assert sorted(kept[0]) == sorted(counts[0])


@given(many, st.integers(1, 5), st.randoms(use_true_random=False))
def test_neither_order_nor_shards_matter_to_counts(values: Values, shards: int, draw: Random) -> None:
    grid = Numbers.of(values[: len(values) // 2 + 1])
    shuffled = values[np.argsort([draw.random() for _ in values])]
    parted = sum(grid.count(part) for part in np.array_split(shuffled, shards))

    assert np.array_equal(grid.count(values), parted)
    assert grid.count(values).sum() == len(values)
    assert grid.bins(grid.count(values)).sum() == len(values)


@given(st.lists(st.floats(-1e6, 1e6), min_size=drift.BINS + 1, max_size=60, unique=True), many)
def test_the_bins_of_a_number_are_those_of_the_data_contracts_index(distinct: list[float], more: Values) -> None:
    values = np.concatenate([distinct, more])
    grid = Numbers.of(values)
    inner = drift.edges(values, drift.BINS)

    assert grid.bins(grid.count(values)).tolist() == drift.counted(values, inner).tolist()
    assert len(grid.labels) == len(inner) + 1


@pytest.mark.parametrize("value", [1.0, 0.5])
def test_a_flag_that_moves_from_5_to_40_percent(value: float) -> None:
    """Also to a value that it never had."""
    before, now = ((np.arange(10_000) < share * 10_000).astype(float) for share in (0.05, 0.40))
    grid = Numbers.of(before)
    expected, actual = grid.bins(grid.count(before)), grid.bins(grid.count(now * value))

    assert grid.labels == ["0", "1", "other"]
    assert not grid.ordered
    kept = expected + actual > 0
    if value == 1:
        assert drift.index(expected[kept].tolist(), actual[kept].tolist()) == pytest.approx(0.8886, abs=0.001)
    else:
        assert drift.index(expected[kept].tolist(), actual[kept].tolist()) > 2
    assert statistics.chi_square(expected, actual).p_value < 1e-100  # type: ignore[union-attr]


def test_the_bins_of_large_numbers_have_names_that_people_can_read() -> None:
    cuts = np.array([-12_345.6, 0.123456, 9_999.4, 1_234_567.0, 1e15])

    assert Bins(cuts).labels == Numbers(np.append(cuts, 2e15), cuts).labels
    assert Bins(cuts).labels[0] == "up to -12,350"
    assert Bins(cuts).labels[3:] == ["9999 to 1,235,000", "1,235,000 to 1e+15", "above 1e+15"]
    assert Bins(np.array([])).labels == ["all"]


def test_categories_are_counted_by_their_place() -> None:
    assert Categories(["red", "green", "blue"]).count(np.array([2.0, 0, np.nan, 2, np.inf])).tolist() == [1, 0, 2]


def test_a_rise_of_a_share() -> None:
    """One-sided: the same as scipy's test of a two by two table where the share has risen."""
    table = np.array([[50, 950], [80, 920]])

    assert statistics.rise(50, 1000, 80, 1000) == pytest.approx(stats.chi2_contingency(table, correction=False).pvalue / 2)
    assert statistics.rise(80, 1000, 50, 1000) > 0.99
    assert statistics.rise(0, 1000, 0, 500) == statistics.rise(1000, 1000, 500, 500) == 1


@given(st.lists(st.floats(0, 1), max_size=40))
def test_adjusting_raises_p_values_and_keeps_their_order(values: list[float]) -> None:
    adjusted = statistics.adjusted(values)

    assert all(before <= after <= 1 for before, after in zip(values, adjusted, strict=True))
    assert np.array_equal(np.array(adjusted)[np.argsort(values, kind="stable")], np.sort(adjusted))


@pytest.mark.parametrize(("off", "rows"), [(0.0, 300), (0.0, 3000), (0.15, 3000)])
def test_what_chance_adds_to_the_calibration_error_is_taken_off(off: float, rows: int) -> None:
    """Of a calibrated model nothing is left in 99 of 100 windows; of an error of 0.15 most is, and never more than there is."""
    left = []
    for seed in range(100):
        draw = np.random.default_rng(seed)
        scores = draw.uniform(0.2, 0.8, rows)
        found = calibration.reliability(draw.random(rows) < scores + off, scores)
        left.append(statistics.certain_error(found, 0.99))
    assert np.mean(np.array(left) > off) <= 0.03
    assert off == 0 or np.mean(left) > off - 0.05


def amounts(seed: int, rows: int, bias: float = 0) -> tuple[Values, Values]:
    """Labels and scores of a regression, which are right but for a bias."""
    draw = np.random.default_rng(seed)
    scores = draw.gamma(2, 5_000, rows)
    return scores + draw.normal(0, 4_000, rows) + bias, scores


@given(st.integers(0, 100), st.integers(2, 50))
def test_r2_is_scikit_learns_and_its_interval_holds_it(seed: int, rows: int) -> None:
    value, low, high = statistics.r2(*amounts(seed, rows), 0.95)

    assert value == pytest.approx(metrics.r2_score(*amounts(seed, rows)))
    assert low <= value <= high <= 1


def test_the_interval_of_r2_holds_the_truth_as_often_as_it_says() -> None:
    truth = statistics.r2(*amounts(0, 1_000_000), 0.9)[0]
    intervals = [statistics.r2(*amounts(seed, 1_000), 0.9)[1:] for seed in range(1, 601)]

    assert 0.02 <= np.mean([high < truth for _, high in intervals]) <= 0.08
    assert 0.02 <= np.mean([low > truth for low, _ in intervals]) <= 0.08


def test_a_score_that_is_the_label_leaves_nothing_to_be_sure_of() -> None:
    labels = np.arange(10.0)

    assert statistics.r2(labels, labels, 0.99) == (1, 1, 1)
    assert statistics.certain_distance(labels, labels, 0.99) == 0


@pytest.mark.parametrize(("off", "rows"), [(0.0, 100), (0.0, 1000), (2_000.0, 1000)])
def test_what_chance_adds_to_the_distance_of_numbers_is_taken_off(off: float, rows: int) -> None:
    left = np.array([statistics.certain_distance(*amounts(seed, rows, off), 0.99) for seed in range(100)])

    assert np.mean(left > off) <= 0.03
    assert off == 0 or np.mean(left) > off - 700


def test_rows_of_one_score_and_a_bin_of_one_row_are_no_trouble() -> None:
    scores = np.array([1.0] * 20 + [2.0])
    labels = np.concatenate([np.tile([0.0, 2.0], 10), [9.0]])

    assert 0 <= statistics.certain_distance(labels, scores, 0.99) < 7 / 21
    assert statistics.certain_distance(labels + 1_000, scores, 0.99) == pytest.approx(1_000, rel=0.01)
