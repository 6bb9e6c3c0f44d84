"""`[serving]`: the endpoint of each environment, and how a new version takes it over."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator

from paved_runtime.spec.shapes import Asynchronous, Batch, Component, Serverless
from paved_runtime.spec.values import InferenceAmi, InstanceType, Section, TimeOfDay

LONGEST = 8 * 60  # minutes; SageMaker gives no deployment more
STARTING, SLACK = 10, 20  # minutes in which machines are ready when all goes well, and how much longer they may take
Style = Literal["real-time", "asynchronous", "serverless", "component"]
TERMINATION = 2  # minutes that an old fleet stays, to finish what it is answering
ALARM_MINUTES = 3  # an alarm goes into ALARM when two of three are bad
NO_INSTANCES = "it has no instances: memory_mb and maximum_concurrency stand in their place"
SCALES = "it scales by itself, up to maximum_concurrency"
UNMEASURED = "SageMaker publishes no such metric of it"
NOT_SERVERLESS = {  # what is not had with it, and why (SageMaker guide, "Deploy models with Amazon SageMaker Serverless Inference")
    "instance_type": NO_INSTANCES,
    "instances": NO_INSTANCES,
    "inference_ami": "it has neither instances nor GPUs",
    "maximum_instances": SCALES,
    "invocations_per_instance": SCALES,
    "concurrency_per_instance": SCALES,
    "off_hours": SCALES,
    "capture_percent": "SageMaker captures no requests there",
    "asynchronous": "callers of the one wait for answers, requests of the other in a queue: choose one",
}
NOT_MEASURED = {  # alarms it has not, and why (SageMaker guide, "Alarms and logs for tracking metrics from serverless endpoints")
    "overhead_latency_p99_ms": "cold starts are in it, and setup_seconds is their limit",
    "cpu_percent": UNMEASURED,
    "gpu_percent": UNMEASURED,
    "gpu_memory_percent": UNMEASURED,
}


OF_THE_ENDPOINT = "the instances are those of the shared endpoint, which config.py describes"
OTHERS_TOO = "it would see the other models on the same instances, too"
NOT_A_COMPONENT = {  # what is not had with it, and why
    "instance_type": OF_THE_ENDPOINT,
    "instances": OF_THE_ENDPOINT,
    "inference_ami": OF_THE_ENDPOINT,
    "maximum_instances": "it scales by copies: maximum_copies stands in its place",
    "invocations_per_instance": "it scales by concurrency_per_copy",
    "concurrency_per_instance": "it scales by concurrency_per_copy",
    "off_hours": "it scales by concurrency_per_copy, between copies and maximum_copies",
    "capture_percent": "whether SageMaker captures requests to components is in no documentation",
    "asynchronous": "requests to components wait in no queue",
    "serverless": "a serverless endpoint has no instances to share: choose one",
}
NOT_OF_A_COMPONENT = ("cpu_percent", "memory_percent", "gpu_percent", "gpu_memory_percent")


class Deployment(Section):
    """How a new version takes over an endpoint's traffic: all of it at once, or in parts, each watched by the alarms.

    `size_percent` is the part of the instances that moves at a time: a canary's first move, each step of the others. `bake_minutes` is
    how long alarms are watched after each move. Fewer than `minimum_requests` answered by the new version prove nothing.
    """

    policy: Literal["all-at-once", "canary", "linear", "rolling", "shadow"]
    size_percent: int = Field(default=50, ge=1, le=50)
    bake_minutes: int = Field(default=10, ge=0, le=60)
    maximum_minutes: int | None = Field(default=None, ge=10, le=LONGEST)
    minimum_requests: int = Field(default=100, ge=0)

    @model_validator(mode="after")
    def _sagemaker_accepts(self) -> Deployment:
        least = {"linear": 10, "rolling": 5}.get(self.policy, 1)
        if self.size_percent < least:
            raise ValueError(f"a {self.policy} step moves at least {least} percent of the instances: set size_percent to {least} or more")
        if self.in_parts and self.bake_minutes < ALARM_MINUTES:
            raise ValueError(f"alarms go into ALARM after up to {ALARM_MINUTES} minutes: set bake_minutes to {ALARM_MINUTES} or more")
        return self

    @property
    def in_parts(self) -> bool:
        """Whether the old version still serves when the new one begins to."""
        return self.policy != "all-at-once"

    def moves(self, instances: int) -> int:
        """How often traffic moves in a fleet of that size, at most: in steps of that share, or of whole instances, rounded down."""
        if self.policy in ("linear", "rolling"):
            whole = max(1, instances * self.size_percent // 100)
            return max(math.ceil(100 / self.size_percent), math.ceil(instances / whole))
        return 2 if self.in_parts else 1

    def minutes(self, moves: int) -> int:
        """The least that a deployment of so many moves takes. A rolling one starts machines for each, the others a whole fleet at once."""
        if self.policy == "rolling":
            return moves * (STARTING + self.bake_minutes)
        return STARTING + moves * self.bake_minutes + TERMINATION


class Alarms(Section):
    """Above which values alarms go into ALARM, and take a deployment back. Rates are shares of requests, percents those of one instance.
    Those of GPUs are for instance types that have some.

    `score_shift` is how far the 10th, 50th or 90th percentile of the new version's scores may be from the old one's, beyond the difference
    that evaluation found, where both scored `score_rows` rows a minute: percentiles of fewer rows differ by chance. It is a share of the
    range that scores may have. The score of classes is the mean place among them: 0 is the first, 1 the last.
    """

    server_error_rate: float = Field(default=0.01, ge=0, lt=1)
    client_error_rate: float = Field(default=0.2, ge=0, lt=1)
    model_latency_p99_ms: float = Field(default=500, gt=0, le=60_000)
    overhead_latency_p99_ms: float = Field(default=500, gt=0, le=60_000)
    cpu_percent: float = Field(default=90, gt=0, lt=100)
    memory_percent: float = Field(default=90, gt=0, lt=100)
    gpu_percent: float = Field(default=95, gt=0, lt=100)
    gpu_memory_percent: float = Field(default=95, gt=0, lt=100)
    score_shift: float = Field(default=0.1, gt=0, lt=1)
    score_rows: int = Field(default=100, gt=0)


class OffHours(Section):
    """When few ask: from `start` to `end` (times of day in `timezone`) scaling stays between `instances` and `maximum_instances`.

    `weekends`: one night from the last start of the working week to the end on Monday.
    """

    start: TimeOfDay
    end: TimeOfDay
    timezone: str = Field(pattern=r"^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$")
    weekends: bool = False
    instances: int = Field(ge=1)
    maximum_instances: int = Field(ge=1)

    @model_validator(mode="after")
    def _there_is_such_a_time(self) -> OffHours:
        if self.start == self.end:
            raise ValueError("start and end are the same time of day")
        if self.maximum_instances < self.instances:
            raise ValueError("maximum_instances is smaller than instances")
        return self


@dataclass(frozen=True)
class Fleet:
    """The instances that an endpoint has, at first."""

    instance_type: str
    instances: int


class Serving(Section):
    """One environment's endpoint. It scales where `maximum_instances` is given.

    Callers wait for its answers, or, with `asynchronous`, requests wait for it. It has `instances` of `instance_type`, or, with
    `serverless`, none; with `component`, it is one of several models on an endpoint that they share. `batch`: whole files of rows are
    scored there, too.

    The scaling targets, for each instance: `invocations_per_instance` requests a minute and `concurrency_per_instance` requests at a time.
    `inference_ami` is SageMaker's name of the machine image, and so of the GPU's driver; without it SageMaker chooses.
    """

    instance_type: InstanceType | None = None
    inference_ami: InferenceAmi | None = None
    instances: int | None = Field(default=None, ge=1)
    maximum_instances: int | None = None
    invocations_per_instance: int = Field(default=1000, gt=0)
    concurrency_per_instance: int | None = Field(default=None, gt=0)
    capture_percent: int = Field(default=100, ge=0, le=100)
    deployment: Deployment
    alarms: Alarms = Alarms()
    off_hours: OffHours | None = None
    asynchronous: Asynchronous | None = None
    serverless: Serverless | None = None
    component: Component | None = None
    batch: Batch | None = None

    @property
    def style(self) -> Style:
        """How the endpoint is asked."""
        if self.serverless or self.component:
            return "serverless" if self.serverless else "component"
        return "asynchronous" if self.asynchronous else "real-time"

    @property
    def fleet(self) -> Fleet | None:
        """Its own instances; None where it is serverless, or one of several models on an endpoint."""
        if self.instance_type is None or self.instances is None:
            return None
        return Fleet(self.instance_type, self.instances)

    @model_validator(mode="after")
    def _something_answers(self) -> Serving:
        missing = [key for key in ("instance_type", "instances") if getattr(self, key) is None]
        if missing and not (self.serverless or self.component):
            raise ValueError(f"{' and '.join(missing)} missing: give an endpoint instances, or the table serverless or component")
        return self

    @model_validator(mode="after")
    def _component_has_it(self) -> Serving:
        """What SageMaker has for inference components: RollingUpdatePolicy alone (API_InferenceComponentDeploymentConfig)."""
        if not self.component:
            return self
        for key, why in NOT_A_COMPONENT.items():
            if key in self.model_fields_set and getattr(self, key) is not None:
                raise ValueError(f"{key} is not for a component: {why}: take it out")
        for key in NOT_OF_A_COMPONENT:
            if key in self.alarms.model_fields_set:
                raise ValueError(f"alarms.{key} is not for a component: {OTHERS_TOO}: take it out")
        if self.deployment.policy != "rolling":
            raise ValueError(
                f"SageMaker updates components in batches of copies, and has no {self.deployment.policy} shift: policy must be 'rolling'"
            )
        return self

    @model_validator(mode="after")
    def _serverless_has_it(self) -> Serving:
        if not self.serverless:
            return self
        for key, why in NOT_SERVERLESS.items():
            if key in self.model_fields_set and getattr(self, key) is not None:
                raise ValueError(f"{key} is not for a serverless endpoint: {why}: take it out")
        for key, why in NOT_MEASURED.items():
            if key in self.alarms.model_fields_set:
                raise ValueError(f"alarms.{key} is not for a serverless endpoint: {why}: take it out")
        if self.deployment.in_parts:
            raise ValueError(
                f"a {self.deployment.policy} shift moves parts of a fleet of instances, and a serverless endpoint has none:"
                " policy must be 'all-at-once'"
            )
        return self

    @property
    def scales_to_zero(self) -> bool:
        """Whether there may be no instance, or no copy."""
        if self.component:
            return self.component.scale_to_zero
        return self.asynchronous is not None and self.asynchronous.scale_to_zero and self.maximum_instances is not None

    @model_validator(mode="after")
    def _queue_fits(self) -> Serving:
        """What SageMaker has for requests that wait: "Supported features" and "Alarms and logs for tracking metrics from asynchronous
        endpoints" of its guide.
        """
        if self.asynchronous is None:
            return self
        if self.deployment.policy == "shadow":
            raise ValueError("SageMaker has no shadow of an asynchronous endpoint: deployment.policy must be another")
        if self.instance_type and self.instance_type.startswith("ml.inf1."):
            raise ValueError(f"SageMaker has no asynchronous endpoint on {self.instance_type}: take another instance_type")
        if self.concurrency_per_instance is not None or self.invocations_per_instance != _default(Serving, "invocations_per_instance"):
            raise ValueError(
                "an asynchronous endpoint scales by what waits, and SageMaker counts no invocations of it: give"
                " asynchronous.backlog_per_instance in place of invocations_per_instance and concurrency_per_instance"
            )
        if self.alarms.overhead_latency_p99_ms != _default(Alarms, "overhead_latency_p99_ms"):
            raise ValueError(
                "SageMaker measures no overhead of an asynchronous endpoint: give asynchronous.oldest_request_minutes in place of"
                " alarms.overhead_latency_p99_ms"
            )
        if self.capture_percent not in (0, _default(Serving, "capture_percent")):
            raise ValueError("SageMaker captures nothing of an asynchronous endpoint: take capture_percent out")
        if self.scales_to_zero and self.off_hours:
            raise ValueError(
                "an endpoint that scales to zero needs no off_hours: take them out, or set asynchronous.scale_to_zero to false"
            )
        return self

    @model_validator(mode="after")
    def _scaling_fits(self) -> Serving:
        if not (fleet := self.fleet):
            return self
        if self.maximum_instances is None:
            for key in ("concurrency_per_instance", "off_hours"):
                if getattr(self, key) is not None:
                    raise ValueError(f"{key} is for an endpoint that scales: give maximum_instances, too")
        elif self.maximum_instances < fleet.instances:
            raise ValueError("maximum_instances is smaller than instances")
        elif fleet.instance_type.startswith(("ml.t2.", "ml.t3.", "ml.t4g.")):
            raise ValueError(f"SageMaker does not scale burstable instances such as {fleet.instance_type}: take maximum_instances out")
        return self

    @model_validator(mode="after")
    def _machine_image_fits(self) -> Serving:
        kinds = {"gpu": ("ml.g", "ml.p"), "neuron": ("ml.inf", "ml.trn")}
        for kind, families in kinds.items():
            asked = self.inference_ami and f"-{kind}-" in self.inference_ami
            if asked and self.instance_type and not self.instance_type.startswith(families):
                raise ValueError(f"inference_ami {self.inference_ami!r} is not for {self.instance_type}: leave it out")
        return self

    @model_validator(mode="after")
    def _fleet_has_parts(self) -> Serving:
        policy = self.deployment.policy
        if not self.deployment.in_parts or not (fleet := self.fleet):
            return self
        if fleet.instances < 2:
            raise ValueError(f"a {policy} shift moves at most half of the instances: instances must be 2 or more")
        if self.off_hours and self.off_hours.instances < 2:
            raise ValueError(f"a {policy} shift moves at most half of the instances: off_hours.instances must be 2 or more")
        if fleet.instance_type.startswith("ml.inf1."):
            raise ValueError(f"SageMaker moves {fleet.instance_type} all at once, whatever is asked for: policy must be 'all-at-once'")
        return self

    @model_validator(mode="after")
    def _deployment_can_end(self) -> Serving:
        shift, moves = self.deployment, self._moves
        if (least := shift.minutes(moves)) > (shift.maximum_minutes or LONGEST):
            limit = f"the {LONGEST} that SageMaker gives: lower bake_minutes or raise size_percent"
            if shift.maximum_minutes:
                limit = f"maximum_minutes = {shift.maximum_minutes}: raise it or lower bake_minutes"
            waits = f"{moves} x {shift.bake_minutes} minutes of a {shift.policy} shift"
            raise ValueError(f"{waits}, and machines to start, take {least} minutes at least, more than {limit}")
        return self

    @property
    def deployment_minutes(self) -> int:
        """After how long SageMaker takes a deployment back: `maximum_minutes`, or what it takes at least and 20 minutes."""
        return self.deployment.maximum_minutes or min(self.deployment.minutes(self._moves) + SLACK, LONGEST)

    @property
    def _moves(self) -> int:
        """The most moves that a deployment may have, over every size that the fleet may have scaled to."""
        if self.component:
            return max(self.deployment.moves(copies) for copies in (self.component.copies, self.component.maximum_copies or 1))
        if not (fleet := self.fleet):
            return self.deployment.moves(1)
        sizes = [fleet.instances, self.maximum_instances or fleet.instances]
        if self.off_hours:
            sizes += [self.off_hours.instances, self.off_hours.maximum_instances]
        enough = min(sizes) + math.ceil(200 / self.deployment.size_percent)  # in larger fleets steps fit better: there are no more moves
        return max(self.deployment.moves(size) for size in range(min(sizes), min(max(sizes), enough) + 1))


def _default(table: type[Section], key: str) -> object:
    return table.model_fields[key].default
