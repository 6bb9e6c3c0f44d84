"""Alarms follow CloudWatch's published tables, at times of the test's choosing, and give its reasons."""

from __future__ import annotations

import json
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto.cloudwatch.models import Alarm

from localcloud.cloudwatch import alarm_metrics, alarms, metrics
from localcloud.cloudwatch.alarm_states import ALARM, OK, UNKNOWN, state
from localcloud.testing import ACCOUNT, REGION
from localcloud.testing.endpoints import Json
from localcloud.testing.in_process import Aws

pytestmark = pytest.mark.laptop("alarms are evaluated at times of the test's choosing")
KEPT = "kept"
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
POINTS = {"0": False, "X": True, "-": None}


# "Configuring how CloudWatch alarms treat missing data": the two tables, and the text on premature transitions
@pytest.mark.parametrize(
    ("needed", "points", "expected"),
    [
        (3, "0-X-X", (OK, OK, OK, OK)),
        (3, "0----", (OK, OK, OK, OK)),
        (3, "-----", (UNKNOWN, KEPT, ALARM, OK)),
        (3, "0XX-X", (ALARM, ALARM, ALARM, ALARM)),
        (3, "--X--", (ALARM, KEPT, ALARM, OK)),
        (2, "0-X-X", (ALARM, ALARM, ALARM, ALARM)),
        (2, "00X0X", (ALARM, ALARM, ALARM, ALARM)),
        (2, "0-X--", (OK, OK, ALARM, OK)),
        (2, "----0", (OK, OK, ALARM, OK)),
        (2, "---X-", (ALARM, KEPT, ALARM, OK)),
        (3, "----X", (OK, KEPT, ALARM, OK)),
        (3, "---X-", (OK, KEPT, ALARM, OK)),
    ],
)
def test_missing_data_is_treated_as_cloudwatch_says(needed: int, points: str, expected: tuple[str, ...]) -> None:
    range_ = [POINTS[p] for p in points]
    states = [state(range_, needed=needed, periods=3, missing=m, current=KEPT) for m in TREATMENTS]

    assert tuple(states) == expected


ranges = st.lists(st.sampled_from([True, False, None]), min_size=5, max_size=5)


@given(points=ranges, needed=st.integers(1, 3), missing=st.sampled_from(TREATMENTS))
def test_whole_data_need_no_treatment_and_more_breaches_never_calm(points: list[bool | None], needed: int, missing: str) -> None:
    def outcome(observed: list[bool | None]) -> str:
        return state(observed, needed=needed, periods=3, missing=missing, current=OK)

    real = [p for p in points if p is not None]
    if len(real) >= 3:
        assert outcome(points) == (ALARM if sum(real[-3:]) >= needed else OK)
    if outcome(points) == ALARM:
        assert outcome([p if p is None else True for p in points]) == ALARM


def virtual(**members: Any) -> Any:
    """An alarm on a metric of its own, known to nobody, for `evaluate` at a time of the test's choosing."""
    plain: Json = {
        "account_id": ACCOUNT,
        "region_name": REGION,
        "name": "virtual",
        "namespace": "Lab",
        "metric_name": "m",
        "metric_data_queries": None,
        "comparison_operator": "GreaterThanThreshold",
        "evaluation_periods": 3,
        "datapoints_to_alarm": 2,
        "period": 60,
        "threshold": 1.0,
        "statistic": "Average",
        "extended_statistic": None,
        "description": "",
        "dimensions": [],
        "alarm_actions": [],
        "ok_actions": [],
        "insufficient_data_actions": [],
        "unit": None,
        "actions_enabled": True,
        "treat_missing_data": None,
        "evaluate_low_sample_count_percentile": None,
        "threshold_metric_id": None,
        "rule": None,
    }
    return Alarm(**(plain | members))


def recorded(metric: str, points: list[tuple[float, float]]) -> None:
    for at, value in points:
        metrics.record(metrics.Metric(ACCOUNT, REGION, "Lab", metric, frozenset()), value, at=at)


numbers = count()


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data(), points=st.lists(st.tuples(st.floats(0, 2.99), st.floats(0, 2)), max_size=12))
def test_the_order_of_datapoints_does_not_matter(aws: Aws, data: st.DataObject, points: list[tuple[float, float]]) -> None:
    period = 60 / aws.cloud.speed
    states = []
    for order in (points, data.draw(st.permutations(points))):
        name = f"order-{next(numbers)}"
        recorded(name, [(6e8 + 0.1 + at * period, value) for at, value in order])
        alarm = virtual(metric_name=name)
        alarms.evaluate(alarm, 6e8 + 0.1 + 3 * period)
        states.append(alarm.state_value)

    assert states[0] == states[1]


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [
        ("GreaterThanThreshold", {3}),
        ("GreaterThanOrEqualToThreshold", {2, 3}),
        ("LessThanThreshold", {1}),
        ("LessThanOrEqualToThreshold", {1, 2}),
    ],
)
def test_values_are_compared_with_the_threshold(aws: Aws, comparison: str, expected: set[int]) -> None:
    in_alarm = set()
    for value in (1, 2, 3):
        name = f"{comparison}-{value}"
        recorded(name, [(6e8 + 0.1, value)])
        alarm = virtual(metric_name=name, comparison_operator=comparison, threshold=2.0, evaluation_periods=1, datapoints_to_alarm=None)
        alarms.evaluate(alarm, 6e8 + 0.1 + 60 / aws.cloud.speed)
        in_alarm |= {value} if alarm.state_value == ALARM else set()

    assert in_alarm == expected


@pytest.mark.usefixtures("aws")
def test_a_change_gives_cloudwatchs_reason() -> None:
    recorded("reason", [(6e8 + 0.3, 0.5), (6e8 + 0.9, 4.0), (6e8 + 1.5, 5.0)])
    alarm = virtual(metric_name="reason")
    alarms.evaluate(alarm, 6e8 + 1.85)

    assert alarm.state_reason == (
        "Threshold Crossed: 3 out of the last 3 datapoints [5.0 (05/01/89 10:40:01), 4.0 (05/01/89 10:40:00), 0.5 (05/01/89 10:40:00)]"
        " were greater than the threshold (1.0) (minimum 2 datapoints for OK -> ALARM transition)."
    )
    assert json.loads(alarm.state_reason_data)["recentDatapoints"] == [0.5, 4.0, 5.0]
    alarms.evaluate(alarm, 6e8 + 600)
    assert (alarm.state_value, alarm.state_reason) == (UNKNOWN, "Insufficient Data: 3 datapoints were unknown.")


@pytest.mark.parametrize(
    ("period", "periods", "every"),
    [(10, 3, 10), (30, 1, 10), (60, 5, 60), (300, 3, 60), (86400, 1, 60), (86400, 2, 3600), (3600, 25, 3600)],
)
def test_how_often_an_alarm_is_evaluated(aws: Aws, period: int, periods: int, every: int) -> None:
    assert alarm_metrics.step(SimpleNamespace(period=period, evaluation_periods=periods)) == every / aws.cloud.speed
