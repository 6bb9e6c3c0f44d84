"""How a model is asked beside requests that wait for their answer: what `[serving]` says of queues and of batches."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from paved_runtime.spec.values import InstanceType, Schedule, Section

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
    def _schedule_has_rows(self) -> Batch:
        if self.schedule and not self.input:
            raise ValueError("schedule scores what lies in input: give it, too")
        return self
