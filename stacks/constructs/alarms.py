"""What must not happen to an endpoint without somebody hearing of it, and what takes a deployment back."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

REQUESTS, INSTANCES = "AWS/SageMaker", "/aws/sagemaker/Endpoints"
BAD, OF = 2, 3  # an alarm goes into ALARM when so many of the last minutes are bad
MINUTE = Duration.minutes(1)
BUSY = "an instance is too busy (100 % a processor)"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Above what alarms go into ALARM: shares of requests, microseconds that one request in a hundred exceeds, CloudWatch's percents.

    A limit of 0 is no alarm: `gpu` and `gpu_memory` where there is no GPU; `overhead_latency` where SageMaker measures none, or where
    containers start on demand and it has the time of starts in it; there `cpu`, too, which SageMaker does not publish; elsewhere `setup`,
    which is that time; `memory` where other models are on the same instances. `shift` is a difference of scores, in their own unit, that
    must hold for `shift_minutes` minutes in a row.
    """

    server_errors: float
    client_errors: float
    model_latency: float
    overhead_latency: float
    cpu: float
    memory: float
    gpu: float
    gpu_memory: float
    setup: float
    shift: float
    shift_minutes: int


class Alarms(Construct):
    """Alarms on one endpoint's variant, each told to `topic`. No data is no alarm: nobody is called for an idle endpoint.

    `rollback` are those that blame the version. They see only what the fleet of `configuration` (an endpoint configuration's name)
    answers, so a canary's errors are not thinned out by the old fleet's good answers, and an old fleet that fails cannot stop its own
    replacement. They are named after it, so each version begins with alarms that are not in ALARM.

    The endpoint's own alarms stay with it: when a deployment went back, they are the ones that watch.

    With `component`, `endpoint_name` is that of an inference component and `configuration` its model's. SageMaker does not tell its old
    copies from its new ones, so its alarms see both.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        endpoint_name: str,
        variant: str,
        configuration: str,
        topic: sns.ITopic,
        limits: Limits,
        shift: cloudwatch.IMetric,
        component: bool = False,
    ) -> None:
        super().__init__(scope, name)
        self._endpoint_name, self._configuration = endpoint_name, configuration
        self._action = actions.SnsAction(topic)
        variants = {"InferenceComponentName": endpoint_name} if component else {"EndpointName": endpoint_name, "VariantName": variant}
        fleet = variants if component else {**variants, "EndpointConfigName": configuration}
        errors, slow = _metric(REQUESTS, "Invocation5XXErrors", "Average", fleet), _metric(REQUESTS, "ModelLatency", "p99", fleet)
        refused, waiting = _metric(REQUESTS, "Invocation4XXErrors", "Average", fleet), _metric(REQUESTS, "OverheadLatency", "p99", fleet)
        full, starts = _metric(INSTANCES, "MemoryUtilization", "Maximum", variants), _metric(REQUESTS, "ModelSetupTime", "p99", fleet)
        self.rollback: list[cloudwatch.Alarm] = [
            self._of_version("ServerErrors", errors, limits.server_errors, "too many requests fail in the model (5xx)"),
            self._of_version("ClientErrors", refused, limits.client_errors, "too many requests are refused as wrong (4xx)"),
            self._of_version("ModelLatency", slow, limits.model_latency, "1 % of requests take the model too long (microseconds)"),
            *self._if(limits.overhead_latency, "OverheadLatency", waiting, "1 % of requests wait too long (microseconds)"),
            *self._if(limits.setup, "ModelSetup", starts, "a container takes too long to start (microseconds)"),
            *self._if(limits.cpu, "Cpu", _metric(INSTANCES, "CPUUtilization", "Maximum", variants), BUSY),
            *self._if(limits.memory, "Memory", full, "an instance's memory is almost full (%)"),
            *self._of_gpus(limits, variants),
            self._of_version(
                "ScoreShift", shift, limits.shift, "scores are not like those of the version before", minutes=limits.shift_minutes
            ),
        ]
        self._of_endpoint("ServerErrors", errors.with_(dimensions_map=variants), limits.server_errors, "too many requests fail (5xx)")
        self._of_endpoint("ModelLatency", slow.with_(dimensions_map=variants), limits.model_latency, "1 % of requests are too slow")

    def _if(self, limit: float, name: str, metric: cloudwatch.IMetric, meaning: str) -> list[cloudwatch.Alarm]:
        return [self._of_version(name, metric, limit, meaning)] if limit else []

    def _of_gpus(self, limits: Limits, variants: dict[str, str]) -> list[cloudwatch.Alarm]:
        if not limits.gpu:
            return []
        busy, full = (_metric(INSTANCES, name, "Maximum", variants) for name in ("GPUUtilization", "GPUMemoryUtilization"))
        return [
            self._of_version("Gpu", busy, limits.gpu, "an instance's GPUs are too busy (100 % a GPU)"),
            self._of_version("GpuMemory", full, limits.gpu_memory, "the memory of an instance's GPUs is almost full (100 % a GPU)"),
        ]

    def _of_endpoint(self, name: str, metric: cloudwatch.IMetric, threshold: float, meaning: str) -> None:
        self._alarm(f"Endpoint{name}", metric, threshold, meaning, alarm_name=f"{self._endpoint_name}-{name}")

    def _of_version(
        self, name: str, metric: cloudwatch.IMetric, threshold: float, meaning: str, minutes: int | None = None
    ) -> cloudwatch.Alarm:
        return self._alarm(name, metric, threshold, meaning, alarm_name=f"{self._configuration}-{name}", minutes=minutes)

    def _alarm(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        threshold: float,
        meaning: str,
        *,
        alarm_name: str,
        minutes: int | None = None,
    ) -> cloudwatch.Alarm:
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_name=alarm_name,
            alarm_description=f"{self._endpoint_name}: {meaning}",
            metric=metric,
            threshold=threshold,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            datapoints_to_alarm=minutes or BAD,
            evaluation_periods=minutes or OF,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(self._action)
        return alarm


def _metric(namespace: str, name: str, statistic: str, dimensions: dict[str, str]) -> cloudwatch.Metric:
    return cloudwatch.Metric(namespace=namespace, metric_name=name, dimensions_map=dimensions, statistic=statistic, period=MINUTE)
