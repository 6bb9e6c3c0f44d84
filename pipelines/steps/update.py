"""Brings stacks to what this commit says, with the parameters they have: new infrastructure, the same model.

Only the hurry that a rollback may have left behind is ended. With `--if-deployed`, stacks of which the first is not there yet are left
for the model's own delivery.
"""

from __future__ import annotations

from pipelines.steps import cdk, environment
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
    cdk.deploy(given.assembly, given.stacks, UNHURRIED if hurries else {})
    print_report({"stacks": given.stacks})


if __name__ == "__main__":
    run(main, "update")
