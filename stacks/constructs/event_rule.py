"""What happens elsewhere and what it sets off: an EventBridge rule with one target, and the role that may reach that and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.constructs.dead_letters import DeadLetters
from stacks.constructs.service_role import ServiceRole

ALARMS, ALARM_CHANGES = "aws.cloudwatch", "CloudWatch Alarm State Change"  # an event's source and detail-type


def alarm_pattern(account: str, alarm: str) -> dict[str, Any]:
    """The event of an alarm that goes into ALARM."""
    detail = {"alarmName": [alarm], "state": {"value": ["ALARM"]}}
    return {"source": [ALARMS], "detail-type": [ALARM_CHANGES], "account": [account], "detail": detail}


def upload_pattern(bucket: str) -> dict[str, Any]:
    """The event of an object that was put into a bucket."""
    return {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": {"bucket": {"name": [bucket]}}}


def failure_pattern(pipelines: str) -> dict[str, Any]:
    """The event of an execution that failed, of every pipeline whose name begins so (CodePipeline User Guide, "Monitoring CodePipeline
    events"). Who stops one knows of it.
    """
    detail = {"pipeline": [{"prefix": pipelines}], "state": ["FAILED"]}
    return {"source": ["aws.codepipeline"], "detail-type": ["CodePipeline Pipeline Execution State Change"], "detail": detail}


def unsuccessful_pattern(pipeline: str) -> dict[str, Any]:
    """The event of an execution of a SageMaker pipeline (an ARN) that failed ("SageMaker pipeline execution status change", in "Events that
    Amazon SageMaker AI sends to Amazon EventBridge").
    """
    detail = {"pipelineArn": [pipeline], "currentPipelineExecutionStatus": ["Failed"]}
    return {"source": ["aws.sagemaker"], "detail-type": ["SageMaker Model Building Pipeline Execution Status Change"], "detail": detail}


class EventRule(Construct):
    """Hands events of `bus` that are like `pattern`, or the ticks of `schedule`, to `target` (an ARN), by `action`. What the target does
    not take goes to `dead_letters`.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        description: str,
        target: str,
        action: str,
        dead_letters: DeadLetters,
        rule_name: str | None = None,
        pattern: Mapping[str, Any] | None = None,
        schedule: str | None = None,
        bus: str | None = None,
    ) -> None:
        super().__init__(scope, name)
        role = ServiceRole(
            self,
            "Role",
            service="events.amazonaws.com",
            description=description,
            statements=[iam.PolicyStatement(actions=[action], resources=[target])],
        )
        rule = events.CfnRule(
            self,
            "Rule",
            name=rule_name,
            description=description,
            event_bus_name=bus,
            event_pattern=dict(pattern) if pattern else None,
            schedule_expression=schedule,
            targets=[{"id": "target", "arn": target, "roleArn": role.role_arn, "deadLetterConfig": dead_letters.config}],
        )
        dead_letters.takes_from(rule.attr_arn)


class EventNotice(Construct):
    """Publishes `message` to `topic` (an ARN) for every event like `pattern`; `<name>` in it stands for what is at `values[name]`, a path
    into the event. The topic's policy must let EventBridge in: it has no role, with which an encrypted topic may get nothing (EventBridge
    User Guide, "Using resource-based policies").
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        description: str,
        topic: str,
        pattern: Mapping[str, Any],
        values: Mapping[str, str],
        message: str,
        dead_letters: DeadLetters,
    ) -> None:
        super().__init__(scope, name)
        transformer = {"inputPathsMap": dict(values), "inputTemplate": f'"{message}"'}
        target = {"id": "topic", "arn": topic, "inputTransformer": transformer, "deadLetterConfig": dead_letters.config}
        rule = events.CfnRule(self, "Rule", description=description, event_pattern=dict(pattern), targets=[target])
        dead_letters.takes_from(rule.attr_arn)
