"""An endpoint that grows and shrinks with its traffic or its queue, and by the clock.

Scaling sets the number of instances; a deployment keeps the number it finds (`Endpoint.retain_count`). An update that went back to the
initial number in the busiest hour would be an outage of its own. Nothing else keeps the two apart: while a deployment runs, SageMaker
blocks scaling by itself.

SageMaker refuses to change the instance type of an endpoint that scales, and CloudFormation always updates the endpoint before it takes
the scaling away. So that takes two deployments: one without `maximum_instances`, and one with the new type and scaling again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import aws_applicationautoscaling as autoscaling
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from stacks.constructs.scaling_policy import NAMESPACE, SHRINK_SECONDS, Signal, track, wake

INVOCATIONS = "SageMakerVariantInvocationsPerInstance"  # a minute
CONCURRENCY = "SageMakerVariantConcurrentRequestsPerModelHighResolution"  # every ten seconds, so it sees a rush first

BACKLOG, WITHOUT_CAPACITY = "ApproximateBacklogSizePerInstance", "HasBacklogWithoutCapacity"


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """From `cron` on, in `timezone`, the number of instances stays within these."""

    name: str
    cron: str
    timezone: str
    minimum: int
    maximum: int


class Scaling(Construct):
    """Keeps a variant between `minimum` and `maximum` instances, or those of `schedule`, and there at its `targets` for each instance.

    `targets`: name of the policy → (predefined metric, value). The largest number of instances that any of them asks for wins.
    `backlog`: the target of an endpoint whose requests wait, in their number for each instance. Such a one may have no instance, and then
    starts the first for the first request: no metric counts by instance where there is none ("Autoscale an asynchronous endpoint").
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        endpoint: sagemaker.CfnEndpoint,
        variant: str,
        minimum: int,
        maximum: int,
        targets: Mapping[str, tuple[str, int]],
        schedule: Sequence[Bounds],
        backlog: int | None = None,
    ) -> None:
        super().__init__(scope, name)
        target = autoscaling.CfnScalableTarget(
            self,
            "Target",
            service_namespace="sagemaker",
            scalable_dimension="sagemaker:variant:DesiredInstanceCount",
            resource_id=f"endpoint/{endpoint.attr_endpoint_name}/variant/{variant}",
            min_capacity=minimum,
            max_capacity=maximum,
            scheduled_actions=[
                {
                    "scheduledActionName": bounds.name,
                    "schedule": bounds.cron,
                    "timezone": bounds.timezone,
                    "scalableTargetAction": {"minCapacity": bounds.minimum, "maxCapacity": bounds.maximum},
                }
                for bounds in schedule
            ]
            or None,
        )
        for policy, (metric, value) in targets.items():
            track(self, target, policy.title(), policy, value, {"predefinedMetricSpecification": {"predefinedMetricType": metric}})
        if backlog is not None:
            queue = {"EndpointName": endpoint.attr_endpoint_name}
            named = {"metricName": BACKLOG, "namespace": NAMESPACE, "statistic": "Average"}
            dimensions = [{"name": name, "value": value} for name, value in queue.items()]
            waiting = {"customizedMetricSpecification": {**named, "dimensions": dimensions}}
            track(self, target, "Backlog-Per-Instance", "backlog-per-instance", backlog, waiting)
            if minimum == 0:
                wake(self, target, _waits(queue), cooldown=SHRINK_SECONDS)


def _waits(queue: Mapping[str, str]) -> Signal:
    return Signal(
        name="Waits",
        description="A request waits and there is no instance: not a fault, it starts one",
        metric=WITHOUT_CAPACITY,
        dimensions=queue,
        statistic="Maximum",
    )


def nights(start: str, end: str, *, weekends: bool) -> tuple[str, str]:
    """Cron expressions of when nights begin and end, from times of day (`20:00`).

    With `weekends` the night that begins before Saturday's morning lasts until Monday's: on Friday evening, or, where nights begin
    after midnight, on Saturday.

    >>> nights("20:00", "06:00", weekends=True)
    ('cron(0 20 ? * MON-FRI *)', 'cron(0 6 ? * MON-FRI *)')
    """
    first = ("MON-FRI" if start > end else "MON-SAT") if weekends else "*"
    return _cron(start, first), _cron(end, "MON-FRI" if weekends else "*")


def _cron(time: str, days: str) -> str:
    hour, minute = (int(part) for part in time.split(":"))
    return f"cron({minute} {hour} ? * {days} *)"
