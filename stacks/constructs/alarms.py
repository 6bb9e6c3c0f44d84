"""What must not happen to an endpoint without somebody hearing of it."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

SERVER_ERRORS = 0.01  # share of requests
CLIENT_ERRORS = 0.2  # share of requests
SLOW_MICROSECONDS = 500_000


class Alarms(Construct):
    """Alarms on one endpoint's variant, each told to `topic`. No traffic is no alarm.

    `rollback` are those that blame the version, so that they may undo a deployment; clients' mistakes are not among them.
    """

    def __init__(self, scope: Construct, name: str, *, endpoint_name: str, variant: str, topic: sns.ITopic) -> None:
        super().__init__(scope, name)
        self._variant = {"EndpointName": endpoint_name, "VariantName": variant}
        self._action = actions.SnsAction(topic)
        self.rollback: list[cloudwatch.IAlarm] = [
            self._alarm("ServerErrors", "Invocation5XXErrors", "Average", SERVER_ERRORS, "more than 1 % of requests fail in the model", 1),
            self._alarm("Latency", "ModelLatency", "p99", SLOW_MICROSECONDS, "1 % of requests take longer than half a second", 3),
        ]
        self._alarm("ClientErrors", "Invocation4XXErrors", "Average", CLIENT_ERRORS, "more than 20 % of requests are refused as wrong", 15)

    def _alarm(self, name: str, metric: str, statistic: str, threshold: float, meaning: str, minutes: int) -> cloudwatch.Alarm:
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_description=f"{self._variant['EndpointName']}: {meaning}",
            metric=cloudwatch.Metric(
                namespace="AWS/SageMaker",
                metric_name=metric,
                dimensions_map=self._variant,
                statistic=statistic,
                period=Duration.minutes(1),
            ),
            threshold=threshold,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=minutes,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(self._action)
        return alarm
