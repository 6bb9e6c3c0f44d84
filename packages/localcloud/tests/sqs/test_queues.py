"""Queues that services write to: in stacks, under keys, and watched by alarms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cloudformation_stacks import Template, deploy
from event_rules import caller, document, rule

from localcloud.testing import ACCOUNT, REGION
from localcloud.testing.names import Name
from localcloud.testing.pipelines import of_approvals
from localcloud.testing.running import Running
from localcloud.testing.waiting import until

pytestmark = pytest.mark.laptop("its rules and schedules run at localcloud's speed")

EVENTS = {"Service": "events.amazonaws.com"}


def arn(queue: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"


def queue(cloud: Running, name: str, *rules: str, key: str | None = None) -> str:
    """The URL of a queue that EventBridge may write to for these rules, and for no others."""
    sources = [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{each}" for each in rules]
    policy = document(EVENTS, "sqs:SendMessage", arn(name), Condition={"ArnEquals": {"aws:SourceArn": sources}})
    url: str = cloud.client("sqs").create_queue(QueueName=name, Attributes={"Policy": policy, **({"KmsMasterKeyId": key} if key else {})})[
        "QueueUrl"
    ]
    return url


def key(cloud: Running, *principals: dict[str, str]) -> str:
    """A key that the account's own policies decide about, and that these may use."""
    statements = [{"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"}]
    uses = ["kms:Decrypt", "kms:GenerateDataKey*"]
    statements += [{"Effect": "Allow", "Principal": each, "Action": uses, "Resource": "*"} for each in principals]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    made: str = cloud.client("kms").create_key(Policy=policy)["KeyMetadata"]["Arn"]
    return made


def letters(cloud: Running, url: str) -> list[dict[str, str]]:
    """What lies in a queue, by the attributes of its messages."""
    every = cloud.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=0)
    return [{name: each["StringValue"] for name, each in m["MessageAttributes"].items()} for m in every.get("Messages", [])]


def unreachable(cloud: Running, name: str, dead: str) -> None:
    """A rule whose target is not there, and one event for it."""
    target = {"Arn": arn(f"{name}-missing"), "DeadLetterConfig": {"Arn": arn(dead)}}
    rule(cloud, name, target, pattern={"source": [name]})
    cloud.client("events").put_events(Entries=[{"Source": name, "DetailType": "x", "Detail": "{}"}])


def given_up(cloud: Running, *words: str) -> bool:
    """Whether localcloud's log has a line with all of these."""
    lines = (Path(cloud.state["root"]) / "localcloud.log").read_text(encoding="utf-8").splitlines()
    return any(all(word in line for word in words) for line in lines)


def test_a_queue_takes_from_the_rules_that_its_policy_names(cloud: Running, name: Name) -> None:
    mine, stranger, dead = name("mine"), name("stranger"), name("dead")
    url = queue(cloud, dead, mine)

    for each in (stranger, mine):
        unreachable(cloud, each, dead)

    until(lambda: given_up(cloud, f"dead-letter queue {arn(dead)}", "does not let events.amazonaws.com do sqs:SendMessage"))
    (letter,) = until(lambda: letters(cloud, url))
    assert letter["RULE_ARN"].endswith(f":rule/{mine}")
    assert (letter["TARGET_ARN"], letter["RETRY_ATTEMPTS"]) == (arn(f"{mine}-missing"), "0")


@pytest.mark.parametrize("lets_in", [True, False])
def test_the_key_of_an_encrypted_queue_must_let_the_service_in_too(cloud: Running, name: Name, lets_in: bool) -> None:
    mine, dead = name("mine"), name("dead")
    url = queue(cloud, dead, mine, key=key(cloud, *([EVENTS] if lets_in else [])))

    unreachable(cloud, mine, dead)

    if lets_in:
        assert until(lambda: letters(cloud, url))
    else:
        until(lambda: given_up(cloud, f"dead-letter queue {arn(dead)}", "does not let events.amazonaws.com do kms:GenerateDataKey"))
        assert letters(cloud, url) == []


@pytest.mark.parametrize("action", ["sqs:SendMessage", "kms:GenerateDataKey", "kms:Decrypt", None])
def test_a_schedule_writes_dead_letters_as_its_role(cloud: Running, name: Name, action: str | None) -> None:
    """`action` is the one that its role may not do; the policy of the queue lets nobody in, and need not."""
    target, dead = of_approvals(cloud, name("road")), name("dead")
    role = caller(cloud, name("role"), "codepipeline:StopPipelineExecution", target, service="scheduler")
    sealed = key(cloud)
    url = cloud.client("sqs").create_queue(QueueName=dead, Attributes={"KmsMasterKeyId": sealed})["QueueUrl"]
    may = {"sqs:SendMessage": arn(dead), "kms:GenerateDataKey": sealed, "kms:Decrypt": sealed}
    allowed = [{"Effect": "Allow", "Action": each, "Resource": on} for each, on in may.items() if each != action]
    policy = json.dumps({"Version": "2012-10-17", "Statement": allowed})
    cloud.client("iam").put_role_policy(RoleName=name("role"), PolicyName="letters", PolicyDocument=policy)

    cloud.client("scheduler").create_schedule(
        Name=name("often"),
        ScheduleExpression="rate(365 days)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": target, "RoleArn": role, "DeadLetterConfig": {"Arn": arn(dead)}},
    )

    if action:
        until(lambda: given_up(cloud, f"dead-letter queue {arn(dead)}", action))
        assert letters(cloud, url) == []
    else:
        (letter,) = until(lambda: letters(cloud, url))
        assert letter["SCHEDULE_ARN"].endswith(name("often"))
        assert "is not allowed codepipeline:StartPipelineExecution" in letter["ERROR_MESSAGE"]
    cloud.client("scheduler").delete_schedule(Name=name("often"))


def test_an_alarm_sees_what_lies_in_a_queue_until_it_is_empty(cloud: Running, name: Name) -> None:
    sqs, cloudwatch = cloud.client("sqs"), cloud.client("cloudwatch")
    url = sqs.create_queue(QueueName=name("dead"))["QueueUrl"]
    watched = {"Namespace": "AWS/SQS", "MetricName": "ApproximateNumberOfMessagesVisible", "Statistic": "Maximum", "Period": 60}
    cloudwatch.put_metric_alarm(
        AlarmName=name("full"),
        Dimensions=[{"Name": "QueueName", "Value": name("dead")}],
        ComparisonOperator="GreaterThanThreshold",
        Threshold=0,
        EvaluationPeriods=1,
        TreatMissingData="ignore",
        **watched,
    )

    def state() -> str:
        (alarm,) = cloudwatch.describe_alarms(AlarmNames=[name("full")])["MetricAlarms"]
        return str(alarm["StateValue"])

    sqs.send_message(QueueUrl=url, MessageBody="1")
    until(lambda: state() == "ALARM")
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    until(lambda: state() == "OK")


def stack(queue_name: str, **properties: Any) -> Template:
    policy = document(EVENTS, "sqs:SendMessage", "*")
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": queue_name, **properties}}
    let_in = {"Type": "AWS::SQS::QueuePolicy", "Properties": {"Queues": [{"Ref": "Queue"}], "PolicyDocument": json.loads(policy)}}
    return {"Resources": {"Queue": queue, "Policy": let_in}, "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Queue", "Arn"]}}}}


def test_a_stack_makes_changes_and_deletes_a_queue_and_keeps_its_policy(cloud: Running, name: Name) -> None:
    sqs, of_stack = cloud.client("sqs"), name("stack")
    tags = [{"Key": "owner", "Value": "ml"}]
    assert deploy(cloud, of_stack, stack(name("dead"), MessageRetentionPeriod=1209600, Tags=tags)) == "CREATE_COMPLETE"
    (output,) = cloud.client("cloudformation").describe_stacks(StackName=of_stack)["Stacks"][0]["Outputs"]
    assert output["OutputValue"] == arn(name("dead"))
    url = sqs.get_queue_url(QueueName=name("dead"))["QueueUrl"]

    def attributes() -> tuple[str, str, bool]:
        every = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return every["MessageRetentionPeriod"], every["VisibilityTimeout"], "events.amazonaws.com" in every["Policy"]

    assert (attributes(), sqs.list_queue_tags(QueueUrl=url)["Tags"]) == (("1209600", "30", True), {"owner": "ml"})
    assert deploy(cloud, of_stack, stack(name("dead"), VisibilityTimeout=60), "UPDATE") == "UPDATE_COMPLETE"
    assert (attributes(), sqs.list_queue_tags(QueueUrl=url).get("Tags", {})) == (("345600", "60", True), {})

    cloud.client("cloudformation").delete_stack(StackName=of_stack)
    until(lambda: not sqs.list_queues(QueueNamePrefix=name("dead")).get("QueueUrls"))
