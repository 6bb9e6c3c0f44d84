"""Puts one registered version into one environment, from the assembly that the commit's build made.

Where approval is asked for, only an approved version is let through, here and again by SageMaker itself. What watches the endpoint comes
last, and looks at the version that serves then.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3

from pipelines.steps import baseline, cdk, environment, package, readback
from pipelines.steps import stack as stacks
from pipelines.steps.package import Package
from pipelines.steps.stack import Stack
from pipelines.steps.step import StepError, add_poll_seconds, parser, print_report, progress, run

NONE = "none"
UNHURRIED = {"Urgent": "no", "ShadowModelPackageArn": ""}  # a rollback may have left a hurry behind


def parameters(assembly: Path, stack: str, version: Package, **more: str) -> dict[str, str]:
    """The stack's parameters for a version: those that its template has."""
    known = {"ModelPackageArn": version.arn, "ImageUri": version.image, "ModelDataUrl": version.data, **more}
    return {name: value for name, value in known.items() if name in cdk.parameters(assembly, stack)}


def versions(s3: Any, sagemaker: Any, there: Any, stack: Stack | None, version: Package) -> dict[str, str]:
    """How the containers of this version and of the one that serves now name themselves, and that nothing is in a hurry.

    `sagemaker` is a client of the registry, `there` of the environment. What serves is looked at: after a rollback of SageMaker's own,
    the stack says otherwise. Once this version serves, the step was run before: what it said then stays.
    """
    new = {"ModelVersion": package.model_version(s3, version.data)}
    if stack is None:
        return {**new, "PreviousModelVersion": NONE, **package.expected_shift(s3, version, NONE), **UNHURRIED}
    live = there.describe_endpoint(EndpointName=stack.outputs["EndpointName"])["EndpointConfigName"]
    serves = readback.container(there, live)
    if readback.made_of(serves, version) and live == stack.outputs["EndpointConfigName"]:
        return {**new, "PreviousModelVersion": stack.outputs.get("PreviousModelVersion", NONE)}
    arn = serves.get("ModelPackageName", NONE)
    data = serves.get("ModelDataUrl") or package.read(sagemaker, arn).data
    return {**new, "PreviousModelVersion": package.model_version(s3, data), **package.expected_shift(s3, version, arn), **UNHURRIED}


def main() -> None:
    """Deploy `--model-package-arn` with the stacks named; the first is the one that serves."""
    arguments = parser(__doc__)
    cdk.add_arguments(arguments)
    environment.add_arguments(arguments, required=False)
    arguments.add_argument("--model-package-arn", required=True)
    arguments.add_argument("--approved-only", action="store_true", help="refuse a version that nobody approved")
    add_poll_seconds(arguments)
    given = arguments.parse_args()
    s3, sagemaker = boto3.client("s3"), boto3.client("sagemaker")
    version = package.read(sagemaker, given.model_package_arn)
    if given.approved_only and version.status != "Approved":
        raise StepError(f"{version.arn} is {version.status}: this environment takes approved versions only: approve it in the pipeline")
    told = {}
    if given.role and "ModelVersion" in cdk.parameters(given.assembly, given.stacks[0]):
        cloudformation = environment.deployer(given).client("cloudformation")
        stack = stacks.settled(cloudformation, given.stacks[0], poll_seconds=given.poll_seconds)
        there = environment.verifier(given).client("sagemaker") if stack else None
        told = versions(s3, sagemaker, there, stack, version)
    progress(f"deploying {version.arn} ({version.image})")
    watching = baseline.watching(given.assembly, given.stacks) if given.role else []
    others = [stack for stack in given.stacks if stack not in watching]
    cdk.deploy(given.assembly, others, parameters(given.assembly, given.stacks[0], version, **told))
    if watching:
        baseline.follow(given, s3=s3, registry=sagemaker, stacks=watching)
    print_report({"model_package_arn": version.arn, "stacks": given.stacks})


if __name__ == "__main__":
    run(main, "deploy")
