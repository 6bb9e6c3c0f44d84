"""What an endpoint leaves behind: metrics in CloudWatch and captured requests in S3, gathered and written in batches."""

from __future__ import annotations

import base64
import json
import threading
import uuid
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.utils import utcnow

from localcloud.cloud import cloud
from localcloud.sagemaker.records import reason, split

EVERY = 60.0  # of SageMaker's seconds
UNITS = {"ModelLatency": "Microseconds", "OverheadLatency": "Microseconds"}
MODES = {"Input": "endpointInput", "Output": "endpointOutput"}
Body = tuple[str, bytes]  # content type, bytes


class Telemetry:
    """Gathers what one endpoint's invocations were, until `stop`."""

    def __init__(self, account: str, region: str, endpoint: str) -> None:
        self.account, self.region, self.endpoint = account, region, endpoint
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._metrics: dict[tuple[str, str], list[float]] = defaultdict(list)
        self._captured: dict[tuple[str, str, str, str | None], list[str]] = defaultdict(list)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what is gathered, and no more."""
        self._ended.set()
        self._thread.join()

    def measure(self, variant: str, status: int, model: float, overhead: float) -> None:
        """Count one invocation; `model` and `overhead` are seconds."""
        values = {
            "Invocations": 1.0,
            "Invocation4XXErrors": float(400 <= status < 500),
            "Invocation5XXErrors": float(status >= 500),
            "ModelLatency": model * 1e6,
            "OverheadLatency": overhead * 1e6,
        }
        with self._lock:
            for name, value in values.items():
                self._metrics[variant, name].append(value)

    def capture(self, config: dict[str, Any], variant: str, role: str, *, given: Body, answered: Body, about: dict[str, Any]) -> None:
        """Keep one request and its answer as the endpoint configuration's DataCaptureConfig asks."""
        modes = {o["CaptureMode"] for o in config["CaptureOptions"]}
        wanted = {"Input": given, "Output": answered}
        seen = {
            MODES[m]: _observed(m, *wanted[m], config.get("CaptureContentTypeHeader", {})) for m in wanted if modes & {m, "InputAndOutput"}
        }
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        event = {"eventId": str(uuid.uuid4()), **about, "inferenceTime": now}
        line = json.dumps({"captureData": seen, "eventMetadata": event, "eventVersion": "0"})
        with self._lock:
            self._captured[config["DestinationS3Uri"], variant, role, config.get("KmsKeyId")].append(line)

    def _run(self) -> None:
        ended = False
        while not ended:
            ended = self._ended.wait(max(EVERY / cloud().speed, 0.5))
            with self._lock:
                metrics, self._metrics = self._metrics, defaultdict(list)
                captured, self._captured = self._captured, defaultdict(list)
            self._put(metrics)
            for (destination, variant, role, key), lines in captured.items():
                self._write(destination, variant, role, key, lines)

    def _put(self, metrics: dict[tuple[str, str], list[float]]) -> None:
        data = [
            {
                "MetricName": name,
                "Dimensions": [{"Name": "EndpointName", "Value": self.endpoint}, {"Name": "VariantName", "Value": variant}],
                "Timestamp": utcnow(),
                "Unit": UNITS.get(name, "None"),
                "StatisticValues": {"SampleCount": len(v), "Sum": sum(v), "Minimum": min(v), "Maximum": max(v)},
            }
            for (variant, name), v in metrics.items()
        ]
        cloudwatch_backends[self.account][self.region].put_metric_data("AWS/SageMaker", data)

    def _write(self, destination: str, variant: str, role: str, key: str | None, lines: list[str]) -> None:
        now = datetime.now(UTC)
        name = f"{now:%Y/%m/%d/%H/%M-%S}-{now.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
        bucket, prefix = split(f"{destination.rstrip('/')}/{self.endpoint}/{variant}/{name}")
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}
        try:
            s3 = cloud().client("s3", role_arn=role, region=self.region)
            s3.put_object(Bucket=bucket, Key=prefix, Body="\n".join([*lines, ""]).encode(), **encryption)
        except (ClientError, BotoCoreError) as problem:
            group, line = f"/aws/sagemaker/Endpoints/{self.endpoint}", f"data capture of {len(lines)} requests failed: {reason(problem)}"
            cloud().log(account=self.account, region=self.region, group=group, stream=f"{variant}/data-log", line=line)


def _observed(mode: str, content_type: str, body: bytes, headers: dict[str, list[str]]) -> dict[str, str]:
    """A body as capture shows it: plain where its content type is listed as CSV or JSON, else in base64."""
    plain = content_type.partition(";")[0].strip()
    listed = {"CSV": headers.get("CsvContentTypes", ["text/csv"]), "JSON": headers.get("JsonContentTypes", ["application/json"])}
    encoding = next((e for e, types in listed.items() if plain in types), "BASE64")
    data = base64.b64encode(body).decode() if encoding == "BASE64" else body.decode("utf-8", "replace")
    return {"observedContentType": content_type, "mode": mode.upper(), "data": data, "encoding": encoding}
