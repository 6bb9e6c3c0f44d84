"""InvokeEndpoint that reaches a container, and says as SageMaker does when the container or the caller is at fault."""

from __future__ import annotations

import http.client
import itertools
import json
import time
from collections.abc import Mapping
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.sagemakerruntime.responses import SageMakerRuntimeResponse

from localcloud.core.assumptions import Assumption
from localcloud.core.cloud import cloud
from localcloud.sagemaker import components, endpoints, on_demand
from localcloud.sagemaker.fleets import Fleet
from localcloud.sagemaker.instances import LONGEST, Answer, Instance
from localcloud.sagemaker.records import answer
from localcloud.sagemaker.sampling import spread
from localcloud.sagemaker.variants import Variant

LARGEST = 6_291_456  # bytes of a request
COMPONENT = "X-Amzn-SageMaker-Inference-Component"
# what users are told
UNNAMED = (
    "Inference Component Name header is required for endpoints to which you plan to deploy inference components. Please include Inference"
    " Component Name header or consider using SageMaker models."
)
UNEXPECTED = (
    "Inference Component Name header is not allowed for endpoints to which you dont plan to deploy inference components. Please remove the"
    " Inference Component Name header and try again."
)
NO_CAPACITY = (
    "Inference Component has no capacity to process this request. ApplicationAutoScaling may be in-progress (if configured) or try to"
    " increase the capacity by invoking UpdateInferenceComponentRuntimeConfig API."
)
CUSTOM, INFERENCE = "X-Amzn-SageMaker-Custom-Attributes", "X-Amzn-SageMaker-Inference-Id"
FORWARDED = ("Content-Type", "Accept", CUSTOM, INFERENCE)
REFUSED = ("Target-Model", "Target-Container-Hostname", "Enable-Explanations", "Session-Id")
Response = tuple[int, dict[str, Any], bytes]
_samples = itertools.count()


def install() -> None:
    """Answer InvokeEndpoint from the endpoints that run."""
    SageMakerRuntimeResponse.use_raw_body = True
    answer((invoke_endpoint,), by=SageMakerRuntimeResponse)


def invoke_endpoint(self: Any) -> Response:
    start = time.perf_counter()
    headers, body, name = self.headers, self.raw_body or b"", self.path.split("/")[2]
    if refused := _refused(headers, body):
        return refused
    sent = {h: headers[h] for h in FORWARDED if headers.get(h)}
    if not endpoints.exists(self.current_account, self.region, name):
        return error(400, "ValidationError", f"Endpoint {name} of account {self.current_account} not found.")
    try:
        endpoint = endpoints.find(self.current_account, self.region, name)
        if otherwise := _of_no_variant(self, endpoint, body, sent, start):
            return otherwise
        with endpoint.serving(headers.get("X-Amzn-SageMaker-Target-Variant")) as (fleet, variant, instance):
            if fleet.concurrency() and len(body) > on_demand.LARGEST:
                return _too_large(body, on_demand.LARGEST)
            if instance is None or not _started(endpoint, fleet, variant, instance):
                endpoint.telemetry.measure(fleet, variant, 503, None, time.perf_counter() - start)
                return error(503, "ServiceUnavailable", f"no instance of variant {variant.name} is healthy")
            if shadow := fleet.shadow:
                shadow.offer(lambda copy_for: _invoked(endpoint, fleet, shadow.variant, copy_for, body, sent, None))
            answered = _invoked(endpoint, fleet, variant, instance, body, sent, start)
    except on_demand.Throttled:
        return error(400, "ThrottlingException", f"Rate exceeded: endpoint {name} answers no more requests at a time")
    except JsonRESTError as problem:
        return error(400, "ValidationError", problem.message)
    if not 200 <= answered.status < 300:
        return _model_error(self, f"/aws/sagemaker/Endpoints/{name}", answered)
    return _answer(answered, variant.name)


def _answer(answered: Answer, variant: str) -> Response:
    returned = {
        "Content-Type": _header(answered, "Content-Type"),
        "x-Amzn-Invoked-Production-Variant": variant,
        CUSTOM: _header(answered, CUSTOM),
    }
    return 200, {k: v for k, v in returned.items() if v}, answered.body


def _of_no_variant(self: Any, endpoint: endpoints.Endpoint, body: bytes, sent: Mapping[str, str], start: float) -> Response | None:
    """What is answered where no variant of the endpoint answers: an inference component does, or nobody who is asked so."""
    if endpoint.asynchronous:
        return error(400, "ValidationError", f"Endpoint {endpoint.name} has an AsyncInferenceConfig: it takes InvokeEndpointAsync only")
    if endpoint.shared or self.headers.get(COMPONENT):
        return _of_component(self, endpoint, self.headers.get(COMPONENT), body, sent, start)
    return None


def _of_component(
    self: Any, endpoint: endpoints.Endpoint, name: str | None, body: bytes, sent: Mapping[str, str], start: float
) -> Response:
    """The answer of an inference component. Raises an AWS error where the endpoint has none of that name."""
    if not endpoint.shared:
        return error(400, "ValidationError", UNEXPECTED)
    if not name:
        return error(400, "ValidationError", UNNAMED)
    component = components.find(endpoint.account, endpoint.region, name)
    if component.endpoint is not endpoint:
        return error(400, "ValidationError", f"Inference component {name} is not on endpoint {endpoint.name}")
    try:
        with component.serving() as instance:
            if instance is None:
                component.metrics.measure(503, None, time.perf_counter() - start)
                return error(503, "ServiceUnavailable", f"no copy of inference component {name} is healthy")
            began = time.perf_counter()
            answered = _ask(instance, body, sent)
            model = time.perf_counter() - began
    except components.NoCapacity:
        component.metrics.without_capacity()
        return error(400, "ValidationError", NO_CAPACITY)
    component.metrics.measure(answered.status, model, time.perf_counter() - start - model)
    if not 200 <= answered.status < 300:
        return _model_error(self, f"/aws/sagemaker/InferenceComponents/{name}", answered)
    return _answer(answered, component.variant)


def _refused(headers: Mapping[str, str], body: bytes) -> Response | None:
    """What is answered to a request that no endpoint takes."""
    if refused := [h for h in REFUSED if headers.get(f"X-Amzn-SageMaker-{h}")]:
        return error(400, "ValidationError", f"localcloud cannot honour {', '.join(refused)} of InvokeEndpoint")
    if len(body) > LARGEST:
        return _too_large(body, LARGEST)
    if not body and Assumption.EMPTY_BODY_REFUSED in cloud().assumptions:
        return error(400, "ValidationError", "1 validation error detected: Value at 'body' failed to satisfy constraint: it is empty")
    return None


def _too_large(body: bytes, most: int) -> Response:
    return error(413, "ValidationError", f"Payload of {len(body)} bytes exceeds the limit of {most} bytes")


def _started(endpoint: endpoints.Endpoint, fleet: Fleet, variant: Variant, instance: Instance) -> bool:
    """Whether an instance answers; one that starts for this request is waited for, and that is measured."""
    try:
        setup = variant.set_up(instance)
    except OSError:
        return False
    if setup is not None:
        endpoint.telemetry.started(fleet, variant, setup)
    return True


def _invoked(
    endpoint: endpoints.Endpoint,
    fleet: Fleet,
    variant: Variant,
    instance: Instance,
    body: bytes,
    sent: Mapping[str, str],
    start: float | None,
) -> Answer:
    """The container's answer, measured from `start` (None: now), and captured if the sample wants it."""
    began = time.perf_counter()
    answered = _ask(instance, body, sent)
    model = time.perf_counter() - began
    endpoint.telemetry.measure(fleet, variant, answered.status, model, time.perf_counter() - (start or began) - model)
    if 200 <= answered.status < 300 and _sampled(fleet):
        _capture(endpoint, fleet, variant, sent, body, answered)
    return answered


def _ask(instance: Instance, body: bytes, headers: Mapping[str, str]) -> Answer:
    """The container's answer; status 0 stands for none, as in SageMaker's own errors."""
    try:
        return instance.invoke(body, headers, LONGEST)
    except TimeoutError:
        return Answer(0, {}, b"Your invocation timed out while waiting for a response from container primary.")
    except (OSError, http.client.HTTPException) as problem:
        return Answer(0, {}, f"the container gave no answer: {problem}".encode())


def _header(answered: Answer, name: str) -> str | None:
    return next((v for k, v in answered.headers.items() if k.lower() == name.lower()), None)


def _sampled(fleet: Fleet) -> bool:
    percent = fleet.capture.get("InitialSamplingPercentage", 0) if fleet.capture.get("EnableCapture") else 0
    return bool(percent) and (percent == 100 or spread(next(_samples)) * 100 < percent)


def _capture(endpoint: endpoints.Endpoint, fleet: Fleet, variant: Variant, sent: Mapping[str, str], body: bytes, answered: Answer) -> None:
    about: dict[str, Any] = {"inferenceId": sent[INFERENCE]} if INFERENCE in sent else {}
    about |= {"customAttributes": [sent[CUSTOM]]} if CUSTOM in sent else {}
    request = (sent.get("Content-Type", "application/octet-stream"), body)
    response = (_header(answered, "Content-Type") or "application/octet-stream", answered.body)
    endpoint.telemetry.capture(fleet.capture, variant.name, variant.role, request=request, response=response, about=about)


def _model_error(self: Any, group: str, answered: Answer) -> Response:
    side = "client" if 400 <= answered.status < 500 else "server"
    text = answered.body.decode("utf-8", "replace")
    message = f'Received {side} error ({answered.status}) from primary with message "{text}". See the log group {group}.'
    stream = f"arn:aws:logs:{self.region}:{self.current_account}:log-group:{group}"
    return error(424, "ModelError", message, OriginalStatusCode=answered.status, OriginalMessage=text, LogStreamArn=stream)


def error(status: int, code: str, message: str, **members: Any) -> Response:
    """An error as SageMaker's runtime answers it."""
    headers = {"status": status, "x-amzn-errortype": code, "Content-Type": "application/json"}
    return status, headers, json.dumps({"Message": message, "message": message, **members}).encode()
