"""The alarms of an endpoint: what they watch, from where they have their limits, and what scores that moved look like to them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import naming
from localcloud.cloudwatch.metric_math import Expression
from paved_runtime.spec import Alarms
from tests import reference
from tests.reference import CONFIG, MODEL
from tests.support.api_requests import accepted
from tests.support.layouts import PRODUCTION, Layout, production, serving

pytestmark = pytest.mark.laptop("templates alone")

ENDPOINT_CONFIG = {"Fn::GetAtt": ["LiveConfigFD479B3C", "EndpointConfigName"]}
VARIANT = {"EndpointName": naming.endpoint(CONFIG, MODEL, PRODUCTION), "VariantName": naming.VARIANT}
FLEET = {**VARIANT, "EndpointConfigName": ENDPOINT_CONFIG}
NAMESPACE = naming.metric_namespace(CONFIG, MODEL, PRODUCTION)
LIMITS = Alarms(
    server_error_rate=0.03,
    client_error_rate=0.4,
    model_latency_p99_ms=20.5,
    overhead_latency_p99_ms=70,
    cpu_percent=80,
    memory_percent=65,
    score_shift=0.25,
    score_rows=300,
)
AMOUNTS = st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3)
IDS = ("n10", "n50", "n90", "o10", "o50", "o90", "nrows", "orows")
WATCHED = {  # metric, statistic, dimensions, limit
    "ServerErrors": ("Invocation5XXErrors", "Average", FLEET, 0.03),
    "ClientErrors": ("Invocation4XXErrors", "Average", FLEET, 0.4),
    "ModelLatency": ("ModelLatency", "p99", FLEET, 20_500),
    "OverheadLatency": ("OverheadLatency", "p99", FLEET, 70_000),
    "Cpu": ("CPUUtilization", "Maximum", VARIANT, 160),  # of an ml.m5.large, which has two processors
    "Memory": ("MemoryUtilization", "Maximum", VARIANT, 65),
    "EndpointServerErrors": ("Invocation5XXErrors", "Average", VARIANT, 0.03),
    "EndpointModelLatency": ("ModelLatency", "p99", VARIANT, 20_500),
}


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    table = serving("canary", instances=2, alarms=LIMITS, deployment={"bake_minutes": 4})
    return production(tmp_path_factory.mktemp("limited"), limited=table)


def alarms(layout: Layout, stack: str) -> dict[str, dict[str, Any]]:
    """Name in the stack → properties."""
    declared = layout.all(stack, "AWS::CloudWatch::Alarm")
    return {name.removeprefix("Alarms")[:-8]: alarm for name, alarm in declared.items()}


def dimensions(metric: dict[str, Any]) -> dict[str, Any]:
    return {dimension["Name"]: dimension["Value"] for dimension in metric["Dimensions"]}


def shift(layout: Layout, stack: str, expected: tuple[float, ...] = (0, 0, 0)) -> tuple[str, dict[str, dict[str, Any]]]:
    """The expression of an alarm on scores, and its metrics by their ids; `expected` is what a deployment gives as parameters."""
    parameters = {f"ExpectedShiftP{percent}": f"{known:+.6f}" for percent, known in zip((10, 50, 90), expected, strict=True)}
    (expression, *metrics) = alarms(layout, stack)["ScoreShift"]["Metrics"]
    assert expression["ReturnData"]
    assert not any(metric["ReturnData"] for metric in metrics)
    separator, parts = expression["Expression"]["Fn::Join"]
    text = separator.join(part if isinstance(part, str) else parameters[part["Ref"]] for part in parts)
    return text, {metric["Id"]: metric["MetricStat"] for metric in metrics}


def test_these_are_the_alarms(limited: Layout) -> None:
    assert set(alarms(limited, "limited")) == {*WATCHED, "ScoreShift"}


@pytest.mark.parametrize("name", WATCHED)
def test_an_alarm_watches_its_metric_with_the_limit_of_model_toml(limited: Layout, name: str) -> None:
    alarm = alarms(limited, "limited")[name]
    metric, statistic, where, limit = WATCHED[name]

    assert (alarm["MetricName"], alarm.get("Statistic", alarm.get("ExtendedStatistic")), alarm["Threshold"]) == (metric, statistic, limit)
    assert dimensions(alarm) == where
    assert alarm["Namespace"] == ("/aws/sagemaker/Endpoints" if name in ("Cpu", "Memory") else "AWS/SageMaker")
    assert (alarm["Period"], alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]) == (60, 2, 3)


def test_alarms_go_into_alarm_above_their_limit_and_not_for_an_idle_endpoint(limited: Layout) -> None:
    for alarm in alarms(limited, "limited").values():
        assert (alarm["ComparisonOperator"], alarm["TreatMissingData"]) == ("GreaterThanThreshold", "notBreaching")


def test_cloudwatch_would_take_them(layout: Layout) -> None:
    for stack, _ in layout.every("AWS::SageMaker::Endpoint"):
        for name, alarm in alarms(layout, stack).items():
            accepted("cloudwatch", "PutMetricAlarm", {"AlarmName": name, **alarm})


def test_those_that_take_a_deployment_back_are_named_after_the_configuration_they_watch(layout: Layout) -> None:
    """A name of their own for each version: an alarm in ALARM because of the version before would stop what replaces it."""
    for stack, endpoint in layout.every("AWS::SageMaker::Endpoint"):
        for name, alarm in alarms(layout, stack).items():
            if name.startswith("Endpoint"):
                assert alarm["AlarmName"] == f"{endpoint['EndpointName']}-{name.removeprefix('Endpoint')}"
            else:
                assert alarm["AlarmName"] == {"Fn::Join": ["", [ENDPOINT_CONFIG, f"-{name}"]]}


def test_log_lines_become_metrics_of_the_version_that_wrote_them(limited: Layout) -> None:
    filters = limited.all("limited", "AWS::Logs::MetricFilter").values()
    transformed = [(each["FilterPattern"], each["MetricTransformations"][0]) for each in filters]

    assert {(pattern, metric["MetricName"], metric["MetricValue"]) for pattern, metric in transformed} == {
        ('{ $.event = "scores" }', "ScoreP10", "$.p10"),
        ('{ $.event = "scores" }', "ScoreP50", "$.p50"),
        ('{ $.event = "scores" }', "ScoreP90", "$.p90"),
        ('{ $.event = "scores" }', "ScoreMean", "$.mean"),
        ('{ $.event = "scores" }', "ScoredRows", "$.rows"),
        ('{ $.event = "refused" }', "RefusedRequests", "$.requests"),
    }
    (log,) = limited.all("limited", "AWS::Logs::LogGroup")
    assert all(each["LogGroupName"] == {"Ref": log} for each in filters)
    for _, metric in transformed:
        assert metric["MetricNamespace"] == NAMESPACE
        assert metric["Dimensions"] == [{"Key": "ModelVersion", "Value": "$.model_version"}]


def test_the_scores_of_two_versions_are_compared(limited: Layout) -> None:
    _, metrics = shift(limited, "limited")
    of = {"n": {"Ref": "ModelVersion"}, "o": {"Ref": "PreviousModelVersion"}}
    named = {"rows": ("ScoredRows", "Sum"), **{str(percent): (f"ScoreP{percent}", "Average") for percent in (10, 50, 90)}}

    assert set(metrics) == {letter + name for letter in of for name in named}
    for name, statistics in metrics.items():
        metric = statistics["Metric"]
        assert (metric["MetricName"], statistics["Stat"]) == named[name[1:]]
        assert metric["Namespace"] == NAMESPACE
        assert (dimensions(metric), statistics["Period"]) == ({"ModelVersion": of[name[0]]}, 60)


@pytest.mark.parametrize(("bake", "minutes"), [(3, 2), (4, 3), (5, 4), (6, 5), (60, 5)])
def test_a_shift_must_hold_as_long_as_a_bake_allows(tmp_path: Path, bake: int, minutes: int) -> None:
    layout = production(tmp_path, linear=serving("linear", instances=2, deployment={"bake_minutes": bake}))
    alarm = alarms(layout, "linear")["ScoreShift"]

    assert alarm["Threshold"] == 0.1
    assert alarm["DatapointsToAlarm"] == alarm["EvaluationPeriods"] == minutes < bake


@pytest.mark.parametrize(("model", "threshold"), [("claim_amount", 12_500), ("risk_grade", 0.25)])
def test_a_shift_is_a_share_of_the_range_that_scores_may_have(tmp_path: Path, model: str, threshold: float) -> None:
    """Amounts lie from 0 to 50000; of grades it is the mean place among them, from 0 to 1."""
    layout = production(tmp_path, reference.model(model), graded=serving("canary", instances=2, alarms=LIMITS))

    assert alarms(layout, "graded")["ScoreShift"]["Threshold"] == threshold


@given(new=AMOUNTS, old=AMOUNTS, known=st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3))
def test_amounts_are_compared_in_their_own_unit(limited: Layout, new: list[float], old: list[float], known: list[float]) -> None:
    pattern = limited.templates["limited"]["Parameters"]["ExpectedShiftP10"]["AllowedPattern"]
    expression, metrics = shift(limited, "limited", tuple(known))
    minute: dict[str, list[float | None]] = {name: [v] for name, v in zip(IDS, [*new, *old, 500, 500], strict=True)}
    assert minute.keys() == metrics.keys()

    (difference,) = Expression(expression)(minute, 1)

    assert all(re.fullmatch(pattern, f"{each:+.6f}") for each in known)
    assert difference == pytest.approx(max(abs(n - o - each) for n, o, each in zip(new, old, known, strict=True)), abs=1e-5)


SCORES = st.lists(st.floats(0, 1), min_size=3, max_size=3)
ROWS = st.integers(1, 1000)
EXPECTED = st.tuples(*3 * [st.floats(-1, 1).map(lambda shift: round(shift, 6))])


@given(new=SCORES, old=SCORES, rows=st.tuples(ROWS, ROWS), expected=EXPECTED)
def test_a_shift_is_the_largest_unexpected_difference_of_enough_rows(
    limited: Layout, new: list[float], old: list[float], rows: tuple[int, int], expected: tuple[float, ...]
) -> None:
    expression, metrics = shift(limited, "limited", expected)
    values = [*new, *old, *rows]
    minute: dict[str, list[float | None]] = {name: [v] for name, v in zip(IDS, values, strict=True)}
    assert minute.keys() == metrics.keys()

    (difference,) = Expression(expression)(minute, 1)

    apart = max(abs(n - o - known) for n, o, known in zip(new, old, expected, strict=True))
    assert difference == pytest.approx(apart if min(rows) >= 300 else 0)


def test_nothing_is_compared_while_one_version_is_silent(limited: Layout) -> None:
    expression, metrics = shift(limited, "limited")
    minute: dict[str, list[float | None]] = {name: [None] if name.startswith("o") else [0.9] for name in metrics}

    assert Expression(expression)({**minute, "nrows": [1000.0]}, 1) == [None]


def test_no_alarm_is_about_another_endpoint(layout: Layout) -> None:
    for stack, endpoint in layout.every("AWS::SageMaker::Endpoint"):
        for alarm in alarms(layout, stack).values():
            assert endpoint["EndpointName"] in json.dumps(alarm)
            assert alarm["AlarmDescription"].startswith(f"{endpoint['EndpointName']}: ")
