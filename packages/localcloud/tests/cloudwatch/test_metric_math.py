"""Metric math computes what alarms need, and refuses the rest by name."""

from __future__ import annotations

import pytest
from moto.cloudwatch.exceptions import ValidationError

from localcloud.cloudwatch.metric_math import Expression

pytestmark = pytest.mark.laptop("expressions are computed by functions")
HELD: dict[str, list[float | None]] = {"a": [1, 2, None], "b": [4, None, 6], "none": [None, None, None]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + b * 2", [9, None, None]),
        ("-(a - 4) / 2", [1.5, 1, None]),
        ("a / (a - a)", [None, None, None]),
        ("a >= 2", [0, 1, None]),
        ("a != 1 AND b = b", None),
        ("a == 1 AND b == 4 || none", [None, None, None]),
        ("a > 1 OR a < 2", [1, 1, None]),
        ("ABS(a - b)", [3, None, None]),
        ("MAX([ABS(a-b), a, 0.5])", [3, 2, 0.5]),
        ("MIN([a, b]) + SUM([a, b]) + AVG([a, b])", [8.5, 6, 18]),
        ("AVG([none])", [None, None, None]),
        ("IF(a > 1, b, -1)", [-1, None, None]),
        ("IF(FILL(a, 0) >= 1, a)", [1, 2, None]),
        ("FILL(b, 0)", [4, 0, 6]),
        ("FILL(a, REPEAT)", [1, 2, 2]),
    ],
)
def test_metric_math(text: str, expected: list[float | None] | None) -> None:
    if expected is None:
        with pytest.raises(ValidationError):
            Expression(text)
    else:
        assert Expression(text)(HELD, 3) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("RATE(a)", "the function RATE"),
        ("ANOMALY_DETECTION_BAND(a, 2)", "ANOMALY_DETECTION_BAND"),
        ("MAX(a)", "of a list"),
        ("FILL(a, LINEAR)", "LINEAR"),
        ("a ^ 2", "a \\^ 2"),
        ("1 < a < 3", "1 < a < 3"),
        ("a.b", "a.b"),
        ("Sum(a)", "Sum"),
        ("a +", "cannot be read"),
        ("'x'", "'x'"),
    ],
)
def test_other_math_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Expression(text)
