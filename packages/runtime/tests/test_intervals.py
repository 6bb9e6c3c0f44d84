"""The intervals of evaluation's figures: of the usual figures, holding what was measured, and the truth as often as they say."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from declared import AMOUNTS, GRADES, graded, measured
from frames import DATA
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from paved_runtime import tasks
from paved_runtime.intervals import CLASS_FIGURES, ClassFigures, Figures, calibration_error, of_amounts, of_classes, of_outcomes
from paved_runtime.table import Mask, Values

METRICS = ("average_precision", "brier", "log_loss")
scores = st.sampled_from([0.0, 0.25, 0.5, 1.0]) | st.floats(0, 1)
outcomes = hnp.arrays(np.bool_, st.integers(4, 40)).filter(lambda labels: 1 < labels.sum() < len(labels) - 1)
examples = outcomes.flatmap(lambda labels: st.tuples(st.just(labels), hnp.arrays(np.float64, len(labels), elements=scores)))


def measure(labels: Mask, scores: Values) -> dict[str, float]:
    return tasks.of(DATA).metrics(labels.astype(np.float64), scores)


def figures(labels: Mask, scores: Values) -> Figures:
    return Figures(np.sort(scores[labels]), np.sort(scores[~labels]))


@given(examples)
def test_with_every_row_once_they_are_the_usual_figures(example: tuple[Mask, Values]) -> None:
    measured, usual = figures(*example).measured, measure(*example)

    assert measured[:3] == pytest.approx([usual[name] for name in METRICS], abs=1e-9)
    assert np.abs(measured[3:]).sum() == pytest.approx(usual["calibration_error"], abs=1e-9)


@given(examples, st.integers(0, 9))
def test_with_weights_they_are_those_of_the_repeated_rows(example: tuple[Mask, Values], seed: int) -> None:
    labels, values = example
    positive, negative = np.sort(values[labels]), np.sort(values[~labels])
    draw = np.random.default_rng(seed)
    rows = [draw.integers(0, len(part), len(part)) for part in (positive, negative)]
    weights = [np.bincount(drawn, minlength=len(drawn))[None] for drawn in rows]
    repeated = np.concatenate([positive[rows[0]], negative[rows[1]]])
    usual = measure(np.arange(len(labels)) < len(positive), repeated)

    assert Figures(positive, negative).of(*weights)[0, :3] == pytest.approx([usual[name] for name in METRICS], abs=1e-9)


@given(examples)
def test_they_hold_what_was_measured_whatever_the_order_of_the_rows(example: tuple[Mask, Values]) -> None:
    labels, values = example
    measured, once = measure(labels, values), of_outcomes(labels, values)

    assert set(once) == set(measured)
    for name, (low, high) in once.items():
        assert low - 1e-9 <= measured[name] <= high + 1e-9
    assert of_outcomes(labels[::-1], values[::-1]) == once


@pytest.mark.parametrize("positives", [0, 1, 9, 10])
def test_without_two_rows_of_either_outcome_there_are_none(positives: int) -> None:
    assert of_outcomes(np.arange(10) < positives, np.linspace(0, 1, 10)) == {}


def test_memory_is_bounded() -> None:
    """All resamples at once would be 160 MB of weights alone."""
    labels, values = drawn(np.random.default_rng(1), 2000, 18_000)
    tracemalloc.start()
    of_outcomes(labels, values)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 40e6


def drawn(draw: np.random.Generator, positives: int, negatives: int, shift: float = 0.0) -> tuple[Mask, Values]:
    """So many rows of either outcome, and their scores, which are their probabilities, moved in log-odds by `shift`."""
    log_odds = draw.normal(-1.5, 1.2, 12 * (positives + negatives))
    outcome = draw.random(len(log_odds)) < 1 / (1 + np.exp(-log_odds))
    rows = np.concatenate([np.flatnonzero(outcome)[:positives], np.flatnonzero(~outcome)[:negatives]])
    return outcome[rows], 1 / (1 + np.exp(-(log_odds[rows] + shift)))


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_they_hold_the_truth_as_often_as_they_say(shift: float) -> None:
    """95 in 100, give or take 3: of scores that are probabilities, and of scores that are too high."""
    truth = measure(*drawn(np.random.default_rng(0), 75_000, 225_000, shift))
    held = dict.fromkeys(truth, 0)
    for seed in range(1, 301):
        for name, (low, high) in of_outcomes(*drawn(np.random.default_rng(seed), 100, 300, shift)).items():
            held[name] += low <= truth[name] <= high

    shares = {name: count / 300 for name, count in held.items()}
    assert all(0.92 <= share <= 0.98 for share in shares.values()), shares


def test_a_calibration_error_that_may_be_chance_may_be_none() -> None:
    deviations = np.random.default_rng(1).normal(0, 0.01, (1000, 10))
    low, high = calibration_error(np.full(10, 0.003), deviations)
    surely, _ = calibration_error(np.full(10, 0.03), deviations)

    assert low == 0.0
    assert high == pytest.approx(0.03, abs=1e-9)
    assert 0.2 < surely < 0.3


places = hnp.arrays(np.float64, st.integers(4, 40), elements=st.integers(0, 3).map(float)).filter(lambda labels: len(set(labels)) > 1)
graded_rows = places.flatmap(
    lambda labels: st.tuples(
        st.just(labels), hnp.arrays(np.float64, (len(labels), 4), elements=st.sampled_from([0.01, 1.0]) | st.floats(0.01, 1))
    )
)
numbers = st.sampled_from([0.0, 1.0]) | st.floats(-1e3, 1e3)
amount_rows = (
    st.integers(3, 40)
    .flatmap(lambda rows: st.tuples(*[hnp.arrays(np.float64, rows, elements=numbers)] * 2))
    .filter(lambda rows: np.ptp(rows[0]) > 1)
)


def shares(odds: Values) -> Values:
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


@given(graded_rows, st.integers(0, 9))
def test_those_of_classes_are_those_of_the_repeated_rows(rows: tuple[Values, Values], seed: int) -> None:
    labels, scores, draw = rows[0], shares(rows[1]), np.random.default_rng(seed)
    parts = [np.flatnonzero(labels == place) for place in np.unique(labels)]
    drawn = [draw.integers(0, len(part), len(part)) for part in parts]
    repeated = np.concatenate([part[chosen] for part, chosen in zip(parts, drawn, strict=True)])
    weights = [np.bincount(chosen, minlength=len(chosen))[None] for chosen in drawn]
    usual = tasks.of(GRADES).metrics(labels[repeated], scores[repeated])

    figures = ClassFigures(labels, scores).of(weights)[0]

    assert figures[: len(CLASS_FIGURES)] == pytest.approx([usual[name] for name in CLASS_FIGURES], abs=1e-9)


@given(graded_rows)
def test_those_of_classes_hold_what_was_measured(rows: tuple[Values, Values]) -> None:
    labels, scores = rows[0], shares(rows[1])
    usual, once = tasks.of(GRADES).metrics(labels, scores), of_classes(labels, scores)

    alone = min(np.unique(labels, return_counts=True)[1]) == 1
    assert set(once) == set(usual) - ({"roc_auc", "f1"} if alone else set())
    assert all(low - 1e-9 <= usual[name] <= high + 1e-9 for name, (low, high) in once.items())


@given(amount_rows)
def test_those_of_numbers_hold_what_was_measured(rows: tuple[Values, Values]) -> None:
    usual, once = tasks.of(AMOUNTS).metrics(*rows), of_amounts(*rows)

    assert set(once) == set(usual)
    assert np.isfinite(list(once.values())).all()
    assert all(low - 1e-6 * abs(low) - 1e-9 <= usual[name] <= high + 1e-6 * abs(high) + 1e-9 for name, (low, high) in once.items())


def test_one_class_or_one_number_has_none() -> None:
    assert of_classes(np.ones(10), np.full((10, 4), 0.25)) == {}
    assert of_amounts(np.full(10, 0.1), np.arange(10.0)) == of_amounts(np.array([1.0]), np.array([2.0])) == {}


def test_a_number_that_one_row_alone_has_leaves_bounds_that_are_numbers() -> None:
    """In a third of the draws it is not there: they have no R²."""
    labels = np.append(np.full(59, 0.1), 3.0)

    assert np.isfinite(list(of_amounts(labels, np.linspace(0, 1, 60)).values())).all()


@pytest.mark.parametrize("task", ["classes", "numbers"])
def test_memory_of_every_task_is_bounded(task: str) -> None:
    """All resamples at once would be 160 MB of weights alone."""
    rows = graded(20_000, 2.0) if task == "classes" else measured(20_000, 5.0)
    tracemalloc.start()
    (of_classes if task == "classes" else of_amounts)(*rows)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 40e6


@pytest.mark.slow
@pytest.mark.parametrize("task", ["classes", "numbers"])
def test_those_of_every_task_hold_the_truth_as_often_as_they_say(task: str) -> None:
    """95 in 100, give or take 4: quantiles of resampled values are a little narrow where rows are few."""
    drawn_rows, of, data = (graded, of_classes, GRADES) if task == "classes" else (measured, of_amounts, AMOUNTS)
    truth = tasks.of(data).metrics(*drawn_rows(400_000, 3.0, seed=10_000))
    held = dict.fromkeys(truth, 0)
    for seed in range(300):
        for name, (low, high) in of(*drawn_rows(600, 3.0, seed=seed)).items():
            held[name] += low <= truth[name] <= high

    shares_held = {name: count / 300 for name, count in held.items()}
    assert all(0.91 <= share <= 0.99 for share in shares_held.values()), shares_held
