"""Alarms are evaluated while time passes, and a change of state is told and acted on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from answers import answer
from botocore.exceptions import ClientError

from localcloud.cloudwatch import alarm_actions, alarms
from localcloud.cloudwatch.alarm_states import ALARM, OK, UNKNOWN
from localcloud.testing import ACCOUNT, REGION, named
from localcloud.testing.accounts import Accounts
from localcloud.testing.endpoints import Json
from localcloud.testing.in_process import Aws
from localcloud.testing.names import Name
from localcloud.testing.waiting import until

NAMESPACE = named("Lab")
of_alarms = pytest.mark.aws("alarms: M of N, missing data")


def put(aws: Accounts, name: str, **members: Any) -> None:
    """An alarm of ten seconds on a metric of its own name; what is None is left out."""
    wanted: Json = {
        "Namespace": NAMESPACE,
        "MetricName": name,
        "Statistic": "Maximum",
        "Period": 10,
        "EvaluationPeriods": 1,
        "Threshold": 1,
    }
    wanted |= {"ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "ignore", **members}
    aws.client("cloudwatch").put_metric_alarm(AlarmName=name, **{k: v for k, v in wanted.items() if v is not None})


def measure(aws: Accounts, *data: Json) -> None:
    """Put data of the resolution that an alarm of ten seconds sees."""
    aws.client("cloudwatch").put_metric_data(Namespace=NAMESPACE, MetricData=[{"StorageResolution": 1, **each} for each in data])


def measured(aws: Accounts, name: str, value: float, state: str) -> None:
    """Measure `value` again and again, until the alarm is in that state."""

    def reached() -> bool:
        measure(aws, {"MetricName": name, "Value": value})
        return state_of(aws, name) == state

    until(reached)


def of(aws: Accounts, name: str, kind: str = "MetricAlarms") -> Json:
    (alarm,) = aws.client("cloudwatch").describe_alarms(AlarmNames=[name], AlarmTypes=[kind.removesuffix("s")])[kind]
    return dict(alarm)


def state_of(aws: Accounts, name: str, kind: str = "MetricAlarms") -> str:
    return str(of(aws, name, kind)["StateValue"])


@pytest.fixture
def notices(aws: Accounts, name: Name) -> Callable[[], list[Json]]:
    """Subscribes a queue to a topic of the name `name("topic")`; returns what reads all notices that there were, oldest first."""
    sns, sqs = aws.client("sns"), aws.client("sqs")
    topic, queue = (f"arn:aws:{service}:{REGION}:{ACCOUNT}:{name(kind)}" for service, kind in (("sns", "topic"), ("sqs", "queue")))
    sns.create_topic(Name=name("topic"))
    let_in = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": queue}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [let_in]})
    url = sqs.create_queue(QueueName=name("queue"), Attributes={"Policy": policy})["QueueUrl"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    seen: dict[str, Json] = {}

    def read() -> list[Json]:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        seen.update({m["MessageId"]: json.loads(json.loads(m["Body"])["Message"]) for m in answer.get("Messages", [])})
        return sorted(seen.values(), key=lambda notice: str(notice["StateChangeTime"]))

    return read


@of_alarms
def test_an_alarm_goes_into_alarm_tells_and_calms_down(aws: Accounts, name: Name, notices: Callable[[], list[Json]]) -> None:
    """It ignores missing data, so that each state lasts until the test measures something else."""
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:{name('topic')}"
    put(aws, name("a"), AlarmActions=[topic], OKActions=[topic])
    put(aws, name("b"), MetricName=name("a"), Threshold=1e9)
    rule = f'ALARM("{name("a")}") AND NOT ALARM("{name("b")}")'
    aws.client("cloudwatch").put_composite_alarm(AlarmName=name("both"), AlarmRule=rule)
    measured(aws, name("a"), 0, OK)
    measured(aws, name("a"), 7, ALARM)

    assert "1 out of the last 1 datapoints [7.0 (" in of(aws, name("a"))["StateReason"]
    until(lambda: state_of(aws, name("both"), "CompositeAlarms") == ALARM)
    measured(aws, name("a"), 0, OK)
    until(lambda: state_of(aws, name("both"), "CompositeAlarms") == OK)
    assert until(lambda: [n["NewStateValue"] for n in notices()] == [OK, ALARM, OK])
    calm = {"AlarmNames": [name("a"), name("b")], "StateValue": ALARM}
    assert aws.client("cloudwatch").describe_alarms(**calm)["MetricAlarms"] == []


@of_alarms
def test_an_alarm_has_a_history(aws: Accounts, name: Name, notices: Callable[[], list[Json]]) -> None:
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:{name('topic')}"
    put(aws, name("a"), AlarmActions=[topic], OKActions=[topic])
    for value, state in ((0, OK), (7, ALARM), (0, OK)):
        measured(aws, name("a"), value, state)
    until(lambda: len(notices()) == 3)
    about = {"AlarmName": name("a"), "ScanBy": "TimestampAscending"}

    def history(kind: str, **more: Any) -> list[str]:
        items = aws.client("cloudwatch").describe_alarm_history(**about, HistoryItemType=kind, **more)["AlarmHistoryItems"]
        return [item["HistorySummary"] for item in items]

    until(lambda: history("StateUpdate")[-2:] == ["Alarm updated from OK to ALARM", "Alarm updated from ALARM to OK"])
    assert until(lambda: any("Successfully executed action" in summary for summary in history("Action")))
    later = datetime.now(UTC) + timedelta(hours=1)
    assert history("StateUpdate", StartDate=later, EndDate=later + timedelta(hours=1)) == []
    assert history("StateUpdate", EndDate=later) == history("StateUpdate")


@pytest.mark.laptop("on an account the action would make something that nobody takes away")
def test_an_action_of_another_service_is_passed_over(aws: Accounts, name: Name) -> None:
    put(aws, name("a"), AlarmActions=[f"arn:aws:ssm:{REGION}:{ACCOUNT}:opsitem:3"])

    measured(aws, name("a"), 7, ALARM)
    measured(aws, name("a"), 0, OK)


@pytest.mark.laptop("it takes hours on an account")
def test_alarms_of_hours_see_what_the_running_hour_holds(aws: Aws, name: Name) -> None:
    cloudwatch, hour = aws.client("cloudwatch"), 3600 / aws.cloud.speed
    about = {"Namespace": "hours", "Statistic": "Maximum", "Period": 3600, "EvaluationPeriods": 3, "DatapointsToAlarm": 2}
    limits = {"Threshold": 1, "ComparisonOperator": "GreaterThanOrEqualToThreshold"}

    def of_hours(kind: str, metric: str, missing: str) -> str:
        cloudwatch.put_metric_alarm(AlarmName=name(kind), MetricName=name(metric), TreatMissingData=missing, **about, **limits)
        return name(kind)

    twice, once, none, silent = (
        of_hours(kind, metric, missing)
        for kind, metric, missing in (("a", "m", "ignore"), ("b", "n", "ignore"), ("c", "o", "ignore"), ("d", "o", "breaching"))
    )
    for metric, ages in (("m", (0.0, 1.0)), ("n", (0.0,))):
        for age in ages:
            when = datetime.now(UTC) - timedelta(seconds=age * hour)
            data = {"MetricName": name(metric), "Value": 1, "Timestamp": when}
            cloudwatch.put_metric_data(Namespace="hours", MetricData=[data])

    until(lambda: state_of(aws, twice) == ALARM and state_of(aws, silent) == ALARM)
    assert (state_of(aws, once), state_of(aws, none)) == (UNKNOWN, UNKNOWN)


@of_alarms
def test_metric_math_is_of_exact_dimensions(aws: Accounts, name: Name) -> None:
    def metric(id_: str, version: str) -> Json:
        about = {"Namespace": NAMESPACE, "MetricName": name("s"), "Dimensions": [{"Name": "Version", "Value": version}]}
        return {"Id": id_, "MetricStat": {"Metric": about, "Period": 60, "Stat": "Average"}, "ReturnData": False}

    shift = {"Id": "shift", "Expression": "MAX([ABS(n-o)])", "Label": "shift", "ReturnData": True}
    queries = [shift, metric("n", "new"), metric("o", "old")]
    put(aws, name("a"), MetricName=None, Namespace=None, Statistic=None, Period=None, Metrics=queries)
    data = [
        {"MetricName": name("s"), "Value": value, "Dimensions": [{"Name": "Version", "Value": v}]} for v, value in (("new", 9), ("old", 2))
    ]

    def reached() -> bool:
        measure(aws, *data)
        return state_of(aws, name("a")) == ALARM

    until(reached)
    assert "[7.0 (" in of(aws, name("a"))["StateReason"]
    now = datetime.now(UTC)
    results = aws.client("cloudwatch").get_metric_data(
        MetricDataQueries=queries, StartTime=now - timedelta(hours=1), EndTime=now + timedelta(hours=1)
    )["MetricDataResults"]
    assert [(r["Id"], set(r["Values"])) for r in results] == [("shift", {7.0})]


@pytest.fixture
def noted() -> Iterator[list[tuple[str, str]]]:
    """The changes that called for actions of the made-up service `noting`: the states before and after."""
    changes: list[tuple[str, str]] = []
    alarm_actions.actions["noting"] = lambda change, _arn: changes.append((change.before, change.state))
    yield changes
    del alarm_actions.actions["noting"]


@pytest.mark.laptop("an alarm changes while its action is carried out, by localcloud's own hands")
def test_an_action_is_of_the_change_that_called_for_it(aws: Accounts, name: Name, noted: list[tuple[str, str]]) -> None:
    """The alarm is calm again by the time that the action of its going into ALARM is carried out."""
    arn = f"arn:aws:noting:{REGION}:{ACCOUNT}:note"
    put(aws, name("a"), Period=86400, AlarmActions=[arn], OKActions=[arn])
    alarm = alarms.find(ACCOUNT, REGION, name("a"))
    with alarms.watched(ACCOUNT, REGION, [name("a")], lambda _: alarm.update_state("calm", None, OK)):
        alarm.update_state("by hand", None, ALARM)

    assert noted == [(ALARM, OK), (UNKNOWN, ALARM)]


@of_alarms
def test_an_updated_alarm_keeps_its_state_until_it_is_evaluated(aws: Accounts, name: Name) -> None:
    put(aws, name("a"), Period=86400)
    aws.client("cloudwatch").set_alarm_state(AlarmName=name("a"), StateValue=ALARM, StateReason="by hand")
    put(aws, name("a"), Period=86400, Threshold=2, TreatMissingData="ignore")

    assert (state_of(aws, name("a")), of(aws, name("a"))["Threshold"]) == (ALARM, 2)


NOT_ALARMS: list[tuple[Json, str]] = [
    ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "GreaterThanUpperThreshold"),
    ({"DatapointsToAlarm": 2}, "DatapointsToAlarm must not be more"),
    ({"Statistic": None, "ExtendedStatistic": "p101"}, "the statistic p101"),
    ({"Period": 45}, "Period must be"),
    ({"MetricName": None, "Namespace": None, "Statistic": None, "Period": None}, "one of MetricName and Metrics"),
]


@of_alarms
@pytest.mark.parametrize("members", [members for members, _ in NOT_ALARMS])
def test_what_is_no_alarm_is_refused(aws: Accounts, name: Name, members: Json) -> None:
    with pytest.raises(ClientError, match=r"ValidationError|InvalidParameter"):
        put(aws, name("a"), **members)


@of_alarms
def test_a_rule_names_alarms_that_are_there(aws: Accounts, name: Name) -> None:
    rule = f'ALARM("{name("nobody")}")'
    assert answer(aws.client("cloudwatch").put_composite_alarm, AlarmName=name("c"), AlarmRule=rule).startswith("Validation")


@pytest.mark.laptop("AWS has what localcloud has not, and the wording is localcloud's")
@pytest.mark.parametrize(
    ("members", "said"),
    [
        *NOT_ALARMS,
        ({"Statistic": None, "ExtendedStatistic": "tm90"}, "tm90"),
        ({"EvaluateLowSampleCountPercentile": "ignore"}, "EvaluateLowSampleCountPercentile"),
    ],
)
def test_alarms_that_cannot_be_evaluated_are_refused(aws: Accounts, name: Name, members: Json, said: str) -> None:
    with pytest.raises(ClientError, match=said):
        put(aws, name("a"), **members)
    with pytest.raises(ClientError, match="do not exist: nobody"):
        aws.client("cloudwatch").put_composite_alarm(AlarmName=name("c"), AlarmRule="ALARM(nobody)")
