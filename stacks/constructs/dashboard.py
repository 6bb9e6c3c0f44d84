"""One page on which a person sees how an endpoint is doing."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

REQUESTS, INSTANCES = "AWS/SageMaker", "/aws/sagemaker/Endpoints"


class Dashboard(cloudwatch.Dashboard):
    """Traffic, errors, latency and instances of one endpoint's variant."""

    def __init__(self, scope: Construct, name: str, *, endpoint_name: str, variant: str) -> None:
        super().__init__(scope, name, dashboard_name=endpoint_name, default_interval=Duration.hours(12))
        self._variant = {"EndpointName": endpoint_name, "VariantName": variant}
        self.add_widgets(
            self._graph("Requests a minute", REQUESTS, Invocations="Sum", InvocationsPerInstance="Sum"),
            self._graph(
                "Share of requests refused (4xx) and failed (5xx)", REQUESTS, Invocation4XXErrors="Average", Invocation5XXErrors="Average"
            ),
        )
        self.add_widgets(
            self._graph("Slowest 1 % of requests, microseconds", REQUESTS, ModelLatency="p99", OverheadLatency="p99"),
            self._graph("Instances, % of one core and of memory", INSTANCES, CPUUtilization="Maximum", MemoryUtilization="Maximum"),
        )

    def _graph(self, title: str, namespace: str, **statistics: str) -> cloudwatch.GraphWidget:
        metrics: list[cloudwatch.IMetric] = [
            cloudwatch.Metric(
                namespace=namespace, metric_name=metric, dimensions_map=self._variant, statistic=statistic, period=Duration.minutes(1)
            )
            for metric, statistic in statistics.items()
        ]
        return cloudwatch.GraphWidget(title=title, left=metrics, width=12, height=6)
