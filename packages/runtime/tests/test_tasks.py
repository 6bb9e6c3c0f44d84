"""Tasks: their figures are the usual ones, whatever the labels; and what no figure can be had of is said to have none."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from declared import AMOUNTS, BINARY, CLASSES, GRADES, graded, measured
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics  # type: ignore[import-untyped]

from paved_runtime import tasks
from paved_runtime.spec import Data, Gates
from paved_runtime.table import Values

WIDTH = len(CLASSES)
grades, amounts, binary = tasks.of(GRADES), tasks.of(AMOUNTS), tasks.of(BINARY)
places = hnp.arrays(np.float64, st.integers(2, 40), elements=st.integers(0, WIDTH - 1).map(float)).filter(
    lambda labels: len(set(labels)) > 1
)
weights = st.sampled_from([0.0, 1.0, 2.0]) | st.floats(0.01, 1)
numbers = hnp.arrays(np.float64, st.integers(2, 40), elements=st.sampled_from([0.0, 1.0, -3.5]) | st.floats(-1e6, 1e6))


def _probabilities(odds: Values) -> Values:
    return np.asarray((odds + 1e-3) / (odds + 1e-3).sum(axis=1, keepdims=True))


def _answered(labels: Values) -> st.SearchStrategy[tuple[Values, Values]]:
    return st.tuples(st.just(labels), hnp.arrays(np.float64, (len(labels), WIDTH), elements=weights).map(_probabilities))


graded_rows = places.flatmap(_answered)
amount_rows = numbers.filter(lambda labels: np.ptp(labels) > 1e-3).flatmap(
    lambda labels: st.tuples(st.just(labels), hnp.arrays(np.float64, len(labels), elements=st.floats(-1e6, 1e6)))
)


@given(graded_rows)
def test_figures_of_classes_are_the_usual_ones(rows: tuple[Values, Values]) -> None:
    """Of the classes that occur: scikit-learn says nothing of the others."""
    labels, scores = rows
    present, certain = np.unique(labels).astype(int), np.eye(WIDTH)[labels.astype(int)]
    areas = [metrics.roc_auc_score(certain[:, place], scores[:, place]) for place in present]
    predicted = scores.argmax(axis=1)

    figures = grades.metrics(labels, scores)

    assert figures["roc_auc"] == pytest.approx(np.mean(areas), abs=1e-12)
    assert figures["accuracy"] == pytest.approx(metrics.accuracy_score(labels, predicted), abs=1e-12)
    assert figures["f1"] == pytest.approx(metrics.f1_score(labels, predicted, labels=present, average="macro", zero_division=0), abs=1e-12)
    assert figures["log_loss"] == pytest.approx(metrics.log_loss(labels, scores, labels=range(WIDTH)), rel=1e-9)
    assert figures["brier"] == pytest.approx(np.mean(np.sum((certain - scores) ** 2, axis=1)), abs=1e-12)


def test_where_every_class_occurs_the_mean_area_is_that_of_scikit_learn() -> None:
    labels, scores = graded(500, 2.0)

    expected = metrics.roc_auc_score(labels, scores, multi_class="ovr", average="macro", labels=range(WIDTH))
    assert grades.figure(labels, scores) == pytest.approx(expected, abs=1e-12)


@given(amount_rows)
def test_figures_of_numbers_are_the_usual_ones(rows: tuple[Values, Values]) -> None:
    labels, scores = rows
    figures = amounts.metrics(labels, scores)

    assert figures["r2"] == pytest.approx(metrics.r2_score(labels, scores), rel=1e-6)
    assert figures["rmse"] == pytest.approx(metrics.root_mean_squared_error(labels, scores), rel=1e-9)
    assert figures["mae"] == pytest.approx(metrics.mean_absolute_error(labels, scores), rel=1e-9)
    assert figures["bias"] == pytest.approx(np.mean(scores - labels) / np.std(labels), rel=1e-6)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e12])
def test_the_unit_of_a_number_moves_no_figure_that_has_none(scale: float) -> None:
    labels, scores = measured(400, 5.0)
    here, there = amounts.metrics(labels, scores), amounts.metrics(scale * labels + 7 * scale, scale * scores + 7 * scale)

    assert [there[name] for name in ("r2", "bias", "calibration_error")] == pytest.approx(
        [here[name] for name in ("r2", "bias", "calibration_error")], rel=1e-6
    )
    assert there["rmse"] == pytest.approx(scale * here["rmse"], rel=1e-6)


def test_figures_survive_scores_of_single_precision() -> None:
    labels, scores = measured(400, 5.0)
    large, single = 1e12 * labels, (1e12 * scores).astype(np.float32)

    assert amounts.metrics(large, single.astype(np.float64))["r2"] == pytest.approx(amounts.metrics(labels, scores)["r2"], abs=1e-6)


def test_numbers_that_differ_by_less_than_squares_can_tell_have_no_figure() -> None:
    assert amounts.fewest(np.array([0.0, 1e-200])) == amounts.fewest(np.array([])) == 0
    assert amounts.fewest(np.array([1e12, 1e12 + 1])) == 2


@pytest.mark.parametrize("value", [0.1, 1e12, -3.0])
def test_numbers_that_are_all_the_same_have_no_figure(value: float) -> None:
    """The standard deviation of many times 0.1 is not quite 0."""
    labels = np.full(1000, value)
    figures = amounts.metrics(labels, labels + np.arange(1000.0))

    assert amounts.fewest(labels) == 0
    assert amounts.figure(labels, labels) is None
    assert np.isnan([figures["r2"], figures["bias"], figures["calibration_error"]]).all()
    assert np.isfinite([figures["rmse"], figures["mae"]]).all()


@given(graded_rows, st.integers(1, 12))
def test_a_figure_leaves_out_the_classes_with_too_few_rows(rows: tuple[Values, Values], least: int) -> None:
    labels, scores = rows
    frequent = [place for place in range(WIDTH) if (labels == place).sum() >= least]
    kept = np.isin(labels, frequent)

    figure = grades.figure(labels, scores, least)

    assert (figure is None) is (len(frequent) < 2)
    assert (grades.fewest(labels) >= least) is (len(frequent) >= 2)
    if figure is not None:
        areas = [metrics.roc_auc_score(labels[kept] == place, scores[kept, place]) for place in frequent]
        assert figure == pytest.approx(np.mean(areas), abs=1e-12)


def test_rare_classes_are_named_with_their_rows() -> None:
    labels, scores = np.repeat([0.0, 1.0, 2.0], [30, 25, 3]), graded(58, 1.0)[1]

    rare = grades.rare(labels, scores, 25)

    assert {name: rows for name, (rows, _) in rare.items()} == {"high": 3, "severe": 0}
    assert rare["high"][1] == pytest.approx(metrics.roc_auc_score(labels == 2, scores[:, 2]))
    assert rare["severe"][1] is None
    assert binary.rare(np.array([0.0, 1.0]), np.array([0.1, 0.9]), 25) == amounts.rare(labels, labels, 25) == {}


@pytest.mark.parametrize(
    ("row", "refused"),
    [
        ([0.25, 0.25, 0.25, 0.25], False),
        ([1, 0, 0, 0], False),
        ([0.25, 0.25, 0.25, 0.25005], False),
        ([0.25, 0.25, 0.25, 0.26], True),
        ([1.1, -0.1, 0, 0], True),
        ([np.nan, 0.5, 0.25, 0.25], True),
        ([np.inf, 0, 0, 0], True),
    ],
)
def test_probabilities_of_a_row_are_none_below_nothing_and_make_one(row: list[float], refused: bool) -> None:
    scores = np.array([[0.1, 0.2, 0.3, 0.4], row])

    assert grades.refused(scores).tolist() == [False, refused]
    assert grades.refused(scores.astype(np.float32)).tolist() == [False, refused]


def test_a_number_is_refused_where_it_is_none() -> None:
    assert amounts.refused(np.array([-1e300, 0, 1e12, np.nan, np.inf, -np.inf])).tolist() == [False] * 3 + [True] * 3


def test_the_scalar_of_classes_is_the_mean_place_among_them() -> None:
    scores = np.array([[1, 0, 0, 0], [0, 0, 0, 1], [0.5, 0, 0, 0.5], [0, 1, 0, 0]], dtype=np.float64)

    assert grades.scalar(scores) == pytest.approx([0, 1, 0.5, 1 / 3])
    assert amounts.scalar(scores[:, 0]).tolist() == [1, 0, 0.5, 0]


def test_behaviour_is_that_of_the_class_it_names() -> None:
    scores = np.array([[0.1, 0.2, 0.3, 0.4]])

    assert [grades.outcome(scores, name).tolist() for name in CLASSES] == [[0.1], [0.2], [0.3], [0.4]]
    assert amounts.outcome(scores[0], None).tolist() == [0.1, 0.2, 0.3, 0.4]


@pytest.mark.parametrize(
    ("labels", "above"),
    [
        ([1, 2, 3, 4], [3, 4]),
        ([0, 0, 0, 5, 9], [5, 9]),  # most are the smallest
        ([1, 2, 9, 9, 9], [9, 9, 9]),  # most are the largest
        ([3, 3, 3], []),
    ],
)
def test_numbers_are_told_by_whether_they_are_above_the_median(labels: list[float], above: list[float]) -> None:
    values = np.array(labels, dtype=np.float64)
    (event,) = amounts.events(values).values()

    assert values[event].tolist() == above


def test_each_class_may_be_told() -> None:
    labels = np.array([0.0, 1, 3, 1])

    assert {name: rows.tolist() for name, rows in grades.events(labels).items()} == {
        "low": [True, False, False, False],
        "medium": [False, True, False, True],
        "high": [False] * 4,
        "severe": [False, False, True, False],
    }


def test_a_profile_says_how_far_other_labels_are_from_it() -> None:
    labels = graded(1000, 1.0)[0]
    before = json.loads(json.dumps(grades.profile(labels)))
    expected, actual = grades.distribution(before, labels) or ((), ())

    assert expected == pytest.approx(actual)
    assert before["class_shares"] == {name: float((labels == place).mean()) for place, name in enumerate(CLASSES)}
    spread = measured(1000, 1.0)[0]
    numbers = json.loads(json.dumps(amounts.profile(spread)))
    assert amounts.distribution(numbers, spread) == (numbers["target"]["counts"], numbers["target"]["counts"])
    assert numbers["target"]["mean"] == pytest.approx(spread.mean())
    for task, other in ((grades, numbers), (amounts, before), (binary, before), (grades, {"positive_share": 0.5})):
        assert task.distribution(other, labels) is None


@pytest.mark.parametrize(("data", "rows"), [(GRADES, graded(300, 2.0)), (AMOUNTS, measured(300, 5.0))])
def test_scores_that_are_what_they_say_pass_and_others_fail(data: Data, rows: tuple[Values, Values]) -> None:
    task, (labels, scores) = tasks.of(data), rows
    gates = Gates.model_validate({"calibration_error": 0.2, "bias": 0.2})
    certain = np.eye(WIDTH)[labels.astype(int)] if task.width else labels
    wrong = np.roll(certain, 1, axis=1) if task.width else labels + 0.3 * labels.std()

    assert all(verdict.passed for verdict in task.calibration(labels, certain, gates))
    assert not all(verdict.passed for verdict in task.calibration(labels, wrong, gates))
    assert scores.shape == certain.shape


def test_a_bias_is_found_whichever_way_it_goes() -> None:
    labels, scores = measured(400, 2.0)
    for shift in (-5.0, 5.0):
        failed = [verdict for verdict in amounts.calibration(labels, scores + shift, Gates(bias=0.2)) if verdict.passed is False]
        assert failed[0].subject == "bias, in standard deviations of the target"
        assert failed[0].found == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("data", "labels", "scores"),
    [
        (GRADES, *graded(700, 2.0)),
        (GRADES, np.array([0.0, 3.0]), np.array([[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]])),
        (AMOUNTS, *measured(700, 5.0)),
        (AMOUNTS, np.array([1e12, -1e12]), np.array([0.0, 1e12])),
    ],
)
def test_what_is_drawn_is_json(data: Data, labels: Values, scores: Values) -> None:
    drawn = json.loads(json.dumps(tasks.of(data).drawn(labels, scores), allow_nan=False))

    if data.classes:
        _is_of_classes(drawn, labels, scores)
    else:
        assert len(drawn["scatter"]["label"]) == len(drawn["scatter"]["score"]) == min(len(labels), 500)
        assert drawn["errors"]["error"][0] == pytest.approx((scores - labels).min(), rel=1e-5)
        assert drawn["scores"]["score"][-1] == pytest.approx(scores.max(), rel=1e-5)


def _is_of_classes(drawn: dict[str, Any], labels: Values, scores: Values) -> None:
    """Rows of the confusion are what was, columns what was most probable."""
    assert np.array_equal(drawn["confusion"], metrics.confusion_matrix(labels, scores.argmax(axis=1), labels=range(WIDTH)))
    present = {CLASSES[int(label)] for label in labels}
    assert set(drawn["roc"]) == set(drawn["precision_recall"]) == present
    assert set(drawn["reliability"]) == set(drawn["scores"]) == set(CLASSES)
