"""Metrics: every statistic is of the values themselves, and nothing is lost when old points are joined."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from localcloud.cloudwatch import metrics
from localcloud.testing import ACCOUNT, REGION, named
from localcloud.testing.accounts import Accounts
from localcloud.testing.in_process import Aws
from localcloud.testing.names import Name
from localcloud.testing.waiting import until

inside = pytest.mark.laptop("points lie at times of the test's choosing, in localcloud's own store")


@pytest.mark.aws("alarms: M of N, missing data")
def test_statistics_are_of_all_values(aws: Accounts, name: Name) -> None:
    values = [float(value) for value in range(100, 0, -1)]
    at = datetime.now(UTC) - timedelta(minutes=10)
    metric = {"Namespace": named("Lab"), "MetricName": name("m")}
    data = [{"MetricName": metric["MetricName"], "Timestamp": at, "Values": values}]
    aws.client("cloudwatch").put_metric_data(Namespace=metric["Namespace"], MetricData=data)
    span = {"StartTime": at - timedelta(hours=1), "EndTime": at + timedelta(hours=1), "Period": 86400}
    statistics = ["Sum", "Average", "Minimum", "Maximum", "SampleCount"]

    (point,) = until(lambda: aws.client("cloudwatch").get_metric_statistics(**metric, **span, Statistics=statistics)["Datapoints"])

    assert [point[statistic] for statistic in statistics] == [5050, 50.5, 1, 100, 100]


@inside
@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    ("statistic", "expected"),
    [("Sum", 5050), ("Average", 50.5), ("Minimum", 1), ("Maximum", 100), ("SampleCount", 100), ("p50", 50), ("p99", 99), ("p99.9", 100)],
)
def test_statistics_are_of_the_values_themselves(name: Name, statistic: str, expected: float) -> None:
    of = metrics.Metric(ACCOUNT, REGION, "Lab", name("m"), frozenset())
    for value in range(100, 0, -1):
        metrics.record(of, value, at=6e8)

    assert metrics.values(of, statistic, start=6e8, period=1, count=1) == [expected]


@inside
def test_old_points_are_joined_and_nothing_is_lost(aws: Aws, name: Name) -> None:
    of = metrics.Metric(ACCOUNT, REGION, "Lab", name("m"), frozenset())
    for second in range(0, 10 * 2000, 10):
        metrics.record(of, second % 7, at=6e8 + second / aws.cloud.speed)

    assert metrics.values(of, "SampleCount", start=6e8, period=1e9, count=1) == [2000]
    assert metrics.values(of, "p99", start=6e8, period=1e9, count=1) == [6]
    assert len(metrics.points(of)) < 1000
