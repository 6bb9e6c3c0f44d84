"""Alarms follow CloudWatch's published tables, metric math computes what alarms need, and a change of state is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import Alarm

from localcloud import alarms, metrics
from localcloud.alarm_rules import Rule
from localcloud.alarms import ALARM, OK, UNKNOWN
from localcloud.metric_math import Expression
from tests.localcloud.serving import Json, Name, until
from tests.localcloud.support import ACCOUNT, REGION, Aws

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
    found = [alarms.state(range_, needed=needed, periods=3, missing=m, current=KEPT) for m in TREATMENTS]

    assert tuple(found) == expected


ranges = st.lists(st.sampled_from([True, False, None]), min_size=5, max_size=5)


@given(points=ranges, needed=st.integers(1, 3), missing=st.sampled_from(TREATMENTS))
def test_whole_data_need_no_treatment_and_more_breaches_never_calm(points: list[bool | None], needed: int, missing: str) -> None:
    def found(seen: list[bool | None]) -> str:
        return alarms.state(seen, needed=needed, periods=3, missing=missing, current=OK)

    real = [p for p in points if p is not None]
    if len(real) >= 3:
        assert found(points) == (ALARM if sum(real[-3:]) >= needed else OK)
    if found(points) == ALARM:
        assert found([p if p is None else True for p in points]) == ALARM


def virtual(**given: Any) -> Any:
    """An alarm on a metric of its own, known to nobody, for `evaluate` at a time of the test's choosing."""
    kept: Json = {
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
    return Alarm(**(kept | given))


def recorded(metric: str, points: list[tuple[float, float]]) -> None:
    for at, value in points:
        metrics.record(metrics.Metric(ACCOUNT, REGION, "Lab", metric, frozenset()), value, at=at)


numbers = iter(range(10**9))


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
    ("comparison", "ringing"),
    [
        ("GreaterThanThreshold", {3}),
        ("GreaterThanOrEqualToThreshold", {2, 3}),
        ("LessThanThreshold", {1}),
        ("LessThanOrEqualToThreshold", {1, 2}),
    ],
)
def test_values_are_compared_with_the_threshold(aws: Aws, comparison: str, ringing: set[int]) -> None:
    found = set()
    for value in (1, 2, 3):
        name = f"{comparison}-{value}"
        recorded(name, [(6e8 + 0.1, value)])
        alarm = virtual(metric_name=name, comparison_operator=comparison, threshold=2.0, evaluation_periods=1, datapoints_to_alarm=None)
        alarms.evaluate(alarm, 6e8 + 0.1 + 60 / aws.cloud.speed)
        found |= {value} if alarm.state_value == ALARM else set()

    assert found == ringing


@pytest.mark.usefixtures("aws")
def test_a_change_gives_cloudwatchs_reason() -> None:
    recorded("reason", [(6e8 + 0.3, 0.5), (6e8 + 0.9, 4.0), (6e8 + 1.5, 5.0)])
    alarm = virtual(metric_name="reason")
    alarms.evaluate(alarm, 6e8 + 1.85)

    assert alarm.state_reason == (
        "Threshold Crossed: 3 out of the last 3 datapoints [5 (05/01/89 10:40:01), 4 (05/01/89 10:40:00), 0.5 (05/01/89 10:40:00)]"
        " were greater than the threshold (1) (minimum 2 datapoints for OK -> ALARM transition)."
    )
    assert json.loads(alarm.state_reason_data)["recentDatapoints"] == [0.5, 4.0, 5.0]
    alarms.evaluate(alarm, 6e8 + 600)
    assert (alarm.state_value, alarm.state_reason) == (UNKNOWN, "Insufficient Data: 3 datapoints were unknown.")


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


def test_old_points_are_joined_and_nothing_is_lost(aws: Aws, name: Name) -> None:
    of = metrics.Metric(ACCOUNT, REGION, "Lab", name("m"), frozenset())
    for second in range(0, 10 * 2000, 10):
        metrics.record(of, second % 7, at=6e8 + second / aws.cloud.speed)

    assert metrics.values(of, "SampleCount", start=6e8, period=1e9, count=1) == [2000]
    assert metrics.values(of, "p99", start=6e8, period=1e9, count=1) == [6]
    assert len(metrics._points[of]) < 1000


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


@pytest.mark.parametrize(
    ("rule", "rings"),
    [
        ("ALARM(one)", True),
        ('ALARM("two") OR OK(arn:aws:cloudwatch:eu-west-1:1:alarm:two)', True),
        ("ALARM(one) AND NOT (ALARM('two') OR INSUFFICIENT_DATA(three))", False),
        ("NOT INSUFFICIENT_DATA(two) AND TRUE", True),
        ("FALSE OR ALARM(two)", False),
    ],
)
def test_rules_of_composite_alarms(rule: str, rings: bool) -> None:
    assert Rule(rule).rings({"one": ALARM, "two": OK, "three": UNKNOWN}.get) is rings


@pytest.mark.parametrize("rule", ["ALARM(one) XOR ALARM(two)", "one", "ALARM(one) AND", "__import__('os')"])
def test_rules_that_cannot_be_read_are_refused(rule: str) -> None:
    with pytest.raises(ValidationError, match="cannot be read"):
        Rule(rule)


def put(aws: Aws, name: str, **given: Any) -> None:
    kept: Json = {"Namespace": "Lab", "MetricName": name, "Statistic": "Sum", "Period": 10, "EvaluationPeriods": 1, "Threshold": 1}
    kept |= {"ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching", **given}
    aws.client("cloudwatch").put_metric_alarm(AlarmName=name, **{k: v for k, v in kept.items() if v is not None})


def of(aws: Aws, name: str, kind: str = "MetricAlarms") -> Json:
    (found,) = aws.client("cloudwatch").describe_alarms(AlarmNames=[name], AlarmTypes=[kind.removesuffix("s")])[kind]
    return dict(found)


@pytest.fixture
def queue(aws: Aws, name: Name) -> Callable[[], list[Json]]:
    """Subscribes a queue to a topic of the name `name("topic")`; returns what reads it."""
    sns, sqs = aws.client("sns"), aws.client("sqs")
    arn, url = sns.create_topic(Name=name("topic"))["TopicArn"], sqs.create_queue(QueueName=name("queue"))["QueueUrl"]
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name('queue')}")
    return lambda: [
        json.loads(json.loads(m["Body"])["Message"])
        for m in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages", [])
    ]


def test_an_alarm_rings_tells_and_calms_down(aws: Aws, name: Name, queue: Callable[[], list[Json]]) -> None:
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:{name('topic')}"
    put(aws, name("a"), AlarmActions=[topic, "arn:aws:ssm:eu-west-1:1:opsitem:3"], OKActions=[topic])
    put(aws, name("b"), MetricName=name("a"), Threshold=1e9)
    rule = f'ALARM("{name("a")}") AND NOT ALARM("{name("b")}")'
    aws.client("cloudwatch").put_composite_alarm(AlarmName=name("both"), AlarmRule=rule)
    until(lambda: of(aws, name("a"))["StateValue"] == OK)
    aws.client("cloudwatch").put_metric_data(Namespace="Lab", MetricData=[{"MetricName": name("a"), "Value": 7}])
    until(lambda: of(aws, name("a"))["StateValue"] == ALARM)

    assert "1 out of the last 1 datapoint [7 (" in of(aws, name("a"))["StateReason"]
    assert of(aws, name("both"), "CompositeAlarms")["StateValue"] == ALARM
    until(lambda: of(aws, name("a"))["StateValue"] == OK)
    assert of(aws, name("both"), "CompositeAlarms")["StateValue"] == OK
    until(lambda: len(queue()) >= 3)
    assert [m["NewStateValue"] for m in queue()][-2:] == [ALARM, OK]
    calm = {"AlarmNames": [name("a"), name("b")], "StateValue": ALARM}
    assert aws.client("cloudwatch").describe_alarms(**calm)["MetricAlarms"] == []
    told = {"AlarmName": name("a"), "ScanBy": "TimestampAscending"}
    now = datetime.now(UTC)
    assert aws.client("cloudwatch").describe_alarm_history(**told, StartDate=now)["AlarmHistoryItems"] == []
    history = aws.client("cloudwatch").describe_alarm_history(**told, EndDate=now)["AlarmHistoryItems"]
    updates = [h["HistorySummary"] for h in history if h["HistoryItemType"] == "StateUpdate"]
    assert updates[-2:] == ["Alarm updated from OK to ALARM", "Alarm updated from ALARM to OK"]
    assert any("Successfully executed action" in h["HistorySummary"] for h in history if h["HistoryItemType"] == "Action")


@pytest.mark.parametrize(
    ("period", "periods", "every"),
    [(10, 3, 10), (30, 1, 10), (60, 5, 60), (300, 3, 60), (86400, 1, 60), (86400, 2, 3600), (3600, 25, 3600)],
)
def test_how_often_an_alarm_is_evaluated(aws: Aws, period: int, periods: int, every: int) -> None:
    assert alarms._step(SimpleNamespace(period=period, evaluation_periods=periods)) == every / aws.cloud.speed


def test_alarms_of_hours_see_what_the_running_hour_holds(aws: Aws, name: Name) -> None:
    cloudwatch, hour = aws.client("cloudwatch"), 3600 / aws.cloud.speed
    about = {"Namespace": "hours", "Statistic": "Maximum", "Period": 3600, "EvaluationPeriods": 3, "DatapointsToAlarm": 2}
    limits = {"Threshold": 1, "ComparisonOperator": "GreaterThanOrEqualToThreshold"}

    def put(kind: str, metric: str, missing: str) -> str:
        cloudwatch.put_metric_alarm(AlarmName=name(kind), MetricName=name(metric), TreatMissingData=missing, **about, **limits)
        return name(kind)

    def state(alarm: str) -> str:
        return str(cloudwatch.describe_alarms(AlarmNames=[alarm])["MetricAlarms"][0]["StateValue"])

    twice, once, none, silent = put("a", "m", "ignore"), put("b", "n", "ignore"), put("c", "o", "ignore"), put("d", "o", "breaching")
    for metric, ages in (("m", (0.0, 1.0)), ("n", (0.0,))):
        for age in ages:
            when = datetime.now(UTC) - timedelta(seconds=age * hour)
            data = {"MetricName": name(metric), "Value": 1, "Timestamp": when}
            cloudwatch.put_metric_data(Namespace="hours", MetricData=[data])

    until(lambda: state(twice) == ALARM and state(silent) == ALARM, seconds=5)
    assert (state(once), state(none)) == (UNKNOWN, UNKNOWN)


def test_metric_math_rings_on_exact_dimensions(aws: Aws, name: Name) -> None:
    def metric(id_: str, version: str) -> Json:
        about = {"Namespace": "Lab", "MetricName": name("s"), "Dimensions": [{"Name": "Version", "Value": version}]}
        return {"Id": id_, "MetricStat": {"Metric": about, "Period": 60, "Stat": "Average"}, "ReturnData": False}

    shift = {"Id": "shift", "Expression": "MAX([ABS(n-o)])", "Label": "shift", "ReturnData": True}
    queries = [shift, metric("n", "new"), metric("o", "old")]
    put(aws, name("a"), MetricName=None, Namespace=None, Statistic=None, Period=None, Metrics=queries)
    data = [
        {"MetricName": name("s"), "Value": value, "Dimensions": [{"Name": "Version", "Value": v}]} for v, value in (("new", 9), ("old", 2))
    ]
    aws.client("cloudwatch").put_metric_data(Namespace="Lab", MetricData=data)

    assert until(lambda: of(aws, name("a"))["StateValue"] == ALARM and of(aws, name("a"))["StateReason"]).find("[7 (") > 0
    now = datetime.now(UTC)
    found = aws.client("cloudwatch").get_metric_data(
        MetricDataQueries=queries, StartTime=now - timedelta(hours=1), EndTime=now + timedelta(hours=1)
    )["MetricDataResults"]
    assert [(r["Id"], r["Values"]) for r in found] == [("shift", [7.0])]


def test_an_updated_alarm_keeps_its_state_until_it_is_evaluated(aws: Aws, name: Name) -> None:
    put(aws, name("a"), Period=86400)
    aws.client("cloudwatch").set_alarm_state(AlarmName=name("a"), StateValue=ALARM, StateReason="by hand")
    put(aws, name("a"), Period=86400, Threshold=2, TreatMissingData="ignore")

    assert (of(aws, name("a"))["StateValue"], of(aws, name("a"))["Threshold"]) == (ALARM, 2)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "GreaterThanUpperThreshold"),
        ({"DatapointsToAlarm": 2}, "DatapointsToAlarm must not be more"),
        ({"Statistic": None, "ExtendedStatistic": "p101"}, "the statistic p101"),
        ({"Statistic": None, "ExtendedStatistic": "tm90"}, "tm90"),
        ({"Period": 45}, "Period must be"),
        ({"EvaluateLowSampleCountPercentile": "ignore"}, "EvaluateLowSampleCountPercentile"),
        ({"MetricName": None, "Namespace": None, "Statistic": None, "Period": None}, "one of MetricName and Metrics"),
    ],
)
def test_alarms_that_cannot_be_evaluated_are_refused(aws: Aws, name: Name, given: Json, said: str) -> None:
    with pytest.raises(ClientError, match=said):
        put(aws, name("a"), **given)
    with pytest.raises(ClientError, match="do not exist: nobody"):
        aws.client("cloudwatch").put_composite_alarm(AlarmName=name("c"), AlarmRule="ALARM(nobody)")
