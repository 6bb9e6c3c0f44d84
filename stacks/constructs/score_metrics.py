"""What an endpoint's versions answer, as metrics: a container without a network writes lines, and filters of its log group count them."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from constructs import Construct

VERSION = "ModelVersion"
PER_EVENT = {
    "scores": {"ScoreP10": "$.p10", "ScoreP50": "$.p50", "ScoreP90": "$.p90", "ScoreMean": "$.mean", "ScoredRows": "$.rows"},
    "refused": {"RefusedRequests": "$.requests"},
}


class ScoreMetrics(Construct):
    """Metrics in a namespace of the endpoint's own, each by the version that wrote the line."""

    def __init__(self, scope: Construct, name: str, *, namespace: str, log: logs.ILogGroup) -> None:
        super().__init__(scope, name)
        self.namespace = namespace
        for event, metrics in PER_EVENT.items():
            for metric, value in metrics.items():
                logs.MetricFilter(
                    self,
                    metric,
                    log_group=log,
                    filter_pattern=logs.FilterPattern.literal(f'{{ $.event = "{event}" }}'),
                    metric_namespace=self.namespace,
                    metric_name=metric,
                    metric_value=value,
                    dimensions={VERSION: "$.model_version"},
                )

    def shift(self, *, new: str, old: str, rows: int, expected: Mapping[int, str]) -> cloudwatch.MathExpression:
        """How far the percentiles of two versions' scores lie apart, minute by minute; 0 where one of them scored fewer than `rows` rows.

        `expected` is how far each percentile is known to lie apart, with its sign, new minus old: only what goes beyond counts. Nothing at
        all while only one of them answers.
        """
        metrics: dict[str, cloudwatch.IMetric] = {}
        for letter, version in (("n", new), ("o", old)):
            metrics[f"{letter}rows"] = self._metric("ScoredRows", version, "Sum")
            metrics |= {f"{letter}{percent}": self._metric(f"ScoreP{percent}", version, "Average") for percent in expected}
        apart = ",".join(f"ABS(n{percent}-o{percent}-(0{known}))" for percent, known in expected.items())
        return cloudwatch.MathExpression(
            expression=f"IF(nrows >= {rows} && orows >= {rows}, MAX([{apart}]), 0)",
            using_metrics=metrics,
            label="ScoreShift",
            period=Duration.minutes(1),
        )

    def _metric(self, name: str, version: str, statistic: str) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=self.namespace,
            metric_name=name,
            dimensions_map={VERSION: version},
            statistic=statistic,
            period=Duration.minutes(1),
        )
