"""That nothing answers any more, whoever took the endpoint away: CloudFormation does not look at what it made."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

MINUTES = 15


class AbsenceAlarm(cloudwatch.Alarm):
    """Goes into ALARM, and tells `topic`, when no instance of a variant has told its load for a quarter of an hour.

    Each does so once a minute, idle or not ("Amazon SageMaker AI metrics in Amazon CloudWatch", instance metrics), so missing data mean
    that there is none.
    """

    def __init__(self, scope: Construct, name: str, *, endpoint_name: str, variant: str, alarm_name: str, topic: sns.ITopic) -> None:
        super().__init__(
            scope,
            name,
            alarm_name=alarm_name,
            alarm_description=f"{endpoint_name}: no instance has been seen for {MINUTES} minutes: nothing answers",
            metric=cloudwatch.Metric(
                namespace="/aws/sagemaker/Endpoints",
                metric_name="CPUUtilization",
                dimensions_map={"EndpointName": endpoint_name, "VariantName": variant},
                statistic="SampleCount",
                period=Duration.minutes(1),
            ),
            threshold=1,
            comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            evaluation_periods=MINUTES,
            datapoints_to_alarm=MINUTES,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
        )
        self.add_alarm_action(actions.SnsAction(topic))
