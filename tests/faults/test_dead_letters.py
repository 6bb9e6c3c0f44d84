"""A target that cannot be reached: what was for it waits in a queue, its alarm tells the owners, and the guide's way brings it on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import naming
from localcloud.testing.waiting import until
from tests.reference import CONFIG, MODEL
from tests.support.layouts import listed
from tests.support.production import AWAY, ENVIRONMENT, HOME, MONITORING, Json, Production, monitored

pytestmark = [pytest.mark.fault("target that cannot be reached"), pytest.mark.slow]
DRIFT = naming.alarm(CONFIG, MODEL, ENVIRONMENT, naming.DRIFT)
RETRAINING, MONITOR = naming.retraining_pipeline(CONFIG, MODEL), naming.monitoring_pipeline(CONFIG, MODEL, ENVIRONMENT)
OF_MODEL, OF_MONITOR = naming.dead_letters(CONFIG, MODEL), naming.dead_letters(CONFIG, MODEL, ENVIRONMENT)
TOPIC = naming.environment_parameter(CONFIG, MODEL, ENVIRONMENT, "topic")
APPROVALS = naming.toolchain_parameter(CONFIG, "approvals")
EVENTS = 3


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory, tree: Path) -> Iterator[Production]:
    """One that serves and is monitored."""
    with monitored(tmp_path_factory.mktemp("production"), tree) as made:
        yield made


class Letters:
    """A queue of dead letters, and who hears of it: `topic` is the parameter that names the owners' topic."""

    def __init__(self, production: Production, account: str, name: str, topic: str) -> None:
        self._sqs, self._cloudwatch = (production.cloud.client(service, account) for service in ("sqs", "cloudwatch"))
        self._name = name
        self._url = self._sqs.get_queue_url(QueueName=name)["QueueUrl"]
        self._owner = self._sqs.create_queue(QueueName=f"owner-of-{name}")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._owner, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        told = production.cloud.client("ssm", account).get_parameter(Name=topic)["Parameter"]["Value"]
        production.cloud.client("sns", account).subscribe(TopicArn=told, Protocol="sqs", Endpoint=arn)

    def read(self) -> list[Json]:
        """What lies in it, which stays there; the guide's command asks the same."""
        asked = {"MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"], "VisibilityTimeout": 0}
        messages = self._sqs.receive_message(QueueUrl=self._url, **asked).get("Messages", [])
        return [{name: each["StringValue"] for name, each in m["MessageAttributes"].items()} | {"body": m["Body"]} for m in messages]

    def alarm(self) -> str:
        """Its alarm's state."""
        (alarm,) = self._cloudwatch.describe_alarms(AlarmNames=[self._name])["MetricAlarms"]
        return str(alarm["StateValue"])

    def heard(self) -> list[str]:
        """The names of alarms that the owners were told of since the last look."""
        messages = self._sqs.receive_message(QueueUrl=self._owner, MaxNumberOfMessages=10).get("Messages", [])
        told = [json.loads(json.loads(message["Body"])["Message"]) for message in messages]
        return [one["AlarmName"] for one in told if one.get("NewStateValue") == "ALARM"]

    def empty(self) -> None:
        """What was dealt with is deleted."""
        while messages := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])


@contextmanager
def without_permission(iam: Any, role: str) -> Iterator[None]:
    """Somebody has taken away what a role may do to its target; what it may do to queues and keys stays."""
    before = iam.get_role_policy(RoleName=role, PolicyName="inline")["PolicyDocument"]
    first, *others = listed(before["Statement"])
    denied = {**before, "Statement": [{**first, "Effect": "Deny"}, *others]}
    iam.put_role_policy(RoleName=role, PolicyName="inline", PolicyDocument=json.dumps(denied))
    yield
    iam.put_role_policy(RoleName=role, PolicyName="inline", PolicyDocument=json.dumps(before))


def role_of(cloudformation: Any, stack: str, begins: str) -> str:
    """A stack's role, by what its logical id begins with."""
    resources = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    (role,) = [r for r in resources if r["ResourceType"] == "AWS::IAM::Role" and r["LogicalResourceId"].startswith(begins)]
    return str(role["PhysicalResourceId"])


def drift(production: Production, times: int) -> None:
    for number in range(times):
        for state in ("OK", "ALARM"):
            production.away("cloudwatch").set_alarm_state(AlarmName=DRIFT, StateValue=state, StateReason=f"drift {number}")


def controllers(production: Production) -> list[Json]:
    """Executions of the controller that something or somebody started."""
    every = production.home("codepipeline").list_pipeline_executions(pipelineName=RETRAINING)["pipelineExecutionSummaries"]
    return [execution for execution in every if execution["trigger"]["triggerType"] != "CreatePipeline"]


def lies_in(letters: Letters, count: int) -> list[Json]:
    """The letters, once there are so many, the alarm is in ALARM, and the owners know."""
    found = until(lambda: read if len(read := letters.read()) >= count else None)
    until(lambda: letters.alarm() == "ALARM")
    assert until(letters.heard)
    return list(found)


def redriven(production: Production, letters: Letters) -> None:
    """The guide's way where causes of retraining lie: one start, for the controller finds them itself; then the letters are deleted."""
    before = len(controllers(production))
    production.home("codepipeline").start_pipeline_execution(name=RETRAINING)
    assert len(controllers(production)) == before + 1
    letters.empty()
    until(lambda: letters.alarm() == "OK")


def test_drift_that_the_toolchain_cannot_be_told_of(production: Production) -> None:
    letters, before = Letters(production, AWAY, OF_MONITOR, TOPIC), len(controllers(production))

    with without_permission(production.away("iam"), role_of(production.away("cloudformation"), MONITORING, "TellRole")):
        drift(production, EVENTS)
        found = lies_in(letters, EVENTS)

    assert len(found) == EVENTS
    assert {json.loads(letter["body"])["detail"]["state"]["reason"] for letter in found} == {f"drift {n}" for n in range(EVENTS)}
    assert all("events:PutEvents" in letter["ERROR_MESSAGE"] and letter["RETRY_ATTEMPTS"] == "0" for letter in found)
    assert len(controllers(production)) == before
    redriven(production, letters)


def test_a_cause_of_retraining_that_does_not_reach_the_controller(production: Production) -> None:
    letters, delivery = Letters(production, HOME, OF_MODEL, APPROVALS), naming.delivery_stack(CONFIG, MODEL)

    with without_permission(production.home("iam"), role_of(production.home("cloudformation"), delivery, "RetrainingPipelineDriftRole")):
        drift(production, 1)
        (letter,) = lies_in(letters, 1)

    assert letter["TARGET_ARN"].endswith(f":{RETRAINING}")
    assert "codepipeline:StartPipelineExecution" in letter["ERROR_MESSAGE"]
    redriven(production, letters)


def test_a_start_of_the_monitor_that_fails(production: Production) -> None:
    letters, scheduler = Letters(production, AWAY, OF_MONITOR, TOPIC), production.away("scheduler")
    schedule = scheduler.get_schedule(Name=MONITOR)
    wanted = {name: schedule[name] for name in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}

    with without_permission(production.away("iam"), role_of(production.away("cloudformation"), MONITORING, "MonitoringStarter")):
        scheduler.update_schedule(**wanted, State="ENABLED")  # as a deployment does, once a version serves
        letter, *_ = lies_in(letters, 1)
        scheduler.update_schedule(**wanted, State="DISABLED")

    assert letter["SCHEDULE_ARN"].endswith(f"/{MONITOR}")
    assert "sagemaker:StartPipelineExecution" in letter["ERROR_MESSAGE"]
    assert production.away("sagemaker").start_pipeline_execution(PipelineName=MONITOR)["PipelineExecutionArn"]
    letters.empty()
    until(lambda: letters.alarm() == "OK")
