"""InvokeEndpointAsync: a request is put into its endpoint's queue, and the caller is told where its answer will be."""

from __future__ import annotations

import json
import uuid
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.sagemakerruntime.responses import SageMakerRuntimeResponse

from localcloud.core import validation
from localcloud.core.errors import invalid
from localcloud.sagemaker import endpoints
from localcloud.sagemaker.invocations import CUSTOM, INFERENCE, Response, error
from localcloud.sagemaker.queue import Waiting
from localcloud.sagemaker.records import answer
from localcloud.sagemaker.s3_files import split

PREFIX = "X-Amzn-SageMaker-"
REFUSED = ("S3OutputPathExtension", "Filename")
INLINE = 128_000  # bytes of a request that comes with the call
LIVES, TIMEOUT = 21_600, 900  # seconds, where the caller names none


def install() -> None:
    """Answer InvokeEndpointAsync from the endpoints that run."""
    answer((invoke_endpoint_async,), by=SageMakerRuntimeResponse)


def invoke_endpoint_async(self: Any) -> Response:
    try:
        endpoint = endpoints.find(self.current_account, self.region, self.path.split("/")[2])
        if not endpoint.asynchronous:
            raise invalid(f"Endpoint {endpoint.name} has no AsyncInferenceConfig: it takes InvokeEndpoint only")
        request = _request(self.headers, self.raw_body or b"", endpoint.asynchronous["OutputConfig"])
        endpoint.queue.put(request)
    except JsonRESTError as problem:
        return error(400, "ValidationError", problem.message)
    places = {f"{PREFIX}OutputLocation": request.output, **({f"{PREFIX}FailureLocation": request.failure} if request.failure else {})}
    return 202, {"status": 202, "Content-Type": "application/json", **places}, json.dumps({"InferenceId": request.id}).encode()


def _request(headers: Any, body: bytes, config: dict[str, Any]) -> Waiting:
    """What is asked. Raises an AWS error where SageMaker refuses it."""
    if refused := [name for name in REFUSED if headers.get(f"{PREFIX}{name}")]:
        raise invalid(f"localcloud cannot honour {', '.join(refused)} of InvokeEndpointAsync")
    location = headers.get(f"{PREFIX}InputLocation") or ""
    if bool(location) == bool(body):
        raise invalid("InvokeEndpointAsync: give InputLocation or Body, and not both")
    if len(body) > INLINE:
        raise invalid(f"Body of {len(body)} bytes exceeds the limit of {INLINE} bytes")
    if location:
        split(location)
    sent = {
        to: headers[f"{PREFIX}{name}"]
        for name, to in (("Content-Type", "Content-Type"), ("Accept", "Accept"))
        if headers.get(f"{PREFIX}{name}")
    }
    own = headers.get(INFERENCE) or str(uuid.uuid4())
    forwarded = {INFERENCE: own, **({CUSTOM: headers[CUSTOM]} if headers.get(CUSTOM) else {})}
    file, failures = uuid.uuid4(), config.get("S3FailurePath")
    return Waiting(
        id=own,
        output=f"{config['S3OutputPath'].rstrip('/')}/{file}.out",
        failure=f"{failures.rstrip('/')}/{file}-error.out" if failures else None,
        location=location,
        body=None if location else body,
        headers=sent | forwarded,
        lives=_seconds(headers, "RequestTTLSeconds", LIVES),
        timeout=_seconds(headers, "InvocationTimeoutSeconds", TIMEOUT),
    )


def _seconds(headers: Any, name: str, otherwise: int) -> int:
    text = headers.get(f"{PREFIX}{name}")
    if text is None:
        return otherwise
    validation.check("sagemaker-runtime", f"{name}Header", int(text))
    return int(text)
