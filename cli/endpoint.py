"""A live endpoint, asked as any client of SageMaker would ask it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from cli.problem import Problem
from pipelines.deployment.endpoint import JSON as JSON
from pipelines.deployment.errors import code

if TYPE_CHECKING:
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

CSV = "text/csv"


def ask(runtime: SageMakerRuntimeClient, endpoint: str, body: bytes, content_type: str) -> str:
    """The endpoint's answer. Raises Problem with the container's own words when it refused."""
    try:
        answer = runtime.invoke_endpoint(EndpointName=endpoint, Body=body, ContentType=content_type, Accept=content_type)
    except ClientError as error:
        if code(error) != "ModelError":
            raise
        status = error.response.get("OriginalStatusCode", "an error")
        why = _reason(str(error.response.get("OriginalMessage") or error.response["Error"]["Message"]))
        raise Problem(f"endpoint {endpoint} answered {status}", why, "correct the request") from error
    return answer["Body"].read().decode()


def _reason(body: str) -> str:
    """The words of the runtime's `{"error": …}`; anything else as it is."""
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return body
