"""What a monitor finds, as alarms: something has moved, what there was could not be looked at, or nobody has looked."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

SILENT = 2  # runs that may be missing


class DriftAlarms(Construct):
    """All, by their names, are told to `topic`. `drift` goes into ALARM when `drifted` of the last `of` runs have found a change.

    A run that skipped, for lack of rows, reports no drift and no absence of it: the alarm stays as it is. A monitor that cannot see must
    not look like one that finds nothing: `unread` goes into ALARM when a run could not read more than the share `accepted` of what was
    captured or should have been. Nor must one that does not run at all, so `silent` takes missing data for what they are.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        endpoint_name: str,
        drift: str,
        unread: str,
        silent: str,
        namespace: str,
        hours: int,
        drifted: int,
        of: int,
        accepted: float,
        topic: sns.ITopic,
    ) -> None:
        super().__init__(scope, name)
        self._namespace, self._period, self._action = namespace, Duration.hours(hours), actions.SnsAction(topic)
        self.drift = self._alarm(
            "Drift",
            drift,
            metric="Drift",
            statistic="Maximum",
            comparison=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            threshold=0,
            of=(drifted, of),
            missing=cloudwatch.TreatMissingData.IGNORE,
            meaning=f"{endpoint_name}: what it is asked, or answers, is not like the rows on which its version was evaluated",
        )
        self.unread = self._alarm(
            "Unread",
            unread,
            metric="UnreadShare",
            statistic="Maximum",
            comparison=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            threshold=accepted,
            of=(1, 1),
            missing=cloudwatch.TreatMissingData.IGNORE,
            meaning=f"{endpoint_name}: what it is asked is not captured, or cannot be read: drift would not be seen. Why: the report",
        )
        self.silent = self._alarm(
            "Silent",
            silent,
            metric="MonitorRuns",
            statistic="Sum",
            comparison=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            threshold=1,
            of=(SILENT, SILENT),
            missing=cloudwatch.TreatMissingData.BREACHING,
            meaning=f"{endpoint_name}: the monitor has not run to its end for {SILENT * hours} hours: drift would not be seen",
        )

    def _alarm(
        self,
        name: str,
        alarm_name: str,
        *,
        metric: str,
        statistic: str,
        comparison: cloudwatch.ComparisonOperator,
        threshold: float,
        of: tuple[int, int],
        missing: cloudwatch.TreatMissingData,
        meaning: str,
    ) -> cloudwatch.Alarm:
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_name=alarm_name,
            alarm_description=meaning,
            metric=cloudwatch.Metric(namespace=self._namespace, metric_name=metric, statistic=statistic, period=self._period),
            threshold=threshold,
            comparison_operator=comparison,
            datapoints_to_alarm=of[0],
            evaluation_periods=of[1],
            treat_missing_data=missing,
        )
        alarm.add_alarm_action(self._action)
        return alarm
