"""What versions say of the rows that they scored, as CloudWatch counts it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import naming
from paved_runtime.protocol import REFUSED, SCORED_ROWS, SCORES, VERSION_DIMENSION, score_percentile
from pipelines.deployment.score_metrics import ScoreMetrics
from pipelines.serving_stack import PERCENTILES
from stacks.constructs.score_metrics import PER_EVENT
from stacks.constructs.score_metrics import VERSION as STACKS_DIMENSION
from tests.reference import CONFIG, MODEL
from tests.support.fakes import Fake

VERSION = "0123456789ab"
NAMESPACE = naming.metric_namespace(CONFIG, MODEL, CONFIG.environments[-1])


def test_the_metrics_are_those_that_the_stack_makes_of_the_log() -> None:
    assert {SCORED_ROWS, *map(score_percentile, PERCENTILES)} < set(PER_EVENT[SCORES])
    assert REFUSED in PER_EVENT
    assert VERSION_DIMENSION == STACKS_DIMENSION


@pytest.mark.parametrize(("age", "period"), [(timedelta(minutes=5), 60), (timedelta(days=2), 3600), (timedelta(days=90), 86400)])
def test_rows_are_counted_in_periods_that_one_answer_can_hold(age: timedelta, period: int) -> None:
    cloudwatch = Fake(get_metric_statistics=lambda **_: {"Datapoints": [{"Sum": 40.0}, {"Sum": 2.0}]})
    metrics = ScoreMetrics(cloudwatch=cloudwatch, namespace=NAMESPACE)

    assert metrics.rows(VERSION, since=datetime.now(UTC) - age) == 42
    (asked,) = cloudwatch.asked("get_metric_statistics")
    assert asked["Period"] == period
    assert (asked["EndTime"] - asked["StartTime"]).total_seconds() / period <= 1440
    assert (asked["Namespace"], asked["Dimensions"]) == (NAMESPACE, [{"Name": "ModelVersion", "Value": VERSION}])


def test_a_percentile_is_the_mean_of_what_each_line_says() -> None:
    points: list[dict[str, Any]] = [{"Sum": 0.5, "SampleCount": 2.0}, {"Sum": 1.5, "SampleCount": 2.0}]
    cloudwatch = Fake(get_metric_statistics=lambda **_: {"Datapoints": points})

    assert ScoreMetrics(cloudwatch=cloudwatch, namespace=NAMESPACE).percentile(90, VERSION, since=datetime.now(UTC)) == 0.5
    assert cloudwatch.asked("get_metric_statistics")[0]["MetricName"] == "ScoreP90"
