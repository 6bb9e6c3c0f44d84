"""Proposed gates: what was seen over several splits, with a margin that the model passes and a worse one would not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli import proposals
from cli.local_training import Training, Violations
from cli.outcomes import Amounts, Outcomes, Several, Two
from cli.problem import Problem
from cli.proposals import SPLITS, Gates

FILE = Path("data.csv")
Check = dict[str, Any]


def training(
    figure: float, *, headline: str = "roc_auc", calibration: float = 0.02, checks: Sequence[Mapping[str, Any]] = (), **more: Any
) -> Training:
    metrics = {headline: {"value": figure}, "calibration_error": {"value": calibration}, "bias": {"value": -0.04}}
    return Training(home=Path(), evaluation={"metrics": metrics, **more}, report={}, checks=checks, seconds=0)


def check(rule: str, found: str, column: str = "a") -> Check:
    return {"rule": rule, "column": column, "found": found, "allowed": "less", "rows": [], "count": 0, "advice": "take it out"}


def two(share: float) -> Outcomes:
    return Two(positive="yes", counts={"yes": round(share * 10**6), "no": 10**6 - round(share * 10**6)})


def proposed(figures: Sequence[float], *, rows: int = 2000, outcomes: Outcomes | None = None, **more: Any) -> Gates:
    return proposals.propose([training(figure, **more) for figure in figures], outcomes or two(0.2), rows=rows)


CHECKS = check("leak", "0.71"), check("pair leak", "0.76", "a and b"), check("duplicates", "0.013")


def test_a_gate_is_what_was_seen_and_a_margin() -> None:
    gates = proposed([0.80, 0.82, 0.81, 0.79, 0.83], calibration=0.04, checks=CHECKS)

    assert (gates.floor, gates.champion_margin) == (0.76, 0.02)  # three deviations of 0.0158 below the mean, and one
    assert gates.seen == pytest.approx((0.81, 0.0158), abs=1e-4)
    assert (gates.calibration_error, gates.calibration_error_seen) == (0.08, 0.04)
    assert (gates.maximum_column_auc, gates.maximum_pair_auc, gates.maximum_duplicates) == (0.76, 0.86, 0.04)
    assert gates.suspicious == 0.86
    assert gates.usual == (0.1, 0.4)
    assert gates.minimum_rows == 1000


def test_two_columns_may_tell_as_much_as_all_of_them_and_more_where_they_were_seen_to() -> None:
    gates = proposed([0.75] * SPLITS, checks=[check("leak", "0.6"), check("pair leak", "0.78", "a and b")])
    assert (gates.maximum_pair_auc, gates.suspicious) == (0.83, 0.8)


def test_margins_have_a_least() -> None:
    gates = proposed([0.80] * SPLITS, calibration=0.001)
    assert (gates.floor, gates.calibration_error, gates.champion_margin) == (0.78, 0.05, 0.01)


def test_many_equal_rows_are_different_cases() -> None:
    assert proposed([0.8] * SPLITS, checks=[check("duplicates", "0.4")]).maximum_duplicates == 1


def test_a_coin_is_no_model() -> None:
    with pytest.raises(Problem, match=rf"the columns do not tell the outcome: over {SPLITS} splits the ROC AUC is 0\.540 ± 0\.016, where"):
        proposed([0.52, 0.54, 0.56, 0.53, 0.55])


GRADES = Several(counts={"low": 500, "medium": 1200, "high": 300})
SUMS = Amounts(numbers=[float(number) for number in range(101)], whole=True)


def test_classes_are_told_by_a_column_more_often() -> None:
    checks = [check("leak", "0.9600 for 'high'"), check("pair leak", "0.9800 for 'low'", "a and b")]
    gates = proposed([0.9, 0.91, 0.92, 0.9, 0.91], outcomes=GRADES, checks=checks)

    assert (gates.floor, gates.usual) == (0.88, (0.075, 0.8))
    assert (gates.maximum_column_auc, gates.maximum_pair_auc) == (0.995, 0.9995)


def test_numbers_have_a_floor_of_r2_a_bias_and_a_mean() -> None:
    gates = proposed([0.40, 0.45, 0.35, 0.42, 0.38], outcomes=SUMS, headline="r2", calibration=0.2)

    assert (gates.floor, gates.suspicious, gates.champion_margin) == (0.28, 0.52, 0.04)
    assert (gates.bias, gates.bias_seen, gates.calibration_error) == (0.08, 0.04, 0.4)
    assert gates.usual == pytest.approx((50 - SUMS.deviation / 2, 50 + SUMS.deviation / 2), abs=0.01)


def test_of_numbers_the_mean_of_all_rows_is_no_model() -> None:
    with pytest.raises(Problem, match=r"splits the R² is 0\.024 ± 0\.011, where the mean of all rows has 0"):
        proposed([0.01, 0.02, 0.03, 0.02, 0.04], outcomes=SUMS, headline="r2")


def test_sampled_reasons_may_be_as_uncertain_as_they_were() -> None:
    assert proposed([0.8] * SPLITS, reasons={"mean_error": 0.01}).reasons_error == 0.05
    assert proposed([0.8] * SPLITS, reasons={"mean_error": 0.08}).reasons_error == 0.16
    assert proposed([0.8] * SPLITS, reasons={"mean_error": None}).reasons_error == 0.05


@given(
    areas=st.lists(st.floats(0.55, 1), min_size=SPLITS, max_size=SPLITS),
    rows=st.integers(1, 10**6),
    share=st.floats(0.0005, 0.9995),
    calibration=st.floats(0, 1),
    alone=st.floats(0.5, 0.9),
    paired=st.floats(0.5, 0.95),
    repeated=st.floats(0, 1),
)
def test_what_was_seen_passes(
    areas: list[float], rows: int, share: float, calibration: float, alone: float, paired: float, repeated: float
) -> None:
    checks = [check("leak", f"{alone:.4f}"), check("duplicates", f"{repeated:.4f}"), check("pair leak", f"{paired:.4f}", "a and b")]
    try:
        gates = proposed(areas, rows=rows, outcomes=two(share), calibration=calibration, checks=checks)
    except Problem:
        assert sum(areas) / SPLITS < 0.85  # the splits differ so much that the least may be chance
        return
    assert 0.5 <= gates.floor < max(gates.seen[0], 0.5001)
    assert calibration <= gates.calibration_error <= 1
    assert float(checks[0]["found"]) <= gates.maximum_column_auc <= 0.95
    assert max(float(checks[2]["found"]), gates.maximum_column_auc) <= gates.maximum_pair_auc <= 0.97
    assert gates.floor < gates.suspicious <= 1
    assert float(checks[1]["found"]) <= gates.maximum_duplicates <= 1
    least, most = gates.usual
    assert 0 <= least < share < most <= 1
    assert 1 <= gates.minimum_rows <= rows
    assert 0 < gates.champion_margin < 0.5


def test_columns_that_tell_the_outcome_are_named() -> None:
    leaks = Violations("churn", [check("leak", "0.97"), check("missing leak", "0.72, empty in 45.0%", "b")])
    assert proposals.leaks(leaks, FILE) == {
        "a": "it tells the outcome by itself (ROC AUC 0.97): known only afterwards?",
        "b": "which of its cells are empty tells the outcome (ROC AUC 0.72, empty in 45.0%): filled only afterwards?",
    }


@pytest.mark.parametrize("leak", [check("pair leak", "0.97", "a and b"), check("missing leak", "0.97", "")])
def test_of_columns_that_tell_the_outcome_together_a_person_says_which_is_the_leak(leak: Check) -> None:
    with pytest.raises(Problem, match=r"expected less, found 0\.97: take it out"):
        proposals.leaks(Violations("churn", [check("leak", "0.97"), leak]), FILE)


def test_what_else_is_wrong_with_the_data_set_is_a_problem_of_it() -> None:
    both = Violations("churn", [check("leak", "0.97"), check("outcomes", "6 of the rarer one", "y")])
    with pytest.raises(Problem, match=r"data file data\.csv: column 'y': expected less, found 6 of the rarer one: take it out"):
        proposals.leaks(both, FILE)
