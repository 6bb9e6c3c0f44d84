"""Puts one registered version into one environment, from the assembly that the commit's build made.

Where approval is asked for, only an approved version is let through, here and again by SageMaker itself.
"""

from __future__ import annotations

import json
from pathlib import Path

import boto3

from pipelines.steps import cdk, package
from pipelines.steps.package import Package
from pipelines.steps.step import StepError, parser, print_report, progress, run


def parameters(assembly: Path, stack: str, version: Package) -> dict[str, str]:
    """The stack's parameters for a version: those of the three that its template has."""
    template = json.loads((assembly / f"{stack}.template.json").read_text())
    known = {"ModelPackageArn": version.arn, "ImageUri": version.image, "ModelDataUrl": version.data}
    return {name: value for name, value in known.items() if name in template.get("Parameters", {})}


def main() -> None:
    """Deploy `--model-package-arn` with the stacks named; the first is the one that serves."""
    arguments = parser(__doc__)
    cdk.add_arguments(arguments)
    arguments.add_argument("--model-package-arn", required=True)
    arguments.add_argument("--approved-only", action="store_true", help="refuse a version that nobody approved")
    given = arguments.parse_args()
    version = package.read(boto3.client("sagemaker"), given.model_package_arn)
    if given.approved_only and version.status != "Approved":
        raise StepError(f"{version.arn} is {version.status}: this environment takes approved versions only: approve it in the pipeline")
    progress(f"deploying {version.arn} ({version.image})")
    values = parameters(given.assembly, given.stacks[0], version)
    cdk.deploy(given.assembly, given.stacks, values)
    print_report({"model_package_arn": version.arn, "stacks": given.stacks})


if __name__ == "__main__":
    run(main, "deploy")
