"""How a model is asked beside instances that wait for requests: what `[serving]` says of queues, of serverless and of shared endpoints, and
of batches.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from paved_runtime.spec.values import InstanceType, Schedule, Section

# Of the kinds of TransformInstanceType (CreateTransformJob): it knows fewer than endpoints and processing jobs have.
TRANSFORM_MACHINES = re.compile(r"ml\.([cm]4|[cm]5|[cmr][67]i|g4dn|g5|g6e?|inf2|p[23]|trn1)\.")
LONGEST_WAIT = 6 * 60  # minutes that a request may wait (InvokeEndpointAsync, RequestTTLSeconds)
MOST_IN_FLIGHT = 100  # MB; of concurrency x payload (CreateTransformJob, MaxPayloadInMB)
Folder = Annotated[str, Field(pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^/\s?#]+)+/?$")]


class Asynchronous(Section):
    """Requests of up to `payload_mb` megabytes wait in a queue, and their answers are objects in S3, kept for `result_days` as they are.

    Each instance answers `concurrency` requests at a time. Where the endpoint scales, there is an instance for every `backlog_per_instance`
    requests that wait, and, with `scale_to_zero`, none while nothing waits. `oldest_request_minutes`: after how long a request that still
    waits is an alarm. `notices`: of which requests the topic of answers is told.
    """

    payload_mb: int = Field(default=6, ge=1, le=1024)
    concurrency: int = Field(default=4, ge=1, le=1000)
    backlog_per_instance: int = Field(default=20, gt=0)
    scale_to_zero: bool = True
    oldest_request_minutes: int = Field(default=30, ge=1, le=LONGEST_WAIT)
    notices: Literal["none", "failures", "all"] = "failures"
    result_days: int = Field(default=30, ge=1)


class Serverless(Section):
    """No instances: containers that SageMaker starts when somebody asks, and stops when nobody does.

    Each has `memory_mb`, and processors in proportion; at most `maximum_concurrency` requests are answered at a time, one a container, and
    further ones are throttled. `provisioned_concurrency` containers are kept ready, and paid for. A container that takes longer than
    `setup_seconds` to start goes into ALARM. (API_ProductionVariantServerlessConfig; SageMaker guide, "Deploy models with Amazon SageMaker
    Serverless Inference".)
    """

    memory_mb: Literal[1024, 2048, 3072, 4096, 5120, 6144]
    maximum_concurrency: int = Field(ge=1, le=200)
    provisioned_concurrency: int | None = Field(default=None, ge=1, le=200)
    setup_seconds: int = Field(default=30, ge=1, le=180)

    @model_validator(mode="after")
    def _provisioned_is_a_part(self) -> Serverless:
        if (kept := self.provisioned_concurrency or 0) > self.maximum_concurrency:
            raise ValueError(f"provisioned_concurrency is {kept}, more than maximum_concurrency = {self.maximum_concurrency}: lower it")
        return self


class Component(Section):
    """Copies of the model on an endpoint that several models share: `endpoint` is its name, which `config.py` gives it.

    A copy reserves `cores`, `memory_mb` and `accelerators` of an instance. There are `copies` of it; up to `maximum_copies` where that is
    given, one for every `concurrency_per_copy` requests at a time, and, with `scale_to_zero`, none while nobody asks: requests then fail
    until a copy has started. (API_InferenceComponentComputeResourceRequirements; SageMaker guide, "Scale an endpoint to zero instances".)
    """

    endpoint: str = Field(pattern=r"^[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*$")
    cores: float = Field(default=1, ge=0.25)
    memory_mb: int = Field(ge=128)
    accelerators: int = Field(default=0, ge=0)
    copies: int = Field(default=2, ge=2)
    maximum_copies: int | None = None
    concurrency_per_copy: int = Field(default=5, gt=0)
    scale_to_zero: bool = False

    @model_validator(mode="after")
    def _scaling_fits(self) -> Component:
        if self.maximum_copies is not None and self.maximum_copies < self.copies:
            raise ValueError("maximum_copies is smaller than copies")
        if self.maximum_copies is None and self.scale_to_zero:
            raise ValueError("scale_to_zero is for a component that scales: give maximum_copies, too")
        return self


class Batch(Section):
    """Rows of whole files are scored by jobs of their own, by the version that the environment has.

    `instances` of `instance_type` each ask their container `concurrency` requests at a time, of `payload_mb` megabytes at most. `schedule`
    is in EventBridge's words (UTC); it scores what lies in `input`. Batches may read there, and write to `output`, beside the batches' own
    bucket, where results stay for `result_days`. `maximum_failed` is the greatest share of rows that may have no score.
    """

    instance_type: InstanceType
    instances: int = Field(default=1, ge=1, le=20)
    concurrency: int = Field(default=4, ge=1, le=100)
    payload_mb: int = Field(default=6, ge=1, le=100)
    volume_gb: int = Field(default=10, ge=1, le=16384)
    max_runtime_minutes: int = Field(default=120, ge=1, le=28 * 24 * 60)
    schedule: Schedule | None = None
    input: Folder | None = None
    output: Folder | None = None
    result_days: int = Field(default=90, ge=1)
    maximum_failed: float = Field(default=0.01, ge=0, le=1)

    @model_validator(mode="after")
    def _sagemaker_accepts(self) -> Batch:
        if (most := self.concurrency * self.payload_mb) > MOST_IN_FLIGHT:
            raise ValueError(f"concurrency x payload_mb is {most}; SageMaker has at most {MOST_IN_FLIGHT} MB in flight: lower one of them")
        return self

    @model_validator(mode="after")
    def _transforms_run_on_it(self) -> Batch:
        if not TRANSFORM_MACHINES.match(self.instance_type):
            raise ValueError(f"instance_type: batch transform has no {self.instance_type}: take one of ml.m5, ml.c5, ml.m6i or ml.g5")
        return self

    @model_validator(mode="after")
    def _results_are_no_rows(self) -> Batch:
        if self.input and self.output and f"{self.output.rstrip('/')}/".startswith(f"{self.input.rstrip('/')}/"):
            raise ValueError("output lies in input: the next batch would score results: name a folder beside it")
        return self

    @model_validator(mode="after")
    def _schedule_has_rows(self) -> Batch:
        if self.schedule and not self.input:
            raise ValueError("schedule scores what lies in input: give it, too")
        return self
