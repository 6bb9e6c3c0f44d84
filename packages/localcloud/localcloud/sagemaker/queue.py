"""Requests of asynchronous endpoints: they wait, in their order, until an instance is free, and their answers become objects in S3.

What is done with one is written in "Asynchronous inference" of SageMaker's guide, and in InvokeEndpointAsync's page: the request is read,
and its answer written, as the model's role; of a request that fails there is an object in the failure path, if there is one; topics are
told where the endpoint configuration names some. Which words the object of a failure holds is written nowhere, and assumed.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from localcloud.core.assumptions import Assumption
from localcloud.core.cloud import cloud
from localcloud.sagemaker.fleets import Fleet
from localcloud.sagemaker.instances import Answer, Instance
from localcloud.sagemaker.records import reason
from localcloud.sagemaker.s3_files import split
from localcloud.sagemaker.variants import Variant

if TYPE_CHECKING:
    from localcloud.sagemaker.endpoints import Endpoint

LARGEST = 1 << 30  # bytes of a request in S3
LOOK_EVERY = 0.05  # seconds between two looks for a free instance, while requests wait
CONCURRENCY = 4  # requests at a time of an instance, where SageMaker chooses
TOPICS = {"Completed": "SuccessTopic", "Failed": "ErrorTopic"}
Taken = tuple[Fleet, Variant, Instance]


class Failed(Exception):
    """A request that gets no answer: `status` is the container's, `content` what its object in the failure path holds."""

    def __init__(self, why: str, *, metric: str | None = None, status: int | None = None, content: bytes = b"") -> None:
        super().__init__(why)
        self.metric, self.status, self.content = metric, status, content or why.encode()


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """One request. Its body is `body`, or an object in S3 (`location`); `lives` and `timeout` are seconds."""

    id: str
    output: str
    failure: str | None
    location: str
    body: bytes | None
    headers: Mapping[str, str]
    lives: float
    timeout: float
    since: float = field(default_factory=time.monotonic)
    received: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def age(self) -> float:
        """How many of SageMaker's seconds it has been there."""
        return (time.monotonic() - self.since) * cloud().speed


class Queue:
    """The requests of one endpoint. Nothing runs before the first one."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._waiting: deque[Waiting] = deque()
        self._changed, self._answering, self._ended = threading.Condition(), 0, False
        self._thread: threading.Thread | None = None

    def put(self, request: Waiting) -> None:
        """Have a request answered, some time."""
        with self._changed:
            self._waiting.append(request)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def stop(self) -> None:
        """Answer no more, and wait until nothing is being answered. What waits is forgotten."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._answering)
        if self._thread:
            self._thread.join()

    def gauges(self, instances: int) -> dict[str, float]:
        """What CloudWatch is told once a minute. Nothing counts by instance where there is none."""
        with self._changed:
            size, oldest = len(self._waiting) + self._answering, self._waiting[0].age if self._waiting else 0.0
        per_instance = {"ApproximateBacklogSizePerInstance": size / instances} if instances else {}
        without = {"HasBacklogWithoutCapacity": float(size > 0 and not instances)}
        return {"ApproximateBacklogSize": float(size), "ApproximateAgeOfOldestRequest": oldest, **per_instance, **without}

    def _run(self) -> None:
        while (request := self._next()) is not None:
            taken = self._instance_for(request)
            if self._ended:
                return
            with self._changed:
                self._answering += 1
                self._waiting.popleft()
            threading.Thread(target=self._answer, args=(request, taken), daemon=True).start()

    def _next(self) -> Waiting | None:
        """The request that is first, once there is one; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended)
            return None if self._ended else self._waiting[0]

    def _instance_for(self, request: Waiting) -> Taken | None:
        """An instance that has less to do than it may, once there is one; None where the request has waited for too long by then."""
        while not self._ended and request.age <= request.lives:
            if taken := self._endpoint.free():
                return taken
            with self._changed:
                self._changed.wait(LOOK_EVERY)
        return None

    def _answer(self, request: Waiting, taken: Taken | None) -> None:
        queued = request.age
        try:
            done = Done(self._endpoint, request, queued)
            if taken is None:
                done.failed(Failed("the request has waited for longer than its RequestTTLSeconds", metric="ExpiredRequests"), None)
            else:
                done.by(*taken)
        finally:
            if taken:
                taken[2].release()
            with self._changed:
                self._answering -= 1
                self._changed.notify_all()


class Done:
    """What is done with one request that has waited for `queued` seconds, and what remains of it."""

    def __init__(self, endpoint: Endpoint, request: Waiting, queued: float) -> None:
        self._endpoint, self._request = endpoint, request
        self._measured: dict[str, float] = {"TimeInBacklog": 1e6 * queued}

    def by(self, fleet: Fleet, variant: Variant, instance: Instance) -> None:
        """Read it, have it answered, and write the answer."""
        try:
            body = self._read(variant.role)
            answered = self._ask(body, instance)
            self._write(answered, variant.role)
        except Failed as failure:
            return self.failed(failure, (fleet, variant))
        self._tell("Completed", fleet, variant, {"contentType": _type(answered), "outputLocation": self._request.output})
        return self._measure(fleet, variant, answered.status)

    def failed(self, failure: Failed, by: tuple[Fleet, Variant] | None) -> None:
        """Write why there is no answer. Where nobody has had the request, the fleet that serves stands for it."""
        request, fleet = self._request, by[0] if by else self._endpoint.live
        if fleet is None:
            return
        variant = by[1] if by else next(iter(fleet.variants.values()))
        self._measured |= {"InvocationFailures": 1.0, **({failure.metric: 1.0} if failure.metric else {})}
        if request.failure:
            try:
                self._put(request.failure, failure.content, "application/json", variant.role)
            except (ClientError, BotoCoreError) as problem:
                self._log(f"the failure could not be written: {reason(problem)}", variant)
        self._log(str(failure), variant)
        self._tell("Failed", fleet, variant, {}, failureReason=f"ClientError: {failure}")
        self._measure(fleet, variant, failure.status)

    def _read(self, role: str) -> bytes:
        request, began = self._request, time.monotonic()
        if request.body is not None:
            return request.body
        bucket, key = split(request.location)
        try:
            found = cloud().client("s3", role_arn=role, region=self._endpoint.region).get_object(Bucket=bucket, Key=key)
            if found["ContentLength"] > LARGEST:
                raise Failed(f"{request.location} has more than {LARGEST} bytes", metric="RequestDownloadFailures")
            body: bytes = found["Body"].read()
        except (ClientError, BotoCoreError) as problem:
            raise Failed(f"{request.location} could not be read: {reason(problem)}", metric="RequestDownloadFailures") from problem
        self._measured["RequestDownloadLatency"] = 1e6 * (time.monotonic() - began)
        return body

    def _ask(self, body: bytes, instance: Instance) -> Answer:
        began = time.monotonic()
        try:
            answered = instance.invoke(body, self._request.headers, self._request.timeout)
        except TimeoutError as problem:
            raise _refused(0, b"Your invocation timed out while waiting for a response from container primary.") from problem
        except (OSError, http.client.HTTPException) as problem:
            raise _refused(0, f"the container gave no answer: {problem}".encode()) from problem
        finally:
            self._measured["ModelLatency"] = 1e6 * (time.monotonic() - began)
        if not 200 <= answered.status < 300:
            raise _refused(answered.status, answered.body)
        return answered

    def _write(self, answered: Answer, role: str) -> None:
        began = time.monotonic()
        try:
            self._put(self._request.output, answered.body, _type(answered), role)
        except (ClientError, BotoCoreError) as problem:
            raise Failed(f"the answer could not be written: {reason(problem)}", metric="ResponseUploadFailures") from problem
        self._measured["ResponseUploadLatency"] = 1e6 * (time.monotonic() - began)

    def _put(self, uri: str, body: bytes, content_type: str, role: str) -> None:
        bucket, key = split(uri)
        kms = self._endpoint.asynchronous["OutputConfig"].get("KmsKeyId")
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms} if kms else {}
        s3 = cloud().client("s3", role_arn=role, region=self._endpoint.region)
        s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType=content_type, **encryption)

    def _tell(self, status: str, fleet: Fleet, variant: Variant, response: dict[str, str], **more: str) -> None:
        """Publish what became of it, in the form of "Check prediction results"."""
        topic = self._endpoint.asynchronous["OutputConfig"].get("NotificationConfig", {}).get(TOPICS[status])
        if not topic:
            return
        request, asked = self._request, {"endpointName": self._endpoint.name, "inputLocation": self._request.location}
        asked |= {
            name: request.headers[header]
            for name, header in (("contentType", "Content-Type"), ("accept", "Accept"))
            if header in request.headers
        }
        message = {
            "awsRegion": self._endpoint.region,
            "eventTime": _stamp(datetime.now(UTC)),
            "receivedTime": _stamp(request.received),
            "invocationStatus": status,
            **more,
            "requestParameters": {name: value for name, value in asked.items() if value},
            **({"responseParameters": response} if response else {}),
            "inferenceId": request.id,
            "eventVersion": "1.0",
            "eventSource": "aws:sagemaker",
            "eventName": "InferenceResult",
        }
        try:
            sns = cloud().client("sns", role_arn=variant.role, region=self._endpoint.region)
            sns.publish(TopicArn=topic, Message=json.dumps(message))
        except (ClientError, BotoCoreError) as problem:
            self._measured["NotificationFailures"] = 1.0
            self._log(f"{topic} could not be told: {reason(problem)}", variant)

    def _measure(self, fleet: Fleet, variant: Variant, status: int | None) -> None:
        self._measured |= {"InvocationsProcessed": 1.0, "TotalProcessingTime": 1e3 * self._request.age}
        self._endpoint.telemetry.processed(fleet, variant, status, self._measured)

    def _log(self, line: str, variant: Variant) -> None:
        endpoint = self._endpoint
        group, stream = f"/aws/sagemaker/Endpoints/{endpoint.name}", f"{variant.name}/data-log"
        cloud().log(
            account=endpoint.account,
            region=endpoint.region,
            group=group,
            stream=stream,
            line=f"[sagemaker logs] [{self._request.id}] {line}",
        )


def _refused(status: int, body: bytes) -> Failed:
    """What a container's refusal becomes: the object of the failure holds its answer or, as is assumed, SageMaker's own words about it."""
    side, text = "client" if 400 <= status < 500 else "server", body.decode("utf-8", "replace")
    why = f'Received {side} error ({status}) from primary with message "{text}"'
    told = Assumption.FAILURE_IS_MESSAGE in cloud().assumptions or not status
    return Failed(f"Received {side} error ({status}) from primary", status=status, content=why.encode() if told else body)


def _type(answered: Answer) -> str:
    return next((value for name, value in answered.headers.items() if name.lower() == "content-type"), "application/octet-stream")


def _stamp(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}Z"
