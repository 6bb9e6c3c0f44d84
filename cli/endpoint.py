"""A live endpoint, asked as any client of SageMaker would ask it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.exceptions import ClientError

import naming
from cli.output import say
from cli.problem import Problem
from config import CONFIG, Environment
from paved_runtime.spec import ModelSpec
from pipelines.deployment.endpoint import JSON as JSON
from pipelines.deployment.errors import code
from pipelines.deployment.queue import Queue, Refused, Unfinished

if TYPE_CHECKING:
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

CSV = "text/csv"


def named(model: ModelSpec, place: Environment) -> dict[str, Any]:
    """What names the endpoint of a model in InvokeEndpoint: itself, or the one that it shares and its component there."""
    name, table = naming.endpoint(CONFIG, model.name, place), model.serving[place.name].component
    if table is None:
        return {"EndpointName": name}
    return {"EndpointName": naming.shared_endpoint(CONFIG, place, table.endpoint), "InferenceComponentName": name}


def ask(runtime: SageMakerRuntimeClient, endpoint: dict[str, Any], body: bytes, content_type: str) -> str:
    """The answer of what `named` names. Raises Problem with the container's own words when it refused."""
    try:
        answer = runtime.invoke_endpoint(**endpoint, Body=body, ContentType=content_type, Accept=content_type)
    except ClientError as error:
        if code(error) != "ModelError":
            raise
        status = error.response.get("OriginalStatusCode", "an error")
        why = _reason(str(error.response.get("OriginalMessage") or error.response["Error"]["Message"]))
        raise Problem(f"endpoint {endpoint['EndpointName']} answered {status}", why, "correct the request") from error
    return answer["Body"].read().decode()


def ask_queue(queue: Queue, body: bytes, content_type: str) -> str:
    """The answer of an endpoint whose requests wait, once there is one. Raises Problem as `ask` does, and where there is none in time."""
    say(f"the request waits in the queue of {queue.name}: where no instance runs, one is started first")
    try:
        return queue.answer(body, str(uuid4()), ContentType=content_type, Accept=content_type).decode()
    except Refused as error:
        status = f"answered {error.status}" if error.status else "refused it"
        raise Problem(f"endpoint {queue.name} {status}", _reason(error.words), "correct the request") from error
    except Unfinished as error:
        raise Problem(f"endpoint {queue.name}", str(error), "./road status, ./road logs") from error


def _reason(body: str) -> str:
    """The words of the runtime's `{"error": …}`; anything else as it is."""
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return body
