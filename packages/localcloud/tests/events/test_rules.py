"""Rules: events from alarms, buckets, pipelines and schedules reach targets, also of other accounts, that may be called."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError
from event_rules import caller, document, rule

from localcloud.testing import ACCOUNT, OTHER, REGION, named
from localcloud.testing.accounts import Accounts
from localcloud.testing.marks import across
from localcloud.testing.names import Name
from localcloud.testing.pipelines import approve, executions, of_approvals
from localcloud.testing.waiting import until

CENTRAL, TOLD = named("central"), named("told")
BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{CENTRAL}"


@dataclass(frozen=True)
class Queue:
    """What came to an SQS queue."""

    cloud: Accounts
    arn: str
    url: str

    def read(self) -> list[Any]:
        """Empty it; its messages as JSON."""
        sqs = self.cloud.client("sqs")
        messages = sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(m["Body"]) for m in messages]


@pytest.fixture(scope="module")
def bus(cloud: Accounts) -> str:
    """The toolchain's bus, which lets the other account in."""
    cloud.client("events").create_event_bus(Name=CENTRAL)
    only = {"StringEquals": {"events:source": ["aws.cloudwatch", TOLD]}}
    policy = document({"AWS": f"arn:aws:iam::{OTHER}:root"}, "events:PutEvents", BUS, Condition=only)
    cloud.client("events").put_permission(EventBusName=CENTRAL, Policy=policy)
    return BUS


@pytest.fixture
def queue(cloud: Accounts, name: Name) -> Queue:
    """A queue of this test's own, which EventBridge and topics may write to."""
    policy = document({"Service": ["events.amazonaws.com", "sns.amazonaws.com"]}, "sqs:SendMessage", "*")
    url = cloud.client("sqs").create_queue(QueueName=name("seen"), Attributes={"Policy": policy})["QueueUrl"]
    return Queue(cloud, f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name('seen')}", url)


@pytest.mark.slow
@pytest.mark.laptop("five hundred executions are more than an account starts within the hour")
def test_five_hundred_alarms_of_another_account_collapse_into_few_executions(cloud: Accounts, bus: str) -> None:
    target = of_approvals(cloud, "retraining")
    start = caller(cloud, "start", "codepipeline:StartPipelineExecution", target)
    transformer = {
        "InputPathsMap": {"alarm": "$.detail.alarmName", "account": "$.account"},
        "InputTemplate": '{"variables": [{"name": "cause", "value": "drift: <alarm> of <account>"}]}',
    }
    pattern = {"source": ["aws.cloudwatch"], "detail": {"alarmName": ["drift"], "state": {"value": ["ALARM"]}}}
    rule(cloud, "retrain", {"Arn": target, "RoleArn": start, "InputTransformer": transformer}, bus=CENTRAL, pattern=pattern)
    rule(cloud, "forward", {"Arn": bus, "RoleArn": caller(cloud, "forward", "events:PutEvents", bus, OTHER)}, OTHER, pattern=pattern)
    cloudwatch = cloud.client("cloudwatch", OTHER)
    about = {"Namespace": "n", "MetricName": "m", "Statistic": "Sum", "Period": 3600, "EvaluationPeriods": 1, "Threshold": 1}
    cloudwatch.put_metric_alarm(AlarmName="drift", ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore", **about)

    for _ in range(500):
        cloudwatch.set_alarm_state(AlarmName="drift", StateValue="ALARM", StateReason="drifted")
        cloudwatch.set_alarm_state(AlarmName="drift", StateValue="OK", StateReason="fine")

    until(lambda: len(executions(cloud, "retraining")) == 500)
    first = approve(cloud, "retraining", "First")
    last = approve(cloud, "retraining", "First")
    approve(cloud, "retraining", "Second")
    approve(cloud, "retraining", "Second")
    until(lambda: not [e for e in executions(cloud, "retraining") if e["status"] == "InProgress"])
    every = executions(cloud, "retraining")
    by_status = {s: [e["pipelineExecutionId"] for e in every if e["status"] == s] for s in {e["status"] for e in every}}
    assert {s: len(e) for s, e in by_status.items()} == {"Succeeded": 2, "Superseded": 498}
    assert set(by_status["Succeeded"]) == {first, last} == {every[0]["pipelineExecutionId"], every[-1]["pipelineExecutionId"]}
    assert every[0]["trigger"] == {
        "triggerType": "CloudWatchEvent",
        "triggerDetail": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/central/retrain",
    }
    shown = cloud.client("codepipeline").get_pipeline_execution(pipelineName="retraining", pipelineExecutionId=last)["pipelineExecution"]
    assert shown["variables"] == [{"name": "cause", "resolvedValue": f"drift: drift of {OTHER}"}]
    assert shown["executionMode"] == "SUPERSEDED"


@pytest.mark.aws("EventBridge: buses and their policies across accounts")
def test_an_alarm_tells_what_it_watches(cloud: Accounts, queue: Queue, name: Name) -> None:
    watch = name("watch")
    rule(cloud, name("alarms"), {"Arn": queue.arn}, pattern={"detail": {"alarmName": [watch], "state": {"value": ["OK"]}}})
    about = {"Namespace": "n", "MetricName": "m", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1}
    dimensions = [{"Name": "d", "Value": "v"}]
    alarm = {**about, "Dimensions": dimensions, "ComparisonOperator": "GreaterThanThreshold", "AlarmDescription": "why"}
    cloud.client("cloudwatch").put_metric_alarm(AlarmName=watch, **alarm)
    cloud.client("cloudwatch").set_alarm_state(AlarmName=watch, StateValue="OK", StateReason="fine")

    event = until(queue.read)[0]

    assert event["detail-type"] == "CloudWatch Alarm State Change"
    assert event["account"] == ACCOUNT
    assert event["resources"] == [f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{watch}"]
    detail = event["detail"]
    assert (detail["state"]["value"], detail["state"]["reason"], detail["previousState"]["value"]) == ("OK", "fine", "INSUFFICIENT_DATA")
    (watched,) = detail["configuration"]["metrics"]
    metric = {"namespace": "n", "name": "m", "dimensions": {"d": "v"}}
    assert detail["configuration"]["description"] == "why"
    assert (watched["metricStat"], watched["returnData"]) == ({"metric": metric, "period": 60, "stat": "Sum"}, True)


@pytest.mark.aws("EventBridge: buses and their policies across accounts")
def test_a_bucket_tells_of_new_objects_only_where_it_is_asked_to(cloud: Accounts, queue: Queue, name: Name) -> None:
    """S3's guide gives the setting some minutes until it holds: objects are put until one is told of."""
    s3, telling, silent = cloud.client("s3"), cloud.create_bucket(name("telling")), cloud.create_bucket(name("silent"))
    s3.put_bucket_notification_configuration(Bucket=telling, NotificationConfiguration={"EventBridgeConfiguration": {}})
    of = {"bucket": {"name": [telling, silent]}, "object": {"key": [{"prefix": "data/"}]}}
    pattern = {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": of}
    rule(cloud, name("objects"), {"Arn": queue.arn}, pattern=pattern)

    def told() -> list[Any]:
        s3.put_object(Bucket=telling, Key="data/first.csv", Body=b"1")
        return queue.read()

    until(told)
    for bucket, key in ((silent, "data/a.csv"), (telling, "other/a.csv"), (telling, "data/a.csv")):
        s3.put_object(Bucket=bucket, Key=key, Body=b"1")
    upload = s3.create_multipart_upload(Bucket=telling, Key="data/big.csv")["UploadId"]
    part = s3.upload_part(Bucket=telling, Key="data/big.csv", UploadId=upload, PartNumber=1, Body=b"12")["ETag"]
    parts = {"Parts": [{"ETag": part, "PartNumber": 1}]}
    s3.complete_multipart_upload(Bucket=telling, Key="data/big.csv", UploadId=upload, MultipartUpload=parts)

    seen: list[Any] = []
    while len(seen) < 2:
        seen += [event for event in until(queue.read) if event["detail"]["object"]["key"] != "data/first.csv"]
    objects = sorted((e["detail"]["object"]["key"], e["detail"]["object"]["size"], e["detail"]["reason"]) for e in seen)
    assert objects == [("data/a.csv", 1, "PutObject"), ("data/big.csv", 2, "CompleteMultipartUpload")]
    assert {e["detail"]["bucket"]["name"] for e in seen} == {telling}


@pytest.mark.aws("EventBridge: buses and their policies across accounts")
def test_a_pipeline_tells_how_it_ends(cloud: Accounts, queue: Queue, name: Name) -> None:
    telling = name("telling")
    of_approvals(cloud, telling, mode="QUEUED")
    kind, pipelines = "CodePipeline Pipeline Execution State Change", cloud.client("codepipeline")
    ends = {"pipeline": [telling], "state": ["STOPPED", "CANCELED"]}
    rule(cloud, name("ends"), {"Arn": queue.arn}, pattern={"detail-type": [kind], "detail": ends})
    stopped = pipelines.start_pipeline_execution(name=telling)["pipelineExecutionId"]

    pipelines.stop_pipeline_execution(pipelineName=telling, pipelineExecutionId=stopped, reason="enough", abandon=True)

    detail = until(queue.read)[0]["detail"]
    assert (detail["execution-id"], detail["state"]) == (stopped, "STOPPED")
    cancelled = pipelines.start_pipeline_execution(name=telling)["pipelineExecutionId"]
    pipeline = pipelines.get_pipeline(name=telling)["pipeline"]

    pipelines.update_pipeline(pipeline={**pipeline, "variables": [{"name": "cause", "defaultValue": "another"}]})

    detail = until(queue.read)[0]["detail"]
    assert (detail["execution-id"], detail["state"]) == (cancelled, "CANCELED")


@pytest.mark.aws("EventBridge: buses and their policies across accounts")
def test_a_rule_keeps_its_schedule_while_it_is_enabled(cloud: Accounts, queue: Queue, name: Name) -> None:
    hourly = name("hourly")
    rule(cloud, hourly, {"Arn": queue.arn, "Input": '{"cause": "schedule"}'}, ScheduleExpression="rate(5 minutes)")

    assert until(queue.read)[0] == {"cause": "schedule"}

    cloud.client("events").disable_rule(Name=hourly)
    with pytest.raises(ClientError, match="ValidationException"):
        cloud.client("events").put_rule(Name=name("odd"), ScheduleExpression="every(5 minutes)")


def failures(cloud: Accounts, name: str) -> float:
    """How many invocations of a rule were given up."""
    wanted = {"Namespace": "AWS/Events", "MetricName": "FailedInvocations", "Dimensions": [{"Name": "RuleName", "Value": name}]}
    statistics = cloud.client("cloudwatch").get_metric_statistics(
        **wanted, StartTime=time.time() - 7200, EndTime=time.time() + 60, Period=3600, Statistics=["Sum"]
    )
    return sum(float(p["Sum"]) for p in statistics["Datapoints"])


def letters(cloud: Accounts, name: str) -> tuple[dict[str, Any], Callable[[], dict[str, str]]]:
    """What says that a target's events are to go to a new queue when they are given up; and the codes, with reasons, of those that did."""
    policy = document({"Service": "events.amazonaws.com"}, "sqs:SendMessage", "*")
    dead = cloud.client("sqs").create_queue(QueueName=name, Attributes={"Policy": policy})["QueueUrl"]
    given_up: dict[str, str] = {}

    def read() -> dict[str, str]:
        received = cloud.client("sqs").receive_message(QueueUrl=dead, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        for message in received.get("Messages", []):
            code, why = (message["MessageAttributes"][f"ERROR_{part}"]["StringValue"] for part in ("CODE", "MESSAGE"))
            given_up[why] = code
        return given_up

    return {"DeadLetterConfig": {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"}}, read


@pytest.mark.aws("EventBridge: buses and their policies across accounts")
def test_what_a_queue_does_not_take_is_noted_and_kept(cloud: Accounts, name: Name) -> None:
    closed = name("closed")
    cloud.client("sqs").create_queue(QueueName=closed)
    dead, given_up = letters(cloud, name("dead"))
    rule(cloud, closed, {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{closed}", **dead}, pattern={"source": [closed]})

    cloud.client("events").put_events(Entries=[{"Source": closed, "DetailType": "x", "Detail": "{}"}])

    assert set(until(given_up).values()) == {"NO_PERMISSIONS"}
    until(lambda: failures(cloud, closed) == 1)


@pytest.mark.aws("EventBridge: buses and their policies across accounts")
def test_what_a_target_may_not_do_is_noted_and_not_done(cloud: Accounts, name: Name) -> None:
    guarded, wrong = name("guarded"), name("wrong")
    target = of_approvals(cloud, guarded, mode="QUEUED")
    other = caller(cloud, wrong, "codepipeline:StartPipelineExecution", f"{target}-other")
    dead, given_up = letters(cloud, name("dead"))
    rule(cloud, wrong, {"Arn": target, "RoleArn": other, **dead}, pattern={"source": [wrong]})

    cloud.client("events").put_events(Entries=[{"Source": wrong, "DetailType": "x", "Detail": "{}"}])

    assert set(until(given_up).values()) == {"NO_PERMISSIONS"}
    assert executions(cloud, guarded) == []
    until(lambda: failures(cloud, wrong) == 1)


@pytest.mark.laptop("the words are localcloud's")
def test_why_a_target_was_not_reached_is_told(cloud: Accounts) -> None:
    target = of_approvals(cloud, "reasons", mode="QUEUED")
    other = caller(cloud, "lacking", "codepipeline:StartPipelineExecution", f"{target}-other")
    dead, given_up = letters(cloud, "reasons-dead")
    rule(cloud, "lacking", {"Arn": target, "RoleArn": other, **dead}, pattern={"source": ["lacking"]})
    cloud.client("sqs").create_queue(QueueName="closed")
    rule(cloud, "closed", {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:closed", **dead}, pattern={"source": ["lacking"]})
    cloud.client("events").put_events(Entries=[{"Source": "lacking", "DetailType": "x", "Detail": "{}"}])

    until(lambda: len(given_up()) == 2)
    assert any("role/lacking is not allowed codepipeline:StartPipelineExecution" in reason for reason in given_up())
    assert any("does not let events.amazonaws.com do sqs:SendMessage" in reason for reason in given_up())


@across
@pytest.mark.aws("EventBridge: buses and their policies across accounts")
def test_strangers_are_refused(cloud: Accounts, bus: str, name: Name) -> None:
    entry = {"Source": TOLD, "DetailType": "x", "Detail": "{}", "EventBusName": bus}
    allowed = {"Action": "events:PutEvents", "Resource": "*"}
    stranger = cloud.role(name("stranger"), trusts={"AWS": OTHER}, allows=[allowed], account=OTHER)
    own = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
    asks = cloud.client("events", OTHER, **cloud.assume(stranger, OTHER))

    assert asks.put_events(Entries=[entry])["FailedEntryCount"] == 0
    with pytest.raises(ClientError, match="not authorized"):
        asks.put_events(Entries=[entry | {"Source": f"{TOLD}-not"}])
    with pytest.raises(ClientError, match=r"not authorized to perform: events:PutEvents on resource: .*event-bus/default"):
        asks.put_events(Entries=[entry | {"EventBusName": own}])
    mine = cloud.client("events").put_events(Entries=[entry | {"Source": "aws.s3"}])
    assert mine["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"


@pytest.mark.aws("EventBridge: buses and their policies across accounts")
@pytest.mark.parametrize("more", [{"Arn": BUS}, {"Arn": f"{BUS}-queue", "Input": "{}", "InputPath": "$.a"}])
def test_targets_that_cannot_be_called_are_refused(cloud: Accounts, name: Name, more: dict[str, str]) -> None:
    """A bus without a role, and an input said twice."""
    cloud.client("events").put_rule(Name=name("odd"), EventPattern='{"source": ["x"]}')

    with pytest.raises(ClientError, match="ValidationException"):
        cloud.client("events").put_targets(Rule=name("odd"), Targets=[{"Id": "t", **more}])


@pytest.mark.laptop("the words are localcloud's, and targets that it does not have")
def test_targets_are_refused_by_name(cloud: Accounts, bus: str) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/any"
    cloud.client("events").put_rule(Name="odd", EventPattern='{"source": ["x"]}')
    for target, why in (
        ({"Arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"}, "no targets like"),
        ({"Arn": bus}, "RoleArn is required"),
        ({"Arn": bus, "RoleArn": role, "Input": "{}"}, "whole events"),
        ({"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:seen", "Input": "{}", "InputPath": "$.a"}, "Only one of"),
    ):
        with pytest.raises(ClientError, match=why):
            cloud.client("events").put_targets(Rule="odd", Targets=[{"Id": "t", **target}])


@pytest.mark.aws("EventBridge: buses and their policies across accounts")
def test_a_topic_and_a_log_group_hear_of_events_when_their_policies_say_so(cloud: Accounts, queue: Queue, name: Name) -> None:
    sns, logs, heard = cloud.client("sns"), cloud.client("logs"), f"/{name('heard')}"
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{heard}"
    logs.create_log_group(logGroupName=heard)
    writers: dict[str, Any] = {"Service": ["events.amazonaws.com", "delivery.logs.amazonaws.com"]}
    policy = document(writers, ["logs:CreateLogStream", "logs:PutLogEvents"], f"{group}:*")
    logs.put_resource_policy(policyName=name("e"), policyDocument=policy)
    topic = sns.create_topic(Name=name("heard"))["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn)
    rule(cloud, name("topic"), {"Arn": topic}, pattern={"source": [name("heard")]})
    rule(cloud, name("logs"), {"Arn": group}, pattern={"source": [name("heard")]})
    entry = {"Source": name("heard"), "DetailType": "x", "Detail": '{"a": 1}'}

    def tell() -> None:
        cloud.client("events").put_events(Entries=[entry])

    tell()
    until(lambda: failures(cloud, name("topic")) == 1)
    own = document({"Service": "events.amazonaws.com"}, "sns:Publish", topic)
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=own)

    def told() -> list[Any]:
        tell()
        return queue.read()

    assert json.loads(until(told)[0]["Message"])["detail"] == {"a": 1}
    until(lambda: len(cloud.lines(heard)) >= 2)
    assert failures(cloud, name("logs")) == 0


@pytest.mark.aws("EventBridge: buses and their policies across accounts")
def test_variables_of_an_execution_must_be_declared(cloud: Accounts, name: Name) -> None:
    pipeline, bad = name("pipeline"), name("bad")
    target = of_approvals(cloud, pipeline, mode="QUEUED")
    start = caller(cloud, bad, "codepipeline:StartPipelineExecution", target)
    undeclared = {"variables": [{"name": "no", "value": "x"}]}
    rule(cloud, bad, {"Arn": target, "RoleArn": start, "Input": json.dumps(undeclared)}, pattern={"source": [bad]})
    cloud.client("events").put_events(Entries=[{"Source": bad, "DetailType": "x", "Detail": "{}"}])

    until(lambda: failures(cloud, bad) == 1)
    with pytest.raises(ClientError, match="ValidationException"):
        cloud.client("codepipeline").start_pipeline_execution(name=pipeline, **undeclared)
    assert executions(cloud, pipeline) == []


@pytest.mark.aws("EventBridge: buses and their policies across accounts")
def test_a_queue_of_executions_is_not_endless_and_an_event_waits_for_its_end(cloud: Accounts, name: Name) -> None:
    fifty, once = name("fifty"), name("once")
    target = of_approvals(cloud, fifty, mode="QUEUED")
    pipelines = cloud.client("codepipeline")
    first, *_ = [pipelines.start_pipeline_execution(name=fifty)["pipelineExecutionId"] for _ in range(50)]
    with pytest.raises(ClientError, match="ConcurrentPipelineExecutionsLimitExceededException"):
        pipelines.start_pipeline_execution(name=fifty)
    start = caller(cloud, fifty, "codepipeline:StartPipelineExecution", target)
    rule(cloud, fifty, {"Arn": target, "RoleArn": start}, pattern={"source": [fifty]})
    rule(cloud, once, {"Arn": target, "RoleArn": start, "RetryPolicy": {"MaximumRetryAttempts": 0}}, pattern={"source": [fifty]})
    cloud.client("events").put_events(Entries=[{"Source": fifty, "DetailType": "x", "Detail": "{}"}])
    until(lambda: failures(cloud, once) == 1)
    assert len(executions(cloud, fifty)) == 50

    pipelines.stop_pipeline_execution(pipelineName=fifty, pipelineExecutionId=first, reason="room", abandon=True)

    until(lambda: len(executions(cloud, fifty)) == 51)
    assert failures(cloud, fifty) == 0
