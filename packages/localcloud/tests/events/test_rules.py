"""Rules: events from alarms, buckets, pipelines and schedules reach targets, also of other accounts, that may be called."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError
from event_rules import caller, document, rule

from localcloud.testing import ACCOUNT, OTHER, REGION
from localcloud.testing.names import Name
from localcloud.testing.pipelines import approve, executions, of_approvals
from localcloud.testing.running import Running
from localcloud.testing.waiting import until

BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/central"


@dataclass(frozen=True)
class Queue:
    """What came to an SQS queue."""

    cloud: Running
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
def bus(cloud: Running) -> str:
    """The toolchain's bus, which lets the other account in."""
    cloud.client("events").create_event_bus(Name="central")
    only = {"StringEquals": {"events:source": ["aws.cloudwatch", "x"]}}
    policy = document({"AWS": f"arn:aws:iam::{OTHER}:root"}, "events:PutEvents", BUS, Condition=only)
    cloud.client("events").put_permission(EventBusName="central", Policy=policy)
    return BUS


@pytest.fixture
def queue(cloud: Running, name: Name) -> Queue:
    """A queue of this test's own, which EventBridge may write to."""
    policy = document({"Service": "events.amazonaws.com"}, "sqs:SendMessage", "*")
    url = cloud.client("sqs").create_queue(QueueName=name("seen"), Attributes={"Policy": policy})["QueueUrl"]
    return Queue(cloud, f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name('seen')}", url)


@pytest.mark.slow
def test_five_hundred_alarms_of_another_account_collapse_into_few_executions(cloud: Running, bus: str) -> None:
    target = of_approvals(cloud, "retraining")
    start = caller(cloud, "start", "codepipeline:StartPipelineExecution", target)
    transformer = {
        "InputPathsMap": {"alarm": "$.detail.alarmName", "account": "$.account"},
        "InputTemplate": '{"variables": [{"name": "cause", "value": "drift: <alarm> of <account>"}]}',
    }
    pattern = {"source": ["aws.cloudwatch"], "detail": {"alarmName": ["drift"], "state": {"value": ["ALARM"]}}}
    rule(cloud, "retrain", {"Arn": target, "RoleArn": start, "InputTransformer": transformer}, bus="central", pattern=pattern)
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


def test_an_alarm_tells_what_it_watches(cloud: Running, queue: Queue) -> None:
    rule(cloud, "alarms", {"Arn": queue.arn}, pattern={"detail": {"alarmName": ["watch"], "state": {"value": ["OK"]}}})
    about = {"Namespace": "n", "MetricName": "m", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1}
    dimensions = [{"Name": "d", "Value": "v"}]
    alarm = {**about, "Dimensions": dimensions, "ComparisonOperator": "GreaterThanThreshold", "AlarmDescription": "why"}
    cloud.client("cloudwatch").put_metric_alarm(AlarmName="watch", **alarm)
    cloud.client("cloudwatch").set_alarm_state(AlarmName="watch", StateValue="OK", StateReason="fine")

    event = until(queue.read)[0]

    assert event["detail-type"] == "CloudWatch Alarm State Change"
    assert event["account"] == ACCOUNT
    assert event["resources"] == [f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:watch"]
    detail = event["detail"]
    assert (detail["state"]["value"], detail["state"]["reason"], detail["previousState"]["value"]) == ("OK", "fine", "INSUFFICIENT_DATA")
    metric = {"namespace": "n", "name": "m", "dimensions": {"d": "v"}}
    watched = {"id": "m", "metricStat": {"metric": metric, "period": 60, "stat": "Sum"}, "returnData": True}
    assert detail["configuration"] == {"description": "why", "metrics": [watched]}


def test_a_bucket_tells_of_new_objects_only_where_it_is_asked_to(cloud: Running, queue: Queue) -> None:
    s3 = cloud.client("s3")
    for name in ("telling", "silent"):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_notification_configuration(Bucket="telling", NotificationConfiguration={"EventBridgeConfiguration": {}})
    pattern = {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": {"object": {"key": [{"prefix": "data/"}]}}}
    rule(cloud, "objects", {"Arn": queue.arn}, pattern=pattern)

    for bucket, key in (("silent", "data/a.csv"), ("telling", "other/a.csv"), ("telling", "data/a.csv")):
        s3.put_object(Bucket=bucket, Key=key, Body=b"1")
    upload = s3.create_multipart_upload(Bucket="telling", Key="data/big.csv")["UploadId"]
    part = s3.upload_part(Bucket="telling", Key="data/big.csv", UploadId=upload, PartNumber=1, Body=b"12")["ETag"]
    parts = {"Parts": [{"ETag": part, "PartNumber": 1}]}
    s3.complete_multipart_upload(Bucket="telling", Key="data/big.csv", UploadId=upload, MultipartUpload=parts)

    seen: list[Any] = []
    while len(seen) < 2:
        seen += until(queue.read)
    objects = sorted((e["detail"]["object"]["key"], e["detail"]["object"]["size"], e["detail"]["reason"]) for e in seen)
    assert objects == [("data/a.csv", 1, "PutObject"), ("data/big.csv", 2, "CompleteMultipartUpload")]
    assert {e["detail"]["bucket"]["name"] for e in seen} == {"telling"}


def test_a_pipeline_tells_how_it_ends(cloud: Running, queue: Queue) -> None:
    of_approvals(cloud, "telling", mode="QUEUED")
    kind, pipelines = "CodePipeline Pipeline Execution State Change", cloud.client("codepipeline")
    ends = {"pipeline": ["telling"], "state": ["STOPPED", "CANCELED"]}
    rule(cloud, "ends", {"Arn": queue.arn}, pattern={"detail-type": [kind], "detail": ends})
    stopped = pipelines.start_pipeline_execution(name="telling")["pipelineExecutionId"]

    pipelines.stop_pipeline_execution(pipelineName="telling", pipelineExecutionId=stopped, reason="enough")

    detail = until(queue.read)[0]["detail"]
    assert (detail["execution-id"], detail["state"]) == (stopped, "STOPPED")
    cancelled = pipelines.start_pipeline_execution(name="telling")["pipelineExecutionId"]
    pipeline = pipelines.get_pipeline(name="telling")["pipeline"]

    pipelines.update_pipeline(pipeline={**pipeline, "variables": [{"name": "cause", "defaultValue": "another"}]})

    detail = until(queue.read)[0]["detail"]
    assert (detail["execution-id"], detail["state"]) == (cancelled, "CANCELED")


def test_a_rule_keeps_its_schedule_while_it_is_enabled(cloud: Running, queue: Queue) -> None:
    rule(cloud, "hourly", {"Arn": queue.arn, "Input": '{"cause": "schedule"}'}, ScheduleExpression="rate(5 minutes)")

    assert until(queue.read)[0] == {"cause": "schedule"}

    cloud.client("events").disable_rule(Name="hourly")
    with pytest.raises(ClientError, match="every"):
        cloud.client("events").put_rule(Name="odd", ScheduleExpression="every(5 minutes)")


def failures(cloud: Running, name: str) -> float:
    """How many invocations of a rule were given up."""
    wanted = {"Namespace": "AWS/Events", "MetricName": "FailedInvocations", "Dimensions": [{"Name": "RuleName", "Value": name}]}
    statistics = cloud.client("cloudwatch").get_metric_statistics(
        **wanted, StartTime=time.time() - 7200, EndTime=time.time() + 60, Period=3600, Statistics=["Sum"]
    )
    return sum(float(p["Sum"]) for p in statistics["Datapoints"])


def test_what_a_target_may_not_do_is_noted_and_not_done(cloud: Running) -> None:
    target = of_approvals(cloud, "guarded", mode="QUEUED")
    other = caller(cloud, "wrong", "codepipeline:StartPipelineExecution", f"{target}-other")
    sqs = cloud.client("sqs")
    policy = document({"Service": "events.amazonaws.com"}, "sqs:SendMessage", "*")
    dead = sqs.create_queue(QueueName="dead", Attributes={"Policy": policy})["QueueUrl"]
    letters = {"DeadLetterConfig": {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead"}}
    rule(cloud, "wrong", {"Arn": target, "RoleArn": other, **letters}, pattern={"source": ["wrong"]})
    sqs.create_queue(QueueName="closed")
    rule(cloud, "closed", {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:closed", **letters}, pattern={"source": ["wrong"]})
    cloud.client("events").put_events(Entries=[{"Source": "wrong", "DetailType": "x", "Detail": "{}"}])

    reasons: dict[str, str] = {}

    def both_are_given_up() -> bool:
        letters = sqs.receive_message(QueueUrl=dead, MaxNumberOfMessages=10, MessageAttributeNames=["All"]).get("Messages", [])
        reasons.update({m["MessageId"]: m["MessageAttributes"]["ERROR_MESSAGE"]["StringValue"] for m in letters})
        return len(reasons) == 2

    until(both_are_given_up)
    assert any("role/wrong is not allowed codepipeline:StartPipelineExecution" in r for r in reasons.values())
    assert any("does not let events.amazonaws.com do sqs:SendMessage" in r for r in reasons.values())
    assert executions(cloud, "guarded") == []
    until(lambda: failures(cloud, "wrong") == failures(cloud, "closed") == 1)


def test_strangers_and_unknown_targets_are_refused(cloud: Running, bus: str) -> None:
    entry = {"Source": "x", "DetailType": "x", "Detail": "{}", "EventBusName": bus}
    stranger = cloud.role("stranger", trusts={"AWS": OTHER}, allows=[{"Action": "events:PutEvents", "Resource": "*"}], account=OTHER)
    own = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
    asks = cloud.client("events", OTHER, **cloud.assume(stranger, OTHER))

    assert asks.put_events(Entries=[entry])["FailedEntryCount"] == 0
    with pytest.raises(ClientError, match="not authorized"):
        asks.put_events(Entries=[entry | {"Source": "y"}])
    with pytest.raises(ClientError, match=r"not authorized to perform: events:PutEvents on resource: .*event-bus/default"):
        asks.put_events(Entries=[entry | {"EventBusName": own}])
    mine = cloud.client("events").put_events(Entries=[entry | {"Source": "aws.s3"}])
    assert mine["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"
    cloud.client("events").put_rule(Name="odd", EventPattern='{"source": ["x"]}')
    for target, why in (
        ({"Arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"}, "no targets like"),
        ({"Arn": bus}, "RoleArn is required"),
        ({"Arn": bus, "RoleArn": stranger, "Input": "{}"}, "whole events"),
        ({"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:seen", "Input": "{}", "InputPath": "$.a"}, "Only one of"),
    ):
        with pytest.raises(ClientError, match=why):
            cloud.client("events").put_targets(Rule="odd", Targets=[{"Id": "t", **target}])


def test_a_topic_and_a_log_group_hear_of_events_when_their_policies_say_so(cloud: Running, queue: Queue) -> None:
    sns, logs = cloud.client("sns"), cloud.client("logs")
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/heard"
    logs.create_log_group(logGroupName="/heard")
    principal = {"Service": "events.amazonaws.com"}
    logs.put_resource_policy(policyName="e", policyDocument=document(principal, "logs:*", f"{group}:*"))
    topic = sns.create_topic(Name="heard")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn)
    rule(cloud, "topic", {"Arn": topic}, pattern={"source": ["heard"]})
    rule(cloud, "logs", {"Arn": group}, pattern={"source": ["heard"]})
    tell = cloud.client("events").put_events
    entry = {"Source": "heard", "DetailType": "x", "Detail": '{"a": 1}'}
    tell(Entries=[entry])
    until(lambda: failures(cloud, "topic") == 1)
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=document(principal, "sns:Publish", topic))

    tell(Entries=[entry])

    assert json.loads(until(queue.read)[0]["Message"])["detail"] == {"a": 1}
    until(lambda: len(cloud.lines("/heard")) == 2)
    assert failures(cloud, "logs") == 0


def test_variables_of_an_execution_must_be_declared(cloud: Running) -> None:
    target = of_approvals(cloud, "variables", mode="QUEUED")
    start = caller(cloud, "variables", "codepipeline:StartPipelineExecution", target)
    rule(
        cloud, "bad", {"Arn": target, "RoleArn": start, "Input": '{"variables": [{"name": "no", "value": "x"}]}'}, pattern={"source": ["v"]}
    )
    cloud.client("events").put_events(Entries=[{"Source": "v", "DetailType": "x", "Detail": "{}"}])

    until(lambda: failures(cloud, "bad") == 1)
    with pytest.raises(ClientError, match="has no variable no"):
        cloud.client("codepipeline").start_pipeline_execution(name="variables", variables=[{"name": "no", "value": "x"}])
    assert executions(cloud, "variables") == []


def test_a_queue_of_executions_is_not_endless_and_an_event_waits_for_its_end(cloud: Running) -> None:
    target = of_approvals(cloud, "fifty", mode="QUEUED")
    pipelines = cloud.client("codepipeline")
    first, *_ = [pipelines.start_pipeline_execution(name="fifty")["pipelineExecutionId"] for _ in range(50)]
    with pytest.raises(ClientError, match="ConcurrentPipelineExecutionsLimitExceededException"):
        pipelines.start_pipeline_execution(name="fifty")
    start = caller(cloud, "fifty", "codepipeline:StartPipelineExecution", target)
    rule(cloud, "fifty", {"Arn": target, "RoleArn": start}, pattern={"source": ["fifty"]})
    rule(cloud, "once", {"Arn": target, "RoleArn": start, "RetryPolicy": {"MaximumRetryAttempts": 0}}, pattern={"source": ["fifty"]})
    cloud.client("events").put_events(Entries=[{"Source": "fifty", "DetailType": "x", "Detail": "{}"}])
    until(lambda: failures(cloud, "once") == 1)
    assert len(executions(cloud, "fifty")) == 50

    pipelines.stop_pipeline_execution(pipelineName="fifty", pipelineExecutionId=first, reason="room")

    until(lambda: len(executions(cloud, "fifty")) == 51)
    assert failures(cloud, "fifty") == 0
