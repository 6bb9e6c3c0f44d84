"""Brings stacks to what this commit says, with the parameters they have: new infrastructure, the same model.

Only the hurry that a rollback may have left behind is ended, and what watches an endpoint looks at the version that serves. With
`--if-deployed`, stacks of which the first is not there yet are left for the model's own delivery.
"""

from __future__ import annotations

import boto3

from pipelines.steps import baseline, cdk, environment
from pipelines.steps.step import parser, print_report, progress, run

UNHURRIED = {"Urgent": "no"}


def main() -> None:
    """Deploy the stacks named."""
    arguments = parser(__doc__)
    cdk.add_arguments(arguments)
    arguments.add_argument("--if-deployed", action="store_true", help="needs --account, --region and --role")
    environment.add_arguments(arguments, required=False)
    given = arguments.parse_args()
    if given.if_deployed and not environment.deployed(given, given.stacks[0]):
        progress(f"{given.stacks[0]} is not deployed yet: nothing to update")
        print_report({"stacks": []})
        return
    hurries = UNHURRIED.keys() <= cdk.parameters(given.assembly, given.stacks[0])
    watching = baseline.watching(given.assembly, given.stacks) if given.role else []
    others = [stack for stack in given.stacks if stack not in watching]
    cdk.deploy(given.assembly, others, UNHURRIED if hurries else {})
    if watching:
        baseline.follow(given, s3=boto3.client("s3"), registry=boto3.client("sagemaker"), stacks=watching)
    print_report({"stacks": given.stacks})


if __name__ == "__main__":
    run(main, "update")
