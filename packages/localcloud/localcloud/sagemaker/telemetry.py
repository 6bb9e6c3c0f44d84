"""What an endpoint leaves behind: metrics of requests and instances in CloudWatch, and captured requests in S3."""

from __future__ import annotations

import base64
import json
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from localcloud.cloudwatch import metrics
from localcloud.core.cloud import cloud
from localcloud.sagemaker.fleets import Fleet
from localcloud.sagemaker.on_demand import OnDemand
from localcloud.sagemaker.records import reason
from localcloud.sagemaker.s3_files import split
from localcloud.sagemaker.usage import Usage
from localcloud.sagemaker.variants import Variant

EVERY, SAMPLED_EVERY = 60.0, 10.0  # of SageMaker's seconds: captured requests are written, instances are looked at
INVOCATIONS, INSTANCES = "AWS/SageMaker", "/aws/sagemaker/Endpoints"
MICROSECONDS = ("ModelLatency", "OverheadLatency", "RequestDownloadLatency", "ResponseUploadLatency", "TimeInBacklog", "ModelSetupTime")
UNITS = dict.fromkeys(MICROSECONDS, "Microseconds") | {"TotalProcessingTime": "Milliseconds"}
MODES = {"Input": "endpointInput", "Output": "endpointOutput"}
HEADERS = {"CSV": "CsvContentTypes", "JSON": "JsonContentTypes"}
Body = tuple[str, bytes]  # content type, bytes
File = tuple[str, str, str, str, str | None]  # URI of the capture, variant, hour, role that writes, key


class Telemetry:
    """Notes what one endpoint's invocations were and how its instances are, until `stop`. `fleets` gives those that run, `gauges` what is
    told of the endpoint itself.
    """

    def __init__(
        self, account: str, region: str, endpoint: str, fleets: Callable[[], Iterable[Fleet]], gauges: Callable[[], dict[str, float]]
    ) -> None:
        self.account, self.region, self.endpoint, self._fleets, self._gauges = account, region, endpoint, fleets, gauges
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._captured: dict[File, list[str]] = defaultdict(list)
        self._usage = Usage()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what is gathered, and no more."""
        self._ended.set()
        self._thread.join()

    def measure(self, fleet: Fleet, variant: Variant, status: int, model: float | None, overhead: float) -> None:
        """Count one invocation; `status` 0 or 503 is one that no container answered; `model` and `overhead` are seconds."""
        values = {
            "Invocations": 1.0,
            **({} if isinstance(variant, OnDemand) else {"InvocationsPerInstance": 1 / max(len(variant.instances), 1)}),
            "Invocation4XXErrors": float(400 <= status < 500),
            "Invocation5XXErrors": float(status >= 500 or not status),
            "OverheadLatency": overhead * 1e6,
        }
        self._record(INVOCATIONS, fleet, variant, values | ({} if model is None else {"ModelLatency": model * 1e6}))

    def started(self, fleet: Fleet, variant: Variant, seconds: float) -> None:
        """Note that a request waited so long for a container to start."""
        self._record(INVOCATIONS, fleet, variant, {"ModelSetupTime": seconds * 1e6})

    def processed(self, fleet: Fleet, variant: Variant, status: int | None, values: dict[str, float]) -> None:
        """Count a request that waited; `values` are of "Alarms and logs for tracking metrics from asynchronous endpoints". `status` is None
        where no container had it.
        """
        errors = (
            {"Invocation4XXErrors": float(400 <= status < 500), "Invocation5XXErrors": float(status >= 500 or not status)}
            if status is not None
            else {}
        )
        self._record(INVOCATIONS, fleet, variant, values | errors)

    def _record(self, namespace: str, fleet: Fleet, variant: Variant, values: dict[str, float]) -> None:
        """As SageMaker: by variant, and again by variant and endpoint configuration, which tells an old fleet from a new one."""
        both = frozenset({("EndpointName", self.endpoint), ("VariantName", variant.name)})
        for name, value in values.items():
            for dimensions in (both, both | {("EndpointConfigName", fleet.name)}):
                to = metrics.Metric(self.account, self.region, namespace, name, dimensions)
                metrics.record(to, value, unit=UNITS.get(name, "Percent" if namespace == INSTANCES else "None"))

    def capture(self, config: dict[str, Any], variant: str, role: str, *, request: Body, response: Body, about: dict[str, Any]) -> None:
        """Keep one request and its answer as the endpoint configuration's DataCaptureConfig asks."""
        modes = {o["CaptureMode"] for o in config["CaptureOptions"]}
        bodies = {"Input": request, "Output": response}
        seen = {
            MODES[m]: _observed(m, *bodies[m], config.get("CaptureContentTypeHeader", {})) for m in bodies if modes & {m, "InputAndOutput"}
        }
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        event = {"eventId": str(uuid.uuid4()), **about, "inferenceTime": now}
        line = json.dumps({"captureData": seen, "eventMetadata": event, "eventVersion": "0"})
        with self._lock:
            self._captured[config["DestinationS3Uri"], variant, now[:13], role, config.get("KmsKeyId")].append(line)

    def _run(self) -> None:
        ended, due = False, 0.0
        while not ended:
            ended = self._ended.wait(max(SAMPLED_EVERY / cloud().speed, 0.1))
            self._sample()
            if ended or time.monotonic() >= due:
                due = time.monotonic() + max(EVERY / cloud().speed, 0.5)
                self._flush()

    def _sample(self) -> None:
        for name, value in self._gauges().items():
            metrics.record(
                metrics.Metric(self.account, self.region, INVOCATIONS, name, frozenset({("EndpointName", self.endpoint)})), value
            )
        for fleet in self._fleets():
            for variant in fleet.every:
                if isinstance(variant, OnDemand):
                    self._sample_on_demand(fleet, variant)
                    continue
                for instance in list(variant.instances):
                    self._record(INVOCATIONS, fleet, variant, {"ConcurrentRequestsPerModel": float(instance.concurrency())})
                    if used := self._usage.of(instance.pid, instance.folder):
                        self._record(INSTANCES, fleet, variant, used)

    def _sample_on_demand(self, fleet: Fleet, variant: OnDemand) -> None:
        """Containers that nobody asks are not seen: there may be none."""
        if variant.busy:
            self._record(INVOCATIONS, fleet, variant, {"ServerlessConcurrentExecutionsUtilization": variant.busy})
        for instance in list(variant.instances):
            self._record(INSTANCES, fleet, variant, variant.used(instance))

    def _flush(self) -> None:
        with self._lock:
            captured, self._captured = self._captured, defaultdict(list)
        for file, lines in captured.items():
            self._write(file, lines)

    def _write(self, file: File, lines: list[str]) -> None:
        """One object in the folder of the hour in which the requests came."""
        destination, variant, hour, role, key = file
        now = datetime.now(UTC)
        name = f"{now:%M-%S}-{now.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
        folder = hour.replace("-", "/").replace("T", "/")
        bucket, prefix = split(f"{destination.rstrip('/')}/{self.endpoint}/{variant}/{folder}/{name}")
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}
        try:
            s3 = cloud().client("s3", role_arn=role, region=self.region)
            s3.put_object(Bucket=bucket, Key=prefix, Body="\n".join([*lines, ""]).encode(), **encryption)
        except (ClientError, BotoCoreError) as problem:
            group, line = f"/aws/sagemaker/Endpoints/{self.endpoint}", f"data capture of {len(lines)} requests failed: {reason(problem)}"
            cloud().log(account=self.account, region=self.region, group=group, stream=f"{variant}/data-log", line=line)


def _observed(mode: str, content_type: str, body: bytes, headers: dict[str, list[str]]) -> dict[str, str]:
    """A body as capture shows it: plain where its content type is listed as CSV or JSON, else, and where none is listed, in base64."""
    plain = content_type.partition(";")[0].strip()
    encoding = next((e for e, listed in HEADERS.items() if plain in headers.get(listed, ())), "BASE64")
    data = base64.b64encode(body).decode() if encoding == "BASE64" else body.decode("utf-8", "replace")
    return {"observedContentType": content_type, "mode": mode.upper(), "data": data, "encoding": encoding}
