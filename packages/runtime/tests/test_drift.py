"""The population stability index says what it is known to say, and its bins lose nothing that many rows share."""

from __future__ import annotations

from random import Random

import frames
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy  # type: ignore[import-untyped]

from paved_runtime import drift, tasks
from paved_runtime.spec import Category, Column, Data, Number
from paved_runtime.table import Examples, Table, Values

COLUMNS: dict[str, Column] = {
    "amount": Number(type="number", minimum=-1e9, maximum=1e9),
    "colour": Category(type="category", values=("red", "green", "blue")),
}
DATA = Data(target="y", positive="yes", negative="no", minimum_rows=1, holdout=0.2, columns=COLUMNS)


def examples(amount: Values, colour: Values | None = None, share: float = 0.5) -> Examples:
    colours = np.zeros(len(amount)) if colour is None else colour
    labels = (np.arange(len(amount)) < share * len(amount)).astype(np.float32)
    return frames.examples(Table({"amount": 0, "colour": 1}, np.column_stack([amount, colours])), labels)


def flag(share: float, rows: int = 10_000) -> Values:
    return (np.arange(rows) < share * rows).astype(np.float64)


def changes(before: Examples, now: Examples) -> dict[str, float]:
    return drift.changes(drift.profile(before, tasks.of(DATA)), now, tasks.of(DATA))


@pytest.mark.parametrize(("before", "now", "index"), [(0.05, 0.40, 0.8886), (0.40, 0.05, 0.8886), (0.95, 0.60, 0.8886), (0.3, 0.3, 0)])
def test_a_flag(before: float, now: float, index: float) -> None:
    """A flag's two values are two bins, as a number and as a category, however rare one is, whether it is 0 and 1 or 5 and 7."""
    assert changes(examples(flag(before)), examples(flag(now)))["amount"] == pytest.approx(index, abs=0.001)
    assert changes(examples(5 + 2 * flag(before)), examples(5 + 2 * flag(now)))["amount"] == pytest.approx(index, abs=0.001)
    as_category = [examples(np.zeros(10_000), flag(share)) for share in (before, now)]
    assert changes(*as_category)["colour"] == pytest.approx(index, abs=0.001)


def test_a_value_that_many_rows_share_has_a_bin_of_its_own() -> None:
    """-1 for "never" among four fifths of the rows: whether it is the least, the greatest or in the middle, its share is seen to move."""
    spread = np.random.default_rng(0).uniform(-1000, 1000, 10_000)
    for value in (-2000.0, 0.0, 2000.0):
        before, now = (np.where(flag(share) == 1, value, spread) for share in (0.8, 0.5))
        assert changes(examples(before), examples(now))["amount"] > 0.3


columns = st.lists(st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0, -1.0, np.nan]), min_size=1, max_size=60).map(np.array)


@given(columns, columns, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(before: Values, now: Values, draw: Random) -> None:
    order = np.argsort([draw.random() for _ in now])
    once = changes(examples(before), examples(now))

    assert drift.profile(examples(now), tasks.of(DATA))["columns"] == drift.profile(examples(now[order]), tasks.of(DATA))["columns"]
    assert once["amount"] == changes(examples(before), examples(now[order]))["amount"]
    assert once["amount"] >= 0
    assert changes(examples(now), examples(now))["amount"] == 0


@given(columns)
def test_every_row_is_counted_once(values: Values) -> None:
    column = drift.profile(examples(values), tasks.of(DATA))["columns"]["amount"]

    assert sum(column["counts"]) + column["missing"] == len(values)
    assert len(column["counts"]) == len(column["edges"]) + 1
    assert column["edges"] == sorted(set(column["edges"]))
    assert column["missing"] == np.isnan(values).sum()
    assert len(values) == column["missing"] or column["counts"][-1] > 0


@given(st.lists(st.tuples(st.integers(1, 500), st.integers(1, 500)), min_size=2, max_size=12))
def test_the_index_is_the_sum_of_both_relative_entropies(counts: list[tuple[int, int]]) -> None:
    expected, actual = zip(*counts, strict=True)

    assert drift.index(expected, actual) == pytest.approx(entropy(actual, expected) + entropy(expected, actual), abs=1e-12)


def test_ten_bins_of_a_spread_number_are_numpys_deciles() -> None:
    values, others = np.random.default_rng(0).normal(size=(2, 5_000))
    edges = drift.edges(values, 10)

    assert np.array_equal(edges, np.quantile(values, np.arange(1, 10) / 10, method="inverted_cdf"))
    assert set(drift.counted(values, edges).tolist()) == {500}
    assert np.array_equal(drift.counted(others, edges), np.bincount(np.digitize(others, edges, right=True)))


def test_what_has_become_missing_or_unheard_of_is_a_change() -> None:
    spread = np.random.default_rng(0).normal(size=1_000)
    emptied = np.where(flag(0.3, 1_000) == 1, np.nan, spread)
    red, blue = np.zeros(1_000), np.full(1_000, 2.0)

    assert changes(examples(spread), examples(emptied))["amount"] > 1
    assert changes(examples(spread, red), examples(spread, np.where(flag(0.3, 1_000) == 1, blue, red)))["colour"] > 1
    profile = drift.profile(examples(spread, red), tasks.of(DATA))
    profile["columns"]["colour"]["counts"] = {"red": 600, "violet": 400}
    assert drift.changes(profile, examples(spread, red), tasks.of(DATA))["colour"] > 1


def test_the_target_changes_too_and_a_column_that_was_not_there_cannot() -> None:
    spread = np.random.default_rng(0).normal(size=10_000)
    profile = drift.profile(examples(spread, share=0.05), tasks.of(DATA))
    del profile["columns"]["amount"]

    assert drift.changes(profile, examples(spread, share=0.4), tasks.of(DATA)) == {"colour": 0, "y": pytest.approx(0.8886, abs=0.001)}
    profile["columns"]["colour"]["type"] = "number"
    assert set(drift.changes(profile, examples(spread), tasks.of(DATA))) == {"y"}
