"""Log lines become metrics where a filter's pattern matches, and what a filter cannot do is refused when it is put."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.cloudformation.resource_type import Resource
from localcloud.cloudformation.resources import TYPES
from localcloud.cloudwatch import metrics
from localcloud.testing import ACCOUNT, REGION
from localcloud.testing.endpoints import Json, alarm, ask, configured, serving
from localcloud.testing.in_process import Aws
from localcloud.testing.names import Name
from localcloud.testing.waiting import until


def put(aws: Aws, group: str, pattern: str = "{ $.event = scores }", **members: Any) -> None:
    transformation = {"metricName": "P50", "metricNamespace": "Lab/Scores", "metricValue": "$.p50", **members}
    aws.client("logs").put_metric_filter(logGroupName=group, filterName="f", filterPattern=pattern, metricTransformations=[transformation])


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
def test_filters_that_cannot_be_honoured_are_refused(aws: Aws, name: Name, members: Json, pattern: str, said: str) -> None:
    aws.client("logs").create_log_group(logGroupName=name("g"))
    with pytest.raises(ClientError, match=said):
        put(aws, name("g"), pattern, **members)
    with pytest.raises(ClientError, match="log group does not exist"):
        put(aws, "nowhere")


def values(namespace: str, version: str, at: float) -> metrics.Values:
    of = metrics.Metric(ACCOUNT, REGION, namespace, "P50", frozenset({("ModelVersion", version)}))
    return metrics.values(of, "Average", start=at - 60, period=120, count=1)


def test_a_line_becomes_a_value_of_its_own_time_and_dimensions(aws: Aws, name: Name) -> None:
    logs, now = aws.client("logs"), time.time()
    logs.create_log_group(logGroupName=name("g"))
    logs.create_log_stream(logGroupName=name("g"), logStreamName="s")
    put(aws, name("g"), metricNamespace="Replaced")
    put(aws, name("g"), metricNamespace=name("n"), dimensions={"ModelVersion": "$.model_version"})
    lines = [{"event": "scores", "model_version": "a1", "p50": p} for p in (0.2, 0.4, "much")]
    lines += [{"event": "scores", "p50": 9}, {"event": "refused", "model_version": "a1", "p50": 9}]
    events = [{"timestamp": int(now * 1000), "message": json.dumps(line)} for line in lines]
    logs.put_log_events(logGroupName=name("g"), logStreamName="s", logEvents=events)

    assert values(name("n"), "a1", now) == [pytest.approx(0.3)]
    assert len(logs.describe_metric_filters(logGroupName=name("g"))["metricFilters"]) == 1
    logs.delete_metric_filter(logGroupName=name("g"), filterName="f")
    logs.put_log_events(logGroupName=name("g"), logStreamName="s", logEvents=[events[0] | {"message": events[1]["message"]}])
    assert values(name("n"), "a1", now) == [pytest.approx(0.3)]


def test_what_a_container_prints_brings_an_alarm_into_alarm(aws: Aws, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c"), BEHAVIOUR="p50=0.9"), name("e"))
    put(aws, f"/aws/sagemaker/Endpoints/{endpoint}", metricNamespace=name("n"), dimensions={"ModelVersion": "$.model_version"})
    about = {"Namespace": name("n"), "Dimensions": [{"Name": "ModelVersion", "Value": "p50=0.9"}]}
    alarm(aws, name("a"), endpoint, "P50", Threshold=0.5, Period=10, TreatMissingData="ignore", **about)

    def in_alarm() -> bool:
        ask(aws, endpoint)
        return bool(aws.client("cloudwatch").describe_alarms(AlarmNames=[name("a")])["MetricAlarms"][0]["StateValue"] == "ALARM")

    assert until(in_alarm)


def test_a_template_makes_metric_filters(aws: Aws, name: Name) -> None:
    """As CloudFormation writes dimensions: a list of keys and values."""
    (kind,) = [t for t in TYPES if t.kind == "AWS::Logs::MetricFilter"]
    aws.client("logs").create_log_group(logGroupName=name("g"))
    transformation = {"MetricName": "P50", "MetricNamespace": "N", "MetricValue": "$.p50", "Dimensions": [{"Key": "V", "Value": "$.v"}]}
    properties = {"LogGroupName": name("g"), "FilterPattern": "{ $.p50 = * }", "MetricTransformations": [transformation]}
    resource = Resource(ACCOUNT, REGION, name("f"), properties)
    resource.id = kind.put(resource, None)

    (kept,) = aws.client("logs").describe_metric_filters(logGroupName=name("g"))["metricFilters"]
    assert kept["metricTransformations"][0]["dimensions"] == {"V": "$.v"}
    kind.delete(resource)
    assert aws.client("logs").describe_metric_filters(logGroupName=name("g"))["metricFilters"] == []
