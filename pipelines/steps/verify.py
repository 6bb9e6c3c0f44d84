"""Asks the live endpoint whether it is what was deployed, and whether it answers as evaluation said it would.

SageMaker rolls a bad deployment back and CloudFormation then reports success: so what is served is read back and compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, WaiterError

from pipelines.steps import environment, package
from pipelines.steps.package import Package
from pipelines.steps.step import StepError, add_poll_seconds, code, parser, print_report, progress, run

LONGEST_MINUTES = 60
PATIENT = Config(read_timeout=65, retries={"mode": "standard", "max_attempts": 3})  # a container has 60 s to answer


def served(sagemaker: Any, outputs: dict[str, str], version: Package, *, poll_seconds: float) -> dict[str, Any]:
    """Wait for the endpoint and check that it serves the stack's configuration and the version.

    Raises:
        StepError: it is not in service, or serves something else.
    """
    name, expected = outputs["EndpointName"], outputs["EndpointConfigName"]
    try:
        sagemaker.get_waiter("endpoint_in_service").wait(
            EndpointName=name, WaiterConfig={"Delay": poll_seconds, "MaxAttempts": max(1, int(60 * LONGEST_MINUTES / max(poll_seconds, 1)))}
        )
    except WaiterError as error:
        why = sagemaker.describe_endpoint(EndpointName=name).get("FailureReason") or error
        raise StepError(f"endpoint {name} is not in service: {why}: see its log group /aws/sagemaker/Endpoints/{name}") from error
    found = sagemaker.describe_endpoint(EndpointName=name)["EndpointConfigName"]
    if found != expected:
        raise StepError(f"endpoint {name} serves {found}, not {expected}: the deployment was rolled back: see its alarms and log")
    variant = sagemaker.describe_endpoint_config(EndpointConfigName=found)["ProductionVariants"][0]
    container = sagemaker.describe_model(ModelName=variant["ModelName"])["PrimaryContainer"]
    if not _is_made_of(container, version):
        raise StepError(f"endpoint {name} serves {_origin(container)}, not {version.arn}: deploy that version again")
    return {"endpoint": name, "endpoint_config": found, "model": variant["ModelName"], "instances": variant["InitialInstanceCount"]}


def _is_made_of(container: dict[str, Any], version: Package) -> bool:
    if "ModelPackageName" in container:
        return bool(container["ModelPackageName"] == version.arn)
    return (container.get("Image"), container.get("ModelDataUrl")) == (version.image, version.data)


def _origin(container: dict[str, Any]) -> str:
    return str(container.get("ModelPackageName") or f"{container.get('Image')} with {container.get('ModelDataUrl')}")


def ask_golden(runtime: Any, endpoint: str, golden: dict[str, Any]) -> float:
    """Send the requests that evaluation recorded; the largest difference between its scores and the endpoint's.

    Raises:
        StepError: a difference is over the recorded tolerance, or an answer is missing.
    """
    largest = 0.0
    for number, request in enumerate(golden["requests"], start=1):
        answer = runtime.invoke_endpoint(
            EndpointName=endpoint, ContentType=golden["content_type"], Accept="application/json", Body=json.dumps(request["body"])
        )
        scores = [prediction["score"] for prediction in json.load(answer["Body"])["predictions"]]
        if len(scores) != len(request["scores"]):
            raise StepError(f"golden request {number}: found {len(scores)} scores, expected {len(request['scores'])}: the runtime differs")
        difference = max((abs(a - b) for a, b in zip(scores, request["scores"], strict=True)), default=0.0)
        if not difference <= golden["tolerance"]:
            raise StepError(
                f"golden request {number}: found {scores}, expected {request['scores']}: the endpoint does not compute what evaluation"
                " measured: compare the image's packages with training's"
            )
        largest = max(largest, difference)
    return largest


def ask_bad(runtime: Any, endpoint: str, requests: Iterable[dict[str, Any]]) -> int:
    """Send requests that are wrong on purpose; how many were refused with the status they must get.

    Raises:
        StepError: one was answered, or failed in another way.
    """
    refused = 0
    for request in requests:
        found = _status(runtime, endpoint, request)
        if found != request["expect"]:
            raise StepError(
                f"a bad request got status {found}, expected {request['expect']}: {request['body'][:80]!r}: correct the runtime"
            )
        refused += 1
    return refused


def _status(runtime: Any, endpoint: str, request: dict[str, Any]) -> int:
    try:
        runtime.invoke_endpoint(EndpointName=endpoint, ContentType=request["content_type"], Body=request["body"])
    except ClientError as error:
        if code(error) != "ModelError":
            raise
        return int(error.response["OriginalStatusCode"])  # type: ignore[typeddict-item]  # ModelError's own member
    return 200


def main() -> None:
    """Print what was verified, as JSON."""
    arguments = parser(__doc__)
    arguments.add_argument("--stack", required=True, help="the serving stack")
    environment.add_arguments(arguments)
    arguments.add_argument("--model-package-arn", help="the version expected; without it, the one the stack was deployed with")
    arguments.add_argument("--if-deployed", action="store_true", help="a stack that is not there is no failure")
    add_poll_seconds(arguments)
    given = arguments.parse_args()
    if given.if_deployed and not environment.deployed(given, given.stack):
        progress(f"{given.stack} is not deployed yet: nothing to verify")
        print_report({"endpoint": None})
        return
    there = environment.verifier(given)
    outputs = environment.stack_outputs(there, given.stack)
    if outputs is None:
        raise StepError(f"{given.stack} is not deployed: there is nothing to verify: deploy it")
    version = package.read(boto3.client("sagemaker"), given.model_package_arn or outputs["ModelPackage"])
    report = served(there.client("sagemaker"), outputs, version, poll_seconds=given.poll_seconds)
    progress(f"{report['endpoint']} is in service with {version.arn}")
    golden = package.member(boto3.client("s3"), version, "golden.json")
    runtime = there.client("sagemaker-runtime", config=PATIENT)
    difference = ask_golden(runtime, report["endpoint"], golden)
    refused = ask_bad(runtime, report["endpoint"], golden["bad_requests"])
    progress(f"{len(golden['requests'])} golden requests answered as recorded, {refused} bad requests refused")
    asked = {"golden_requests": len(golden["requests"]), "largest_difference": difference, "bad_requests_refused": refused}
    print_report({**report, **asked, "model_package_arn": version.arn})


if __name__ == "__main__":
    run(main, "verify")
