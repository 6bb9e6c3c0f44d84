"""Where what no target took waits for a person: without it EventBridge drops an event after a day, and a schedule its call."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.constructs.key import EVENTS

KEPT = Duration.days(14)  # the longest that Amazon SQS keeps a message


class DeadLetters(Construct):
    """A queue under `key`, whose policy must let EventBridge use it where a rule writes here, and an alarm of the same name, which tells
    `topic` once something lies in it.

    Amazon SQS stops to measure a queue that nobody has touched for six hours ("Available CloudWatch metrics for Amazon SQS"), so missing
    data leave the alarm as it is: it ends when the queue is empty.
    """

    def __init__(self, scope: Construct, name: str, *, queue_name: str, about: str, key: kms.IKey, topic: sns.ITopic) -> None:
        super().__init__(scope, name)
        self._key = key
        self._queue = sqs.Queue(
            self,
            "Queue",
            queue_name=queue_name,
            encryption=sqs.QueueEncryption.KMS,
            encryption_master_key=key,
            enforce_ssl=True,
            retention_period=KEPT,
        )
        self.config = {"arn": self._queue.queue_arn}  # as targets of rules and of schedules name their queue
        self.alarm = cloudwatch.Alarm(
            self,
            "Alarm",
            alarm_name=queue_name,
            alarm_description=f"{about}: what no target took lies in the queue {queue_name}: docs/platform-engineer.md, Dead letters",
            metric=self._queue.metric_approximate_number_of_messages_visible(period=Duration.minutes(1), statistic="Maximum"),
            threshold=0,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.IGNORE,
        )
        self.alarm.add_alarm_action(actions.SnsAction(topic))

    def takes_from(self, rule: str) -> None:
        """Let EventBridge write what the targets of a rule (an ARN) did not take ("Using dead-letter queues to process undelivered events
        in EventBridge", Granting permissions to the dead-letter queue).
        """
        self._queue.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal(EVENTS)],
                actions=["sqs:SendMessage"],
                resources=[self._queue.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": rule}},
            )
        )

    def for_schedules(self) -> list[iam.PolicyStatement]:
        """What a schedule's role needs to write here ("Configuring a dead-letter queue for EventBridge Scheduler", and "Key management"
        of Amazon SQS).
        """
        return [
            iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[self._queue.queue_arn]),
            iam.PolicyStatement(actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=[self._key.key_arn]),
        ]
