"""Differences of classes and of numbers: those of the repeated rows, as sure as they say, and not fooled by outcomes of a few rows."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from declared import AMOUNTS, GRADES, Drawn, graded, holdout, measured
from hypothesis import given
from hypothesis import strategies as st

from paved_runtime import tasks
from paved_runtime.comparison import between
from paved_runtime.differences import Difference, of_amounts, of_classes
from paved_runtime.spec import Data
from paved_runtime.table import Values

CASES = pytest.mark.parametrize(("data", "drawn", "of"), [(GRADES, graded, of_classes), (AMOUNTS, measured, of_amounts)])
Compared = Callable[..., Difference]


@CASES
@given(st.integers(0, 10_000), st.integers(10, 60), st.floats(0.5, 20), st.floats(0.5, 20))
def test_it_is_that_of_the_headlines_whatever_the_order_of_the_rows(
    data: Data, drawn: Drawn, of: Compared, seed: int, rows: int, ours: float, theirs: float
) -> None:
    labels, challenger, champion = drawn(rows, ours, theirs, seed=seed)
    task = tasks.of(data)
    if not task.fewest(labels):
        return
    apart = of(labels, challenger, champion, confidence=0.9, resamples=200)
    headlines = [task.figure(labels, scores) for scores in (challenger, champion)]

    assert headlines[0] is not None
    assert headlines[1] is not None
    assert apart.value == pytest.approx(headlines[0] - headlines[1], abs=1e-9, rel=1e-9)
    assert apart.low <= apart.high
    assert apart == of(labels, challenger, champion, confidence=0.9, resamples=200)


@CASES
def test_the_same_scores_differ_by_nothing_at_all(data: Data, drawn: Drawn, of: Compared) -> None:
    labels, scores = drawn(300, 3.0)

    assert of(labels, scores, scores, confidence=0.99) == Difference(0.0, 0.0, 0.0, 0.99)
    assert tasks.of(data).difference(labels, scores, scores, 0.99).high == 0


@pytest.mark.parametrize(("drawn", "of"), [(graded, of_classes), (measured, of_amounts)])
def test_bounds_are_on_the_wrong_side_as_often_as_they_say(drawn: Drawn, of: Compared) -> None:
    """Each one-sided bound at 0.9 is on the wrong side of the true difference, 0, in about a tenth of the samples."""
    samples = [of(*drawn(500, 3.0, 3.0, seed=seed), confidence=0.9, resamples=300) for seed in range(200)]

    assert 0.04 <= np.mean([sample.low > 0 for sample in samples]) <= 0.17
    assert 0.04 <= np.mean([sample.high < 0 for sample in samples]) <= 0.17


@CASES
def test_bounds_of_a_worse_one_hold_what_it_truly_is(data: Data, drawn: Drawn, of: Compared) -> None:
    labels, challenger, champion = drawn(300_000, 4.0, 3.0, seed=1)
    task = tasks.of(data)
    truth = (task.figure(labels, challenger) or 0) - (task.figure(labels, champion) or 0)
    samples = [of(*drawn(500, 4.0, 3.0, seed=seed), confidence=0.9, resamples=300) for seed in range(100, 250)]

    assert truth < 0
    assert 0.04 <= np.mean([sample.low > truth for sample in samples]) <= 0.17
    assert 0.04 <= np.mean([sample.high < truth for sample in samples]) <= 0.17


def test_numbers_that_one_row_alone_has_leave_bounds_that_are_numbers() -> None:
    """In a third of the draws that row is not there, and there is no R²."""
    labels = np.append(np.full(99, 0.1), 2.0)
    apart = of_amounts(labels, labels + 0.01, labels - np.linspace(0, 0.1, 100), confidence=0.95)

    assert np.isfinite([apart.value, apart.low, apart.high]).all()
    assert apart.low <= apart.value <= apart.high


@pytest.mark.parametrize("scale", [1e-9, 1e12])
def test_the_unit_of_numbers_does_not_matter(scale: float) -> None:
    rows = measured(400, 4.0, 5.0)
    here = of_amounts(*rows, confidence=0.95)
    there = of_amounts(*(scale * (values + 1000) for values in rows), confidence=0.95)

    assert (there.value, there.low, there.high) == pytest.approx((here.value, here.low, here.high), rel=1e-4)


@pytest.mark.parametrize(("rows", "of"), [(graded(20_000, 2.0, 2.0), of_classes), (measured(50_000, 5.0, 5.0), of_amounts)])
def test_memory_is_bounded(rows: tuple[Values, ...], of: Compared) -> None:
    """All resamples at once would be 320 MB, or 800, of weights alone."""
    tracemalloc.start()
    of(*rows, confidence=0.95)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 40e6


@pytest.mark.parametrize("rare", [1, 3, 24])
def test_a_class_of_a_few_rows_does_not_decide(rare: int) -> None:
    """Of the rarest class the challenger happens to get all rows wrong: of so few rows that says nothing, and no draw knows it."""
    labels, challenger, champion = graded(2000, 2.0, 2.0, shares=(0.5, 0.3, 0.2, 0.0))
    few = np.full(rare, 3.0)
    wrong, right = np.tile([0.9, 0.05, 0.05, 0.0], (rare, 1)), np.tile([0.0, 0.05, 0.05, 0.9], (rare, 1))
    with_few = holdout(GRADES, np.append(labels, few), np.concatenate([challenger, wrong]), np.concatenate([champion, right]))
    every = np.ones(len(with_few), dtype=np.bool_)

    apart, without = between(with_few, every, 0.95), of_classes(labels, challenger, champion, confidence=0.95)

    assert apart == without
    counted = between(with_few, every, 0.95, least=rare)
    assert counted is not None
    assert counted.value < -0.2


def test_a_class_of_25_rows_counts() -> None:
    labels, challenger, champion = graded(2000, 2.0, 2.0)
    rare = np.flatnonzero(labels == 3)
    kept = np.setdiff1d(np.arange(2000), rare[25:])
    rows = holdout(GRADES, labels[kept], challenger[kept], champion[kept])

    assert between(rows, np.ones(len(kept), dtype=np.bool_), 0.95) == of_classes(
        labels[kept], challenger[kept], champion[kept], confidence=0.95
    )


def test_where_all_classes_but_one_are_rare_they_are_compared_all_the_same() -> None:
    """As two outcomes are: bounds are wide then, and what cannot be excluded is refused."""
    labels, challenger, champion = graded(60, 2.0, 2.0, shares=(0.8, 0.1, 0.1, 0.0))
    apart = between(holdout(GRADES, labels, challenger, champion), np.ones(60, dtype=np.bool_), 0.95)

    assert apart == of_classes(labels, challenger, champion, confidence=0.95)
