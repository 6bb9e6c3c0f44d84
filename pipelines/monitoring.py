"""The monitoring pipeline: what an endpoint was asked and answered, held against the rows on which its version was
evaluated.

1. Count    only where `model.toml` asks for several instances: each of them counts its share of what was captured
2. Monitor  judges, in the model's own image, and writes page, metrics and notice; one instance counts by itself

The stack that watches holds the definition, so it is made at synth, as plain data: the SageMaker SDK takes seconds to import. Which version
is looked at comes as parameters of the pipeline, whose values are those of the version that serves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from paved_runtime.spec import ModelSpec, Monitoring
from pipelines import job_steps
from pipelines.job_steps import Json, Machines, Owner, job_input, job_output, parameter, parameter_value
from pipelines.serving_stack import MonitoringParameters

WINDOW_END = "WindowEnd"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a model is watched. `capture`, `labels` and `reports` are `s3://bucket/folder`; `role` is the job's, `key` of all it writes.

    `console` is where the console of the region begins, for links in notices; `subnets` and `security_groups` are ids, none where the
    account has no network of its own.
    """

    endpoint: str
    variant: str
    role: str
    key: str
    capture: str
    labels: str
    reports: str
    namespace: str
    topic: str
    region: str
    console: str
    subnets: Sequence[str] = ()
    security_groups: Sequence[str] = ()


def definition(model: ModelSpec, place: Place, version: MonitoringParameters) -> Json:
    """The pipeline's definition. Any value may be a reference that the stack resolves.

    Raises:
        ValueError: the model is not monitored.
    """
    if model.monitoring is None:
        raise ValueError(f"model_code/{model.name}/model.toml: found no [monitoring]: there is nothing to define")
    steps = _Steps(model.monitoring, place)
    parameters = [parameter(name, value) for name, value in {**version.values(), WINDOW_END: "now"}.items()]
    return job_steps.definition(parameters, steps.alone() if model.monitoring.instances == 1 else steps.shared())


class _Steps:
    """Both forms."""

    def __init__(self, asked: Monitoring, place: Place) -> None:
        self.asked, self.place = asked, place
        self.owner = Owner(role=place.role, key=place.key, subnets=place.subnets, security_groups=place.security_groups)
        self.model = job_input("model", parameter_value("ModelDataUrl"))

    def alone(self) -> list[Json]:
        return [self._monitor([self.model])]

    def shared(self) -> list[Json]:
        count = self._step("Count", "count", self.asked.instances, [self.model], job_output("counts", self._uri("counts")))
        counted = {"Get": "Steps.Count.ProcessingOutputConfig.Outputs['counts'].S3Output.S3Uri"}
        return [count, self._monitor([self.model, job_input("counts", counted)])]

    def _monitor(self, inputs: list[Json]) -> Json:
        return self._step("Monitor", "monitor", 1, inputs, job_output("report", self._uri()))

    def _step(self, name: str, command: str, instances: int, inputs: list[Json], output: Json) -> Json:
        asked = self.asked
        machines = Machines(
            instance_type=asked.instance_type,
            instances=instances,
            volume_gb=asked.volume_gb,
            max_runtime_minutes=asked.max_runtime_minutes,
        )
        environment = self._environment()
        return job_steps.processing(name, command, self.owner, machines, inputs=inputs, outputs=[output], environment=environment)

    def _environment(self) -> Json:
        place = self.place
        return {
            "AWS_DEFAULT_REGION": place.region,
            "CAPTURE_URI": place.capture,
            "CONSOLE_URL": place.console,
            "ENDPOINT_NAME": place.endpoint,
            "LABELS_URI": place.labels,
            "METRICS_NAMESPACE": place.namespace,
            "MODEL_VERSION": parameter_value("ModelVersion"),
            "REPORT_URI": self._uri(),
            "TOPIC_ARN": place.topic,
            "VARIANT": place.variant,
            "WINDOW_END": parameter_value(WINDOW_END),
        }

    def _uri(self, *folders: str) -> Json:
        return job_steps.of_execution(self.place.reports, *folders)
