"""What tells the outcome too well is found, whatever its shape; what does not is never taken for a leak, however it falls out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]

from paved_runtime import leaks
from paved_runtime.spec import Category, Column, Number
from paved_runtime.table import Mask, Matrix, Table, Values

NUMBER = Number(type="number", minimum=-1e9, maximum=1e9)
CODES = Category(type="category", values=tuple(f"v{i}" for i in range(1000)))
ROWS = 4000
OUTCOME: Matrix = np.random.default_rng(1).permutation((np.arange(ROWS) < 0.2 * ROWS).astype(np.float32))


def noise(seed: int = 2, rows: int = ROWS) -> Values:
    return np.random.default_rng(seed).normal(size=rows)


def chosen(share: float, seed: int = 3, rows: int = ROWS) -> Mask:
    """bool [rows]: about this share of them."""
    return np.random.default_rng(seed).random(rows) < share


def together(
    columns: Mapping[str, Values], kinds: Mapping[str, Column] | None = None, labels: Matrix = OUTCOME, most: int = 300
) -> leaks.Pair:
    table = Table({name: place for place, name in enumerate(columns)}, np.column_stack(list(columns.values())))
    pair = leaks.together(table, labels, {name: (kinds or {}).get(name, NUMBER) for name in columns}, most=most)
    assert pair
    return pair


# One column


@pytest.mark.parametrize("column", [NUMBER, CODES])
def test_many_values_tell_nothing_by_chance(column: Column) -> None:
    """A thousand values on four thousand rows would score far above 0.5 if a row's own outcome were learnt from."""
    values = np.random.default_rng(5).integers(0, 1000, ROWS).astype(np.float64)
    in_sample = np.bincount(values.astype(int), OUTCOME) / np.maximum(np.bincount(values.astype(int)), 1)

    assert roc_auc_score(OUTCOME, in_sample[values.astype(int)]) > 0.8
    assert leaks.alone(values, OUTCOME, column) == pytest.approx(0.5, abs=0.03)


def test_one_column_alone_scores_what_sklearn_says() -> None:
    """For a column that tells the outcome one way, the best score is the column itself."""
    values = noise() + OUTCOME

    assert leaks.alone(values, OUTCOME, NUMBER) == pytest.approx(roc_auc_score(OUTCOME, values), abs=0.01)
    assert leaks.alone(-values, OUTCOME, NUMBER) == pytest.approx(leaks.alone(values, OUTCOME, NUMBER), abs=0.01)
    assert leaks.alone(np.exp(values), OUTCOME, NUMBER) == leaks.alone(values, OUTCOME, NUMBER)


@pytest.mark.parametrize(("bands", "least"), [(20, 0.97), (100, 0.95), (400, 0.85)])
def test_narrow_bands_are_found(bands: int, least: float) -> None:
    """The outcome is whether the column is in an even or an odd band: no order of its values tells anything."""
    draw = np.random.default_rng(7)
    band = 2 * draw.integers(0, bands // 2, ROWS) + OUTCOME
    values = band + draw.random(ROWS) * 0.9

    assert roc_auc_score(OUTCOME, values) < 0.55
    assert leaks.alone(values, OUTCOME, NUMBER) > least


bins = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 20), st.integers(0, 20)), min_size=2, max_size=10)


@given(bins.filter(lambda rows: sum(row[1] for row in rows) > 0 and sum(row[2] for row in rows) > 0))
def test_the_area_of_binned_rows_is_sklearns(rows: list[tuple[int, int, int]]) -> None:
    scores, negative, positive = (np.array(part, dtype=np.float64) for part in zip(*rows, strict=True))
    each = np.concatenate([np.repeat(scores, negative.astype(int)), np.repeat(scores, positive.astype(int))])
    outcome = np.concatenate([np.zeros(int(negative.sum())), np.ones(int(positive.sum()))])

    assert leaks.roc_auc(scores, np.column_stack([negative, positive])) == pytest.approx(roc_auc_score(outcome, each), abs=1e-12)


# Two columns


COIN: Any = np.random.default_rng(8).integers(0, 2, ROWS)
PAIRS: dict[str, tuple[Values, Values, Column]] = {
    "two flags that differ": (COIN * 1.0, (COIN ^ OUTCOME.astype(int)) * 1.0, NUMBER),
    "two numbers of one sign": (np.abs(noise(9)) * (2 * COIN - 1), np.abs(noise(10)) * (2 * COIN - 1) * (1 - 2 * OUTCOME), NUMBER),
    "a category that turns a number round": (COIN * 1.0, noise(11) * 0.2 + (2 * COIN - 1) * (2 * OUTCOME - 1), CODES),
    "two that are empty together": (np.where(COIN, np.nan, noise(12)), np.where(COIN == OUTCOME, np.nan, noise(13)), NUMBER),
}


@pytest.mark.parametrize("name", PAIRS)
def test_two_columns_that_tell_the_outcome_only_together(name: str) -> None:
    one, other, kind = PAIRS[name]
    columns = {"first": noise(14), "one": one, "between": noise(15), "other": other, "last": noise(16)}
    pair = together(columns, {"one": kind})

    assert max(leaks.alone(one, OUTCOME, kind), leaks.alone(other, OUTCOME, NUMBER)) < 0.6
    assert pair.columns == ("one", "other")
    assert pair.roc_auc >= pair.low > 0.95


def test_a_pair_is_found_among_hundreds_of_columns() -> None:
    """On fewer rows then, so that it takes seconds; here on as many as there are of the rarer outcome, and as many others."""
    labels = np.tile(OUTCOME, 5)
    columns = {f"c{place}": noise(20 + place, len(labels)) for place in range(200)}
    columns["c17"] = np.tile(COIN, 5) * 1.0
    columns["c170"] = (np.tile(COIN, 5) ^ labels.astype(int)) * 1.0
    pair = together(columns, labels=labels)

    assert pair.columns == ("c17", "c170")
    assert pair.low > 0.95


def test_columns_beyond_the_first_are_not_looked_at() -> None:
    columns = {"a": noise(1), "b": noise(2), "one": COIN * 1.0, "other": (COIN ^ OUTCOME.astype(int)) * 1.0}

    assert together(columns, most=2).columns == ("a", "b")
    assert together(columns, most=4).columns == ("one", "other")


def test_one_column_has_no_pair() -> None:
    assert leaks.together(Table({"a": 0}, noise()[:, None]), OUTCOME, {"a": NUMBER}) is None


@pytest.mark.parametrize("rows", [100, 400, 4000])
def test_noise_tells_nothing_together(rows: int) -> None:
    labels = (np.arange(rows) % 4 == 0).astype(np.float32)
    for seed in range(5):
        pair = together({f"c{place}": noise(100 * seed + place, rows) for place in range(12)}, labels=labels)
        assert pair.low < 0.55


# Empty cells


@pytest.mark.parametrize("filled", [False, True])
@pytest.mark.parametrize("outcome", [0, 1])
@pytest.mark.parametrize("share", [0.25, 0.45, 1.0])
def test_cells_that_are_empty_or_filled_for_one_outcome_only(share: float, outcome: int, filled: bool) -> None:
    """The fewer of them, the less the ROC AUC is; but the one-sidedness remains."""
    empty = ((OUTCOME == outcome) & chosen(share)) != filled  # noqa: SIM300
    told = leaks.emptiness(np.where(empty, np.nan, noise()), OUTCOME, tests=10)

    assert told.times > 10
    assert told.roc_auc == pytest.approx(0.5 + share / 2, abs=0.03)
    assert told.low < told.roc_auc


def test_the_figure_of_empty_cells_is_the_usual_area() -> None:
    empty = chosen(0.2) | (chosen(0.3, seed=4) & (OUTCOME == 1))
    told = leaks.emptiness(np.where(empty, np.nan, noise()), OUTCOME, tests=1)

    assert told.roc_auc == pytest.approx(roc_auc_score(OUTCOME, empty), abs=1e-12)
    assert (told.negative, told.positive) == (empty[OUTCOME == 0].mean(), empty[OUTCOME == 1].mean())


@given(st.integers(25, 300), st.integers(25, 300), st.data())
def test_the_bounds_of_empty_cells_are_inside_what_was_seen(negatives: int, positives: int, data: st.DataObject) -> None:
    counts = [data.draw(st.integers(0, rows)) for rows in (negatives, positives)]
    labels = np.repeat([0, 1], [negatives, positives]).astype(np.float32)
    empty = np.concatenate([np.arange(rows) < count for rows, count in zip((negatives, positives), counts, strict=True)])
    told = leaks.emptiness(np.where(empty, np.nan, 1.0), labels, tests=1)
    mirrored = leaks.emptiness(np.where(empty, 1.0, np.nan), 1 - labels, tests=1)

    assert 0.5 <= told.low <= told.roc_auc
    assert told.low == pytest.approx(mirrored.low, abs=1e-9)
    assert told.times == pytest.approx(mirrored.times, rel=1e-6)


def test_honest_empty_cells_are_within_their_bounds() -> None:
    """Each of a thousand data sets has empty cells as often for either outcome, or a half more often: none is beyond what is true."""
    draw = np.random.default_rng(6)
    for _ in range(1000):
        rows, share = int(draw.integers(60, 3000)), draw.uniform(0.005, 0.6)
        labels = (draw.random(rows) < draw.uniform(0.05, 0.5)).astype(np.float32)
        labels[:2] = 0, 1
        shares = share, min(share * draw.choice([1, 1.5]), 1)
        told = leaks.emptiness(np.where(draw.random(rows) < np.where(labels, shares[1], shares[0]), np.nan, 1.0), labels, tests=1)
        assert told.low <= 0.5 + (shares[1] - shares[0]) / 2 + 1e-9
        assert told.times <= max(shares[1] / shares[0], (1 - shares[0]) / (1 - shares[1])) + 1e-9


def test_many_columns_that_are_empty_tell_together_what_each_hints_at() -> None:
    empty = np.column_stack([chosen(0.1, seed) | (chosen(0.2, seed + 100) & (OUTCOME == 0)) for seed in range(20)])
    area, low = leaks.empty_together(empty, OUTCOME)

    assert max(leaks.emptiness(np.where(column, np.nan, 1.0), OUTCOME, tests=20).roc_auc for column in empty.T) < 0.65
    assert area == pytest.approx(roc_auc_score(1 - OUTCOME, empty.sum(axis=1)), abs=0.02)
    assert low > 0.75


def test_empty_cells_of_noise_tell_nothing_together() -> None:
    empty = np.column_stack([chosen(0.3, seed) for seed in range(200)])
    area, low = leaks.empty_together(empty, OUTCOME)

    assert area == pytest.approx(0.5, abs=0.04)
    assert low < 0.5


# Bounds


@pytest.mark.parametrize("positives", [25, 400])
@pytest.mark.parametrize("separation", [0.0, 1.0, 2.5])
def test_a_bound_is_kept_as_often_as_it_says(positives: int, separation: float) -> None:
    """With a chance of one in twenty, of three hundred data sets about fifteen have a bound above the true area."""
    truth, draw = float(stats.norm.cdf(separation / np.sqrt(2))), np.random.default_rng(1)
    labels = np.repeat([1, 0], [positives, 400]).astype(np.float32)
    beyond = 0
    for _ in range(300):
        area = float(roc_auc_score(labels, draw.normal(size=len(labels)) + separation * labels))
        beyond += leaks.lower_bound(area, labels, tests=1, chance=0.05) > truth
    assert beyond < 30
