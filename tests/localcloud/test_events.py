"""EventBridge: patterns, inputs, targets and their permissions, from alarms, buckets and schedules to pipelines of other accounts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.core.exceptions import JsonRESTError
from moto.events.models import EventPattern

from localcloud import event_patterns
from tests.localcloud.running import ACCOUNT, OTHER, REGION, Running
from tests.localcloud.test_codepipeline import approve, everything, executions, pipeline, wait

BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/road"
EVENT: dict[str, Any] = {
    "version": "0",
    "id": "1",
    "detail-type": "Made",
    "source": "test",
    "account": ACCOUNT,
    "time": "2026-11-21T10:00:00Z",
    "region": REGION,
    "resources": ["arn:a"],
    "detail": {
        "name": "drift-1",
        "size": 5,
        "state": {"value": "ALARM"},
        "metrics": [{"id": "a"}, {"id": "b"}],
        "object": {"version-id": "v"},
    },
}


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ({"source": ["test", "other"]}, True),
        ({"source": ["other"]}, False),
        ({"detail": {"name": [{"prefix": "drift-"}]}}, True),
        ({"detail": {"name": [{"suffix": "-2"}]}}, False),
        ({"detail": {"name": [{"anything-but": ["drift-1"]}]}}, False),
        ({"detail": {"name": [{"anything-but": {"prefix": "x"}}]}}, True),
        ({"detail": {"name": [{"equals-ignore-case": "DRIFT-1"}]}}, True),
        ({"detail": {"name": [{"wildcard": "dr*-1"}]}}, True),
        ({"detail": {"size": [{"numeric": [">", 1, "<=", 5]}]}}, True),
        ({"detail": {"size": [{"numeric": [">", 5]}]}}, False),
        ({"detail": {"absent": [{"exists": False}]}}, True),
        ({"detail": {"name": [{"exists": False}]}}, False),
        ({"detail": {"state": {"value": ["ALARM"]}, "metrics": {"id": ["b"]}}}, True),
        ({"$or": [{"source": ["other"]}, {"detail": {"size": [5]}}]}, True),
    ],
)
def test_patterns(pattern: dict[str, Any], wanted: bool) -> None:
    text = json.dumps(pattern)
    event_patterns.check(text)

    assert event_patterns.matches(EventPattern.load(text), EVENT) is wanted


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("{", "not valid"),
        ('{"source": "test"}', "must be an object or an array"),
        ('{"source": []}', "Empty arrays"),
        ('{"source": [{"soundex": "test"}]}', "soundex"),
    ],
)
def test_patterns_that_cannot_be_compared_are_refused(pattern: str, why: str) -> None:
    with pytest.raises(JsonRESTError, match=why):
        event_patterns.check(pattern)


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ({}, EVENT),
        ({"Input": '{"a": 1}'}, {"a": 1}),
        ({"InputPath": "$.detail.metrics[1].id"}, "b"),
        (
            {
                "InputTransformer": {
                    "InputPathsMap": {"n": "$.detail.name", "v": "$.detail.object.version-id", "no": "$.detail.no", "s": "$.detail.size"},
                    "InputTemplate": '{"cause": "drift: <n> <v><no>", "size": <s>, "name": <n>, "by": "<aws.events.rule-name>"}',
                }
            },
            {"cause": "drift: drift-1 v", "size": 5, "name": "drift-1", "by": "me"},
        ),
    ],
)
def test_what_a_target_is_told(target: dict[str, Any], told: Any) -> None:
    event_patterns.check_target({"Id": "t", **target})

    assert json.loads(event_patterns.told(target, EVENT, "arn:aws:events:::rule/me")) == told


def rule(cloud: Running, name: str, target: dict[str, Any], account: str = ACCOUNT, *, bus: str = "default", **about: Any) -> None:
    events = cloud.client("events", account)
    given = {"EventPattern": json.dumps(about.pop("pattern"))} if "pattern" in about else {}
    events.put_rule(Name=name, **({} if "ScheduleExpression" in about else {"EventBusName": bus}), **given, **about)
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "t", **target}])


def caller(cloud: Running, name: str, action: str, resource: str, account: str = ACCOUNT, service: str = "events") -> str:
    """A role for a rule or a schedule."""
    return cloud.role(
        name, trusts={"Service": f"{service}.amazonaws.com"}, allows=[{"Action": action, "Resource": resource}], account=account
    )


def document(principal: dict[str, str], action: str, resource: str, **more: Any) -> str:
    """The policy of a resource that lets one principal do one thing."""
    statement = {"Sid": "a", "Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture(scope="module")
def bus(cloud: Running) -> str:
    """The toolchain's bus, which lets the other account in."""
    cloud.client("events").create_event_bus(Name="road")
    only = {"StringEquals": {"events:source": ["aws.cloudwatch", "x"]}}
    policy = document({"AWS": f"arn:aws:iam::{OTHER}:root"}, "events:PutEvents", BUS, Condition=only)
    cloud.client("events").put_permission(EventBusName="road", Policy=policy)
    return BUS


@pytest.fixture(scope="module")
def queue(cloud: Running) -> Callable[[], list[Any]]:
    """A queue that EventBridge may write to; the function empties it."""
    sqs = cloud.client("sqs")
    policy = document({"Service": "events.amazonaws.com"}, "sqs:SendMessage", "*")
    url = sqs.create_queue(QueueName="seen", Attributes={"Policy": policy})["QueueUrl"]

    def read() -> list[Any]:
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(m["Body"]) for m in found]

    return read


SEEN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:seen"


def test_five_hundred_alarms_of_another_account_collapse_into_few_executions(cloud: Running, bus: str) -> None:
    target = pipeline(cloud, "retraining")
    start = caller(cloud, "start", "codepipeline:StartPipelineExecution", target)
    transformer = {
        "InputPathsMap": {"alarm": "$.detail.alarmName", "account": "$.account"},
        "InputTemplate": '{"variables": [{"name": "cause", "value": "drift: <alarm> of <account>"}]}',
    }
    pattern = {"source": ["aws.cloudwatch"], "detail": {"alarmName": ["drift"], "state": {"value": ["ALARM"]}}}
    rule(cloud, "retrain", {"Arn": target, "RoleArn": start, "InputTransformer": transformer}, bus="road", pattern=pattern)
    rule(cloud, "forward", {"Arn": bus, "RoleArn": caller(cloud, "forward", "events:PutEvents", bus, OTHER)}, OTHER, pattern=pattern)
    cloudwatch = cloud.client("cloudwatch", OTHER)
    about = {"Namespace": "n", "MetricName": "m", "Statistic": "Sum", "Period": 3600, "EvaluationPeriods": 1, "Threshold": 1}
    cloudwatch.put_metric_alarm(AlarmName="drift", ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore", **about)

    began = time.monotonic()
    for _ in range(500):
        cloudwatch.set_alarm_state(AlarmName="drift", StateValue="ALARM", StateReason="drifted")
        cloudwatch.set_alarm_state(AlarmName="drift", StateValue="OK", StateReason="fine")
    assert time.monotonic() - began < 20

    wait(lambda: len(everything(cloud, "retraining")) == 500)
    first = approve(cloud, "retraining", "First")
    last = approve(cloud, "retraining", "First")
    approve(cloud, "retraining", "Second")
    approve(cloud, "retraining", "Second")
    wait(lambda: not [e for e in everything(cloud, "retraining") if e["status"] == "InProgress"])
    found = everything(cloud, "retraining")
    by_status = {s: [e["pipelineExecutionId"] for e in found if e["status"] == s] for s in {e["status"] for e in found}}
    assert {s: len(e) for s, e in by_status.items()} == {"Succeeded": 2, "Superseded": 498}
    assert set(by_status["Succeeded"]) == {first, last} == {found[0]["pipelineExecutionId"], found[-1]["pipelineExecutionId"]}
    assert found[0]["trigger"] == {
        "triggerType": "CloudWatchEvent",
        "triggerDetail": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/road/retrain",
    }
    shown = cloud.client("codepipeline").get_pipeline_execution(pipelineName="retraining", pipelineExecutionId=last)["pipelineExecution"]
    assert shown["variables"] == [{"name": "cause", "resolvedValue": f"drift: drift of {OTHER}"}]
    assert shown["executionMode"] == "SUPERSEDED"


def test_an_alarm_tells_what_it_watches(cloud: Running, queue: Callable[[], list[Any]]) -> None:
    rule(cloud, "alarms", {"Arn": SEEN}, pattern={"detail": {"alarmName": ["watch"], "state": {"value": ["OK"]}}})
    about = {"Namespace": "n", "MetricName": "m", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1}
    dimensions = [{"Name": "d", "Value": "v"}]
    alarm = {**about, "Dimensions": dimensions, "ComparisonOperator": "GreaterThanThreshold", "AlarmDescription": "why"}
    cloud.client("cloudwatch").put_metric_alarm(AlarmName="watch", **alarm)
    cloud.client("cloudwatch").set_alarm_state(AlarmName="watch", StateValue="OK", StateReason="fine")

    event = wait(queue)[0]

    assert event["detail-type"] == "CloudWatch Alarm State Change"
    assert event["account"] == ACCOUNT
    assert event["resources"] == [f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:watch"]
    detail = event["detail"]
    assert (detail["state"]["value"], detail["state"]["reason"], detail["previousState"]["value"]) == ("OK", "fine", "INSUFFICIENT_DATA")
    metric = {"namespace": "n", "name": "m", "dimensions": {"d": "v"}}
    watched = {"id": "m", "metricStat": {"metric": metric, "period": 60, "stat": "Sum"}, "returnData": True}
    assert detail["configuration"] == {"description": "why", "metrics": [watched]}


def test_a_bucket_tells_of_new_objects_only_where_it_is_asked_to(cloud: Running, queue: Callable[[], list[Any]]) -> None:
    s3 = cloud.client("s3")
    for name in ("telling", "silent"):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_notification_configuration(Bucket="telling", NotificationConfiguration={"EventBridgeConfiguration": {}})
    pattern = {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": {"object": {"key": [{"prefix": "data/"}]}}}
    rule(cloud, "objects", {"Arn": SEEN}, pattern=pattern)

    for bucket, key in (("silent", "data/a.csv"), ("telling", "other/a.csv"), ("telling", "data/a.csv")):
        s3.put_object(Bucket=bucket, Key=key, Body=b"1")
    upload = s3.create_multipart_upload(Bucket="telling", Key="data/big.csv")["UploadId"]
    part = s3.upload_part(Bucket="telling", Key="data/big.csv", UploadId=upload, PartNumber=1, Body=b"12")["ETag"]
    parts = {"Parts": [{"ETag": part, "PartNumber": 1}]}
    s3.complete_multipart_upload(Bucket="telling", Key="data/big.csv", UploadId=upload, MultipartUpload=parts)

    seen: list[Any] = []
    while len(seen) < 2:
        seen += wait(queue)
    told = sorted((e["detail"]["object"]["key"], e["detail"]["object"]["size"], e["detail"]["reason"]) for e in seen)
    assert told == [("data/a.csv", 1, "PutObject"), ("data/big.csv", 2, "CompleteMultipartUpload")]
    assert {e["detail"]["bucket"]["name"] for e in seen} == {"telling"}


def test_a_pipeline_tells_how_it_ends(cloud: Running, queue: Callable[[], list[Any]]) -> None:
    pipeline(cloud, "telling", mode="QUEUED")
    kind = "CodePipeline Pipeline Execution State Change"
    rule(cloud, "ends", {"Arn": SEEN}, pattern={"detail-type": [kind], "detail": {"pipeline": ["telling"], "state": ["STOPPED"]}})
    started = cloud.client("codepipeline").start_pipeline_execution(name="telling")["pipelineExecutionId"]

    cloud.client("codepipeline").stop_pipeline_execution(pipelineName="telling", pipelineExecutionId=started, reason="enough")

    assert wait(queue)[0]["detail"]["execution-id"] == started


def test_a_rule_keeps_its_schedule_while_it_is_enabled(cloud: Running, queue: Callable[[], list[Any]]) -> None:
    rule(cloud, "hourly", {"Arn": SEEN, "Input": '{"cause": "schedule"}'}, ScheduleExpression="rate(5 minutes)")

    assert wait(queue)[0] == {"cause": "schedule"}

    cloud.client("events").disable_rule(Name="hourly")
    queue()
    with pytest.raises(ClientError, match="every"):
        cloud.client("events").put_rule(Name="odd", ScheduleExpression="every(5 minutes)")


def failures(cloud: Running, name: str) -> float:
    wanted = {"Namespace": "AWS/Events", "MetricName": "FailedInvocations", "Dimensions": [{"Name": "RuleName", "Value": name}]}
    found = cloud.client("cloudwatch").get_metric_statistics(
        **wanted, StartTime=time.time() - 600, EndTime=time.time() + 60, Period=3600, Statistics=["Sum"]
    )
    return sum(float(p["Sum"]) for p in found["Datapoints"])


def test_what_a_target_may_not_do_is_told_and_not_done(cloud: Running) -> None:
    target = pipeline(cloud, "guarded", mode="QUEUED")
    other = caller(cloud, "wrong", "codepipeline:StartPipelineExecution", f"{target}-other")
    sqs = cloud.client("sqs")
    allowed = {
        "Sid": "a",
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": "*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    dead = sqs.create_queue(QueueName="dead", Attributes={"Policy": policy})["QueueUrl"]
    letters = {"DeadLetterConfig": {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead"}}
    rule(cloud, "wrong", {"Arn": target, "RoleArn": other, **letters}, pattern={"source": ["wrong"]})
    sqs.create_queue(QueueName="closed")
    rule(cloud, "closed", {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:closed", **letters}, pattern={"source": ["wrong"]})
    given = {"Source": "wrong", "DetailType": "x", "Detail": "{}"}
    cloud.client("events").put_events(Entries=[given])

    told: dict[str, str] = {}

    def read() -> bool:
        found = sqs.receive_message(QueueUrl=dead, MaxNumberOfMessages=10, MessageAttributeNames=["All"]).get("Messages", [])
        told.update({m["MessageId"]: m["MessageAttributes"]["ERROR_MESSAGE"]["StringValue"] for m in found})
        return len(told) == 2

    wait(read)
    assert any("role/wrong is not allowed codepipeline:StartPipelineExecution" in t for t in told.values())
    assert any("does not let events.amazonaws.com do sqs:SendMessage" in t for t in told.values())
    assert executions(cloud, "guarded") == []
    assert failures(cloud, "wrong") == failures(cloud, "closed") == 1


def test_strangers_and_unknown_targets_are_refused(cloud: Running, bus: str) -> None:
    given = {"Source": "x", "DetailType": "x", "Detail": "{}", "EventBusName": bus}
    stranger = cloud.role("stranger", trusts={"AWS": OTHER}, allows=[{"Action": "events:PutEvents", "Resource": "*"}], account=OTHER)
    own = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
    asks = cloud.client("events", OTHER, **cloud.assume(stranger, OTHER))

    assert asks.put_events(Entries=[given])["FailedEntryCount"] == 0
    with pytest.raises(ClientError, match="not authorized"):
        asks.put_events(Entries=[given | {"Source": "y"}])
    with pytest.raises(ClientError, match=r"not authorized to perform: events:PutEvents on resource: .*event-bus/default"):
        asks.put_events(Entries=[given | {"EventBusName": own}])
    mine = cloud.client("events").put_events(Entries=[given | {"Source": "aws.s3"}])
    assert mine["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"
    cloud.client("events").put_rule(Name="odd", EventPattern='{"source": ["x"]}')
    for target, why in (
        ({"Arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"}, "no targets like"),
        ({"Arn": bus}, "RoleArn is required"),
        ({"Arn": bus, "RoleArn": stranger, "Input": "{}"}, "whole events"),
        ({"Arn": SEEN, "Input": "{}", "InputPath": "$.a"}, "Only one of"),
    ):
        with pytest.raises(ClientError, match=why):
            cloud.client("events").put_targets(Rule="odd", Targets=[{"Id": "t", **target}])


def test_a_topic_and_a_log_group_hear_of_events_when_their_policies_say_so(cloud: Running, queue: Callable[[], list[Any]]) -> None:
    sns, logs = cloud.client("sns"), cloud.client("logs")
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/heard"
    logs.create_log_group(logGroupName="/heard")
    principal = {"Service": "events.amazonaws.com"}
    logs.put_resource_policy(policyName="e", policyDocument=document(principal, "logs:*", f"{group}:*"))
    topic = sns.create_topic(Name="heard")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=SEEN)
    rule(cloud, "topic", {"Arn": topic}, pattern={"source": ["heard"]})
    rule(cloud, "logs", {"Arn": group}, pattern={"source": ["heard"]})
    tell = cloud.client("events").put_events
    given = {"Source": "heard", "DetailType": "x", "Detail": '{"a": 1}'}
    tell(Entries=[given])
    wait(lambda: failures(cloud, "topic") == 1)
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=document(principal, "sns:Publish", topic))

    tell(Entries=[given])

    assert json.loads(wait(queue)[0]["Message"])["detail"] == {"a": 1}
    wait(lambda: len(cloud.lines("/heard")) == 2)
    assert failures(cloud, "logs") == 0


def schedule(cloud: Running, name: str, expression: str, role: str, target: str, **more: Any) -> None:
    given = {"ScheduleExpression": expression, "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": {"Arn": target, "RoleArn": role}}
    cloud.client("scheduler").create_schedule(Name=name, **{**given, **more})


def test_schedules_start_pipelines_at_their_times_while_they_are_enabled(cloud: Running) -> None:
    target = pipeline(cloud, "scheduled", mode="QUEUED")
    role = caller(cloud, "scheduled", "codepipeline:StartPipelineExecution", target, service="scheduler")
    when = f"at({datetime.now(UTC) + timedelta(minutes=5):%Y-%m-%dT%H:%M:%S})"

    schedule(cloud, "never", "rate(1 minutes)", role, target, State="DISABLED")
    schedule(cloud, "past", "at(2020-01-01T00:00:00)", role, target)
    schedule(cloud, "once", when, role, target)
    schedule(cloud, "often", "rate(1 hours)", role, target)

    wait(lambda: len(executions(cloud, "scheduled")) == 2)
    by = [e["trigger"]["triggerDetail"].rpartition("/")[2] for e in reversed(executions(cloud, "scheduled"))]
    assert by == ["often", "once"]
    cloud.client("scheduler").delete_schedule(Name="often")


def test_schedules_that_cannot_be_kept_are_refused(cloud: Running) -> None:
    target = pipeline(cloud, "unscheduled", mode="QUEUED")
    role = caller(cloud, "unscheduled", "codepipeline:StartPipelineExecution", target, service="scheduler")
    untrusted = caller(cloud, "untrusted", "codepipeline:StartPipelineExecution", target)
    for arn, with_role, more, why in (
        (SEEN, role, {}, "no schedules for"),
        (target, untrusted, {}, r"does not let scheduler.amazonaws.com assume"),
        (target, role, {"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5}}, "must be OFF"),
        (target, role, {"ScheduleExpression": "rate(5 weeks)"}, "rate"),
    ):
        with pytest.raises(ClientError, match=why):
            schedule(cloud, "odd", "rate(1 hours)", with_role, arn, **more)
    assert executions(cloud, "unscheduled") == []


def test_variables_of_an_execution_must_be_declared(cloud: Running) -> None:
    target = pipeline(cloud, "variables", mode="QUEUED")
    start = caller(cloud, "variables", "codepipeline:StartPipelineExecution", target)
    rule(
        cloud, "bad", {"Arn": target, "RoleArn": start, "Input": '{"variables": [{"name": "no", "value": "x"}]}'}, pattern={"source": ["v"]}
    )
    cloud.client("events").put_events(Entries=[{"Source": "v", "DetailType": "x", "Detail": "{}"}])

    wait(lambda: failures(cloud, "bad") == 1)
    with pytest.raises(ClientError, match="has no variable no"):
        cloud.client("codepipeline").start_pipeline_execution(name="variables", variables=[{"name": "no", "value": "x"}])
    assert executions(cloud, "variables") == []


def test_a_queue_of_executions_is_not_endless_and_an_event_waits_for_its_end(cloud: Running) -> None:
    target = pipeline(cloud, "fifty", mode="QUEUED")
    pipelines = cloud.client("codepipeline")
    first, *_ = [pipelines.start_pipeline_execution(name="fifty")["pipelineExecutionId"] for _ in range(50)]
    with pytest.raises(ClientError, match="ConcurrentPipelineExecutionsLimitExceededException"):
        pipelines.start_pipeline_execution(name="fifty")
    start = caller(cloud, "fifty", "codepipeline:StartPipelineExecution", target)
    rule(cloud, "fifty", {"Arn": target, "RoleArn": start}, pattern={"source": ["fifty"]})
    rule(cloud, "once", {"Arn": target, "RoleArn": start, "RetryPolicy": {"MaximumRetryAttempts": 0}}, pattern={"source": ["fifty"]})
    cloud.client("events").put_events(Entries=[{"Source": "fifty", "DetailType": "x", "Detail": "{}"}])
    wait(lambda: failures(cloud, "once") == 1)
    assert len(executions(cloud, "fifty")) == 50

    pipelines.stop_pipeline_execution(pipelineName="fifty", pipelineExecutionId=first, reason="room")

    wait(lambda: len(executions(cloud, "fifty")) == 51)
    assert failures(cloud, "fifty") == 0
