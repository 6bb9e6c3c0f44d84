"""Fairness: the figures are the ones that the definitions say, groups that are too small are not judged, and nobody selected is no pass."""

from __future__ import annotations

import declared
import numpy as np
import pytest
from declared import AMOUNTS, CLASSES, GRADES

from paved_runtime import fairness, tasks
from paved_runtime.fairness import Treatment
from paved_runtime.holdout import Holdout
from paved_runtime.spec import Data, Fairness
from paved_runtime.table import Table
from paved_runtime.verdict import Verdict

DATA = Data.model_validate(
    {
        "target": "y",
        "positive": "1",
        "negative": "0",
        "minimum_rows": 1,
        "holdout": 0.5,
        "columns": {"colour": {"type": "category", "values": ["red", "green", "blue"]}},
    }
)


def rule(**more: float) -> Fairness:
    return Fairness.model_validate({"groups": {"colour": []}, "threshold": 0.5, "minimum_rows": 10, "minimum_positives": 5, **more})


def holdout(*groups: tuple[int, int, int, int]) -> Holdout:
    """Rows of each colour: positive ones, of them selected; negative ones, of them selected."""
    rows = [
        (colour, label, 0.5 if number < selected else 0.49)
        for colour, (positive, right, negative, wrong) in enumerate(groups)
        for label, count, selected in ((True, positive, right), (False, negative, wrong))
        for number in range(count)
    ]
    colours, labels, scores = (np.array(values) for values in zip(*rows, strict=True))
    table = Table({"colour": 0}, colours[:, None].astype(np.float64))
    return Holdout(task=tasks.of(DATA), table=table, labels=labels.astype(np.float64), challenger=scores, champion=None)


def judged(rows: Holdout, rule: Fairness) -> tuple[list[Treatment], dict[str, Verdict]]:
    treatments = fairness.measure(rows, DATA, rule)
    return treatments, {verdict.subject: verdict for verdict in fairness.judge(treatments, rule)}


def test_the_figures_and_their_counts() -> None:
    rows = holdout((10, 8, 30, 12), (20, 10, 20, 2), (8, 8, 2, 1))
    (red, green, blue), verdicts = judged(rows, rule(selection_rate_ratio=0.3, equal_opportunity_difference=0.3))

    assert (len(red.group), red.positives, red.selected, red.selection_rate, red.true_positive_rate) == (40, 10, 20, 0.5, 0.8)
    assert (red.ratio, green.ratio, blue.ratio) == pytest.approx((0.5 / 0.9, 0.3 / 0.9, 1))
    assert (red.shortfall, green.shortfall, blue.shortfall) == pytest.approx((0.2, 0.5, 0))
    assert [verdict.passed for verdict in verdicts.values()] == [True, True, True, False, True, True]
    failed = verdicts["colour green: equal-opportunity difference"]
    assert (failed.found, failed.comparison, failed.threshold) == (0.5, "<=", 0.3)
    assert "0.5000 of its positive rows are selected, of the best group's 1.0000" in failed.advice
    assert red.as_json() == {
        "column": "colour",
        "group": "red",
        "rows": 40,
        "positives": 10,
        "selected": 20,
        "selection_rate": 0.5,
        "selection_rate_ratio": pytest.approx(0.5 / 0.9),
        "true_positive_rate": 0.8,
        "opportunity_difference": pytest.approx(0.2),
        "judged": True,
    }


def test_an_unfair_ratio_fails_with_counts() -> None:
    _, verdicts = judged(holdout((10, 5, 90, 5), (10, 5, 90, 45)), rule(selection_rate_ratio=0.8))
    failed = verdicts["colour red: selection-rate ratio"]

    assert (failed.passed, failed.found, failed.comparison, failed.threshold) == (False, 0.2, ">=", 0.8)
    assert failed.advice.startswith("10 of 100 rows selected, 10 positive, the best group's rate is 0.5000: find")


def test_groups_that_are_too_small_are_reported_and_do_not_set_the_standard() -> None:
    (red, green, blue), verdicts = judged(holdout((10, 5, 90, 5), (10, 5, 90, 5), (5, 5, 4, 4)), rule())

    assert (red.ratio, green.ratio) == (1, 1)
    assert blue.as_json()["judged"] is False
    assert [verdicts[f"colour blue: {kind}"].passed for kind in ("selection-rate ratio", "equal-opportunity difference")] == [None, None]
    assert "9 of 9 rows selected, 5 positive" in verdicts["colour blue: selection-rate ratio"].advice


def test_a_group_may_be_large_enough_for_one_figure_only() -> None:
    _, verdicts = judged(holdout((10, 5, 90, 5), (10, 5, 90, 5), (4, 4, 90, 8)), rule())

    assert verdicts["colour blue: selection-rate ratio"].passed is True
    assert verdicts["colour blue: equal-opportunity difference"].passed is None


def test_one_group_alone_is_compared_with_nobody() -> None:
    _, verdicts = judged(holdout((10, 5, 90, 5), (1, 1, 1, 0)), rule())

    assert {verdict.passed for verdict in verdicts.values()} == {None}


def test_when_nobody_is_selected_it_does_not_pass() -> None:
    _, verdicts = judged(holdout((10, 0, 90, 0), (10, 0, 90, 0)), rule())

    assert verdicts["colour red: selection-rate ratio"].passed is False
    assert verdicts["colour red: selection-rate ratio"].found == "not a number"


def by_part(**more: object) -> Fairness:
    return Fairness.model_validate({"groups": {"part": []}, "minimum_rows": 10, "minimum_positives": 5, **more})


def test_of_classes_those_are_selected_whose_most_probable_one_is_in_favour() -> None:
    """In the north 20 of 40 rows are low or medium, 15 of them are told so, and 5 of the others are, too."""
    told = {place: np.eye(4)[place] * 0.6 + 0.1 for place in range(4)}
    north = [(0.0, 1)] * 15 + [(1.0, 3)] * 5 + [(2.0, 0)] * 5 + [(3.0, 3)] * 15
    south = [(0.0, 0)] * 20 + [(3.0, 2)] * 20
    labels = np.array([label for label, _ in north + south])
    scores = np.array([told[place] for _, place in north + south])
    rows = declared.holdout(GRADES, labels, scores, parts=np.repeat([0.0, 1.0], 40))

    treatments = fairness.measure(rows, GRADES, by_part(selected=["low", "medium"]))
    verdicts = {verdict.subject: verdict for verdict in fairness.judge(treatments, by_part(selected=["low", "medium"]))}

    first = treatments[0].as_json()
    assert (first["positives"], first["selected"], first["true_positive_rate"], first["opportunity_difference"]) == (20, 20, 0.75, 0.25)
    assert verdicts["part north: selection-rate ratio"].passed is True
    assert verdicts["part north: equal-opportunity difference"].passed is False
    assert "error_difference" not in first
    assert set(CLASSES) > {"low", "medium"}


def test_numbers_of_a_group_that_are_off_are_found_and_those_of_all_are_not() -> None:
    labels, scores = declared.measured(3000, 3.0)
    parts = np.arange(3000.0) % 3
    rule = by_part(threshold=5, error_difference=0.1, selection_rate_ratio=0.01, equal_opportunity_difference=0.9)
    spread = labels.std()

    def failed(off: np.ndarray) -> list[tuple[str, object]]:
        rows = declared.holdout(AMOUNTS, labels, scores + off * spread, parts=parts)
        treatments = fairness.measure(rows, AMOUNTS, rule)
        return [(verdict.subject.partition(":")[0], verdict.found) for verdict in fairness.judge(treatments, rule) if not verdict.passed]

    assert failed(np.full(3000, 0.5)) == []
    (group, found), *others = failed(np.where(parts == 1, -0.3, 0.0))
    assert (group, others) in (("part south", []), ("part north", others))
    assert found == pytest.approx(0.2, abs=0.1)


def test_a_group_of_a_few_numbers_is_reported() -> None:
    labels, scores = declared.measured(1000, 3.0)
    parts = np.where(np.arange(1000) < 5, 1.0, 0.0)
    rows = declared.holdout(AMOUNTS, labels, scores + 100 * (parts == 1), parts=parts)
    rule = by_part(threshold=5, selection_rate_ratio=0.01, equal_opportunity_difference=0.9)
    treatments = fairness.measure(rows, AMOUNTS, rule)
    verdicts = {verdict.subject: verdict for verdict in fairness.judge(treatments, rule)}

    small = verdicts["part south: mean error against all rows', in standard deviations of the target"]
    assert small.passed is None
    assert isinstance(small.found, float)
    assert small.found > 5
    assert treatments[2].as_json()["error_difference"] is None  # nobody is in the east
