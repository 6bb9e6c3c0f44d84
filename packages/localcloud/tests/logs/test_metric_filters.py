"""Log lines become metrics where a filter's pattern matches, and what a filter cannot do is refused when it is put."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cloudformation_stacks import deploy, reasons

from localcloud.cloudwatch import metrics
from localcloud.testing import ACCOUNT, REGION
from localcloud.testing.accounts import Accounts
from localcloud.testing.endpoints import Json, alarm, ask, configured, serving
from localcloud.testing.names import Name
from localcloud.testing.waiting import until

FILTERS = pytest.mark.aws("metric filters on what containers print")


def put(aws: Accounts, group: str, pattern: str = "{ $.event = scores }", **members: Any) -> None:
    transformation = {"metricName": "P50", "metricNamespace": "Lab/Scores", "metricValue": "$.p50", **members}
    aws.client("logs").put_metric_filter(logGroupName=group, filterName="f", filterPattern=pattern, metricTransformations=[transformation])


@pytest.mark.laptop("what localcloud does not do")
@pytest.mark.parametrize(
    ("members", "pattern", "said"),
    [
        ({"defaultValue": 0.0}, "{ $.x = 1 }", "localcloud does not do defaultValue"),
        ({"metricValue": "p50"}, "{ $.x = 1 }", "neither a number nor a path"),
        ({"metricValue": "$.p50"}, "ERROR", "from lines that a JSON pattern matched"),
        ({"dimensions": {"V": "$"}}, "{ $.x = 1 }", "localcloud does not know \\$"),
        ({}, "[a, b]", "localcloud does not know"),
    ],
)
def test_filters_that_cannot_be_honoured_are_refused(aws: Accounts, name: Name, members: Json, pattern: str, said: str) -> None:
    aws.client("logs").create_log_group(logGroupName=name("g"))
    with pytest.raises(ClientError, match=said):
        put(aws, name("g"), pattern, **members)


@FILTERS
def test_a_filter_is_of_a_group_that_is_there(aws: Accounts, name: Name) -> None:
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        put(aws, name("nowhere"))


@FILTERS
def test_a_line_becomes_a_value_of_its_own_time_and_dimensions(aws: Accounts, name: Name) -> None:
    logs, cloudwatch, now = aws.client("logs"), aws.client("cloudwatch"), datetime.now(UTC)
    logs.create_log_group(logGroupName=name("g"))
    logs.create_log_stream(logGroupName=name("g"), logStreamName="s")
    put(aws, name("g"), metricNamespace=name("replaced"))
    put(aws, name("g"), metricNamespace=name("n"), dimensions={"ModelVersion": "$.model_version"})
    lines = [{"event": "scores", "model_version": "a1", "p50": p} for p in (0.2, 0.4, "much")]
    lines += [{"event": "scores", "p50": 9}, {"event": "refused", "model_version": "a1", "p50": 9}]
    events = [{"timestamp": int(now.timestamp() * 1000), "message": json.dumps(line)} for line in lines]
    logs.put_log_events(logGroupName=name("g"), logStreamName="s", logEvents=events)

    def points() -> list[Json]:
        around = {"StartTime": now - timedelta(minutes=5), "EndTime": now + timedelta(minutes=5), "Period": 600}
        of = {"Namespace": name("n"), "MetricName": "P50", "Dimensions": [{"Name": "ModelVersion", "Value": "a1"}]}
        answer: list[Json] = cloudwatch.get_metric_statistics(**of, **around, Statistics=["Sum", "SampleCount"])["Datapoints"]
        return answer

    until(lambda: sum(point["SampleCount"] for point in points()) == 2)
    assert sum(point["Sum"] for point in points()) == pytest.approx(0.6)
    assert len(logs.describe_metric_filters(logGroupName=name("g"))["metricFilters"]) == 1


@pytest.mark.laptop("that nothing comes any more is seen in localcloud's metrics")
def test_a_filter_that_was_deleted_finds_nothing(aws: Accounts, name: Name) -> None:
    logs, now = aws.client("logs"), time.time()
    logs.create_log_group(logGroupName=name("g"))
    logs.create_log_stream(logGroupName=name("g"), logStreamName="s")
    put(aws, name("g"), metricNamespace=name("n"))
    of = metrics.Metric(ACCOUNT, REGION, name("n"), "P50", frozenset())

    def printed(value: float) -> metrics.Values:
        line = {"event": "scores", "p50": value}
        events = [{"timestamp": int(now * 1000), "message": json.dumps(line)}]
        logs.put_log_events(logGroupName=name("g"), logStreamName="s", logEvents=events)
        return metrics.values(of, "Average", start=now - 60, period=120, count=1)

    assert printed(0.3) == [pytest.approx(0.3)]
    logs.delete_metric_filter(logGroupName=name("g"), filterName="f")
    assert printed(0.9) == [pytest.approx(0.3)]


@FILTERS
def test_what_a_container_prints_brings_an_alarm_into_alarm(aws: Accounts, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c"), BEHAVIOUR="p50=0.9"), name("e"))
    put(aws, f"/aws/sagemaker/Endpoints/{endpoint}", metricNamespace=name("n"), dimensions={"ModelVersion": "$.model_version"})
    about = {"Namespace": name("n"), "Dimensions": [{"Name": "ModelVersion", "Value": "p50=0.9"}]}
    alarm(aws, name("a"), endpoint, "P50", Threshold=0.5, TreatMissingData="ignore", **about)

    def in_alarm() -> bool:
        ask(aws, endpoint)
        return bool(aws.client("cloudwatch").describe_alarms(AlarmNames=[name("a")])["MetricAlarms"][0]["StateValue"] == "ALARM")

    assert until(in_alarm)


@FILTERS
def test_a_template_makes_metric_filters(cloud: Accounts, name: Name) -> None:
    """As CloudFormation writes dimensions: a list of keys and values."""
    transformation = {"MetricName": "P50", "MetricNamespace": "N", "MetricValue": "$.p50", "Dimensions": [{"Key": "V", "Value": "$.v"}]}
    properties = {"LogGroupName": {"Ref": "Group"}, "FilterPattern": "{ $.p50 = * }", "MetricTransformations": [transformation]}
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": name("g")}}
    with_filter = {"Resources": {"Group": group, "Filter": {"Type": "AWS::Logs::MetricFilter", "Properties": properties}}}
    assert deploy(cloud, name("stack"), with_filter) == "CREATE_COMPLETE", reasons(cloud, name("stack"))

    (kept,) = cloud.client("logs").describe_metric_filters(logGroupName=name("g"))["metricFilters"]
    assert kept["metricTransformations"][0]["dimensions"] == {"V": "$.v"}
    assert deploy(cloud, name("stack"), {"Resources": {"Group": group}}, "UPDATE") == "UPDATE_COMPLETE"
    assert cloud.client("logs").describe_metric_filters(logGroupName=name("g"))["metricFilters"] == []
