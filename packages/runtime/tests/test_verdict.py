"""A verdict passes only when a number says so; a failed one is a line that a person can act on."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paved_runtime.verdict import asked_above, at_least, at_most, reported

thresholds = st.floats(-10, 10)


@given(st.floats(), thresholds)
def test_at_least_and_at_most(value: float, threshold: float) -> None:
    least, most = (judge("floor", "x", value, threshold, advice="do this") for judge in (at_least, at_most))

    assert least.passed is (math.isfinite(value) and value >= threshold)
    assert most.passed is (math.isfinite(value) and value <= threshold)
    for verdict in (least, most):
        assert verdict.advice == ("" if verdict.passed else "do this")
        assert json.loads(json.dumps(verdict.as_json(), allow_nan=False))["threshold"] == threshold


@given(st.floats(allow_nan=False, allow_infinity=False), thresholds)
def test_what_is_above_is_asked_and_never_failed(value: float, threshold: float) -> None:
    verdict = asked_above("plausibility", "x", value, threshold, advice="look at this")

    assert verdict.passed is (True if value <= threshold else None)
    assert verdict.advice == ("" if verdict.passed else "look at this")
    assert (verdict.comparison, verdict.threshold) == ("<=", threshold)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("judge", [at_least, at_most, asked_above])
def test_what_is_not_a_number_never_passes(value: float, judge: type) -> None:
    verdict = judge("calibration", "error", value, -math.copysign(1e9, value), advice="repair it")

    assert verdict.passed is False
    assert verdict.found == "not a number"
    assert verdict.advice == "repair it"


def test_a_failed_verdict_is_a_line() -> None:
    verdict = at_least("floor", "ROC AUC", 0.712345678, 0.75, advice="train a better model")

    assert str(verdict) == "floor: ROC AUC: found 0.712346, accepted is >= 0.75: train a better model"


@given(st.floats() | st.none())
def test_what_is_reported_is_not_judged(value: float | None) -> None:
    verdict = reported("slices", "age 60 and above", value, why="too few rows")

    assert (verdict.passed, verdict.threshold, verdict.advice) == (None, None, "too few rows")
    assert verdict.found is None or math.isfinite(float(verdict.found))
