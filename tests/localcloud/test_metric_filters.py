"""Log lines become metrics where a filter's pattern matches, and what a filter cannot do is refused when it is put."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from localcloud import metrics
from localcloud.metric_filters import matcher
from localcloud.resources import TYPES, Resource
from tests.localcloud.serving import Json, Name, alarm, ask, configured, serving, until
from tests.localcloud.support import ACCOUNT, REGION, Aws

EVENT = {"event": "scores", "rows": 50, "p50": 0.25, "deep": {"list": [{"x": "a b"}]}, "flag": True, "none": None}


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ('{ $.event = "scores" }', True),
        ("{ $.event = scores }", True),
        ('{ $.event = "sc*s" }', True),
        ('{ $.event != "scores" }', False),
        ("{ $.rows > 49.5 && $.p50 <= 2.5e-1 }", True),
        ("{ $.rows < 1 || ($.rows >= 50 && $.event = refused) }", False),
        ("{ ($.rows < 1 || $.rows = 50) && $.event = scores }", True),
        ('{ $.deep.list[0].x = "a b" }', True),
        ("{ $.p50 = * }", True),
        ("{ $.none = * }", False),
        ("{ $.absent != 3 }", False),
        ("{ $.flag = 1 }", False),
        ("scores", True),
        ('"\\"rows\\": 50" -refused', True),
        ("scores -event", False),
        ("?nothing ?rows", True),
        ("", True),
    ],
)
def test_patterns(pattern: str, matches: bool) -> None:
    assert (matcher(pattern)(json.dumps(EVENT)) is not None) is matches


def test_a_json_pattern_passes_over_other_lines() -> None:
    assert matcher("{ $.x = * }")("x = 1") is None
    assert matcher("{ $.x = * }")("[1]") is None


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("[ip, user, ...]", "\\[ip,"),
        ("%ERROR%", "%ERROR%"),
        ("{ $.x = %a% }", "%a%"),
        ("{ $.x IS TRUE }", "IS"),
        ("{ $.x NOT EXISTS }", "NOT"),
        ("{ $.x > abc }", "> needs a number"),
        ("{ ($.x = 1 }", "a bracket is not closed"),
        ("{ $.x = 1 $.y = 2 }", "\\$.y"),
        ("{ $.x = }", "\\$.x ="),
        ("{ }", "an empty condition"),
    ],
)
def test_other_patterns_are_refused_by_name(pattern: str, said: str) -> None:
    with pytest.raises(Exception, match=said):
        matcher(pattern)


@given(
    st.dictionaries(st.text("abc", min_size=1, max_size=2), st.integers(-9, 9) | st.text("xyz", max_size=3), max_size=4), st.integers(-9, 9)
)
def test_a_comparison_and_its_opposite_never_both_match(event: Json, number: int) -> None:
    line = json.dumps(event)
    more, less = (matcher(f"{{ $.a {sign} {number} }}")(line) is not None for sign in (">", "<="))

    assert more + less == isinstance(event.get("a"), int)


def put(aws: Aws, group: str, pattern: str = "{ $.event = scores }", **made: Any) -> None:
    transformation = {"metricName": "P50", "metricNamespace": "Lab/Scores", "metricValue": "$.p50", **made}
    aws.client("logs").put_metric_filter(logGroupName=group, filterName="f", filterPattern=pattern, metricTransformations=[transformation])


@pytest.mark.parametrize(
    ("made", "pattern", "said"),
    [
        ({"defaultValue": 0.0}, "{ $.x = 1 }", "localcloud does not do defaultValue"),
        ({"metricValue": "p50"}, "{ $.x = 1 }", "neither a number nor a path"),
        ({"metricValue": "$.p50"}, "ERROR", "from lines that a JSON pattern matched"),
        ({"dimensions": {"V": "$"}}, "{ $.x = 1 }", "localcloud does not know \\$"),
        ({}, "[a, b]", "localcloud does not know"),
    ],
)
def test_filters_that_cannot_be_honoured_are_refused(aws: Aws, name: Name, made: Json, pattern: str, said: str) -> None:
    aws.client("logs").create_log_group(logGroupName=name("g"))
    with pytest.raises(ClientError, match=said):
        put(aws, name("g"), pattern, **made)
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


def test_what_a_container_prints_rings_an_alarm(aws: Aws, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c"), BEHAVIOUR="p50=0.9"), name("e"))
    put(aws, f"/aws/sagemaker/Endpoints/{endpoint}", metricNamespace=name("n"), dimensions={"ModelVersion": "$.model_version"})
    about = {"Namespace": name("n"), "Dimensions": [{"Name": "ModelVersion", "Value": "p50=0.9"}]}
    alarm(aws, name("a"), endpoint, "P50", Threshold=0.5, Period=10, **about)
    states = []

    def rung() -> bool:
        ask(aws, endpoint)
        states.append(aws.client("cloudwatch").describe_alarms(AlarmNames=[name("a")])["MetricAlarms"][0]["StateValue"])
        return bool(states[-1] == "ALARM")

    assert until(rung)


def test_a_template_makes_metric_filters(aws: Aws, name: Name) -> None:
    """As CloudFormation writes dimensions: a list of keys and values."""
    (kind,) = [t for t in TYPES if t.kind == "AWS::Logs::MetricFilter"]
    aws.client("logs").create_log_group(logGroupName=name("g"))
    made = {"MetricName": "P50", "MetricNamespace": "N", "MetricValue": "$.p50", "Dimensions": [{"Key": "V", "Value": "$.v"}]}
    properties = {"LogGroupName": name("g"), "FilterPattern": "{ $.p50 = * }", "MetricTransformations": [made]}
    resource = Resource(ACCOUNT, REGION, name("f"), properties)
    resource.id = kind.put(resource, None)

    (found,) = aws.client("logs").describe_metric_filters(logGroupName=name("g"))["metricFilters"]
    assert found["metricTransformations"][0]["dimensions"] == {"V": "$.v"}
    kind.delete(resource)
    assert aws.client("logs").describe_metric_filters(logGroupName=name("g"))["metricFilters"] == []
