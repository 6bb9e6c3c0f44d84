"""Brings what serves a model and what monitors it to what this commit says, with the version that is there: nothing is trained.

Where nothing serves yet, it is left for the model's own delivery.
"""

from __future__ import annotations

from contextlib import nullcontext

from pipelines.deployment import package, release
from pipelines.deployment import stack as stacks
from pipelines.deployment.guard import Guard
from pipelines.steps.step import add_assembly, add_environment, add_pace, open_place, pace, parser, print_report, run


def main() -> None:
    """Deploy the stacks; print which."""
    arguments = parser(__doc__)
    add_environment(arguments)
    add_assembly(arguments)
    add_pace(arguments)
    options = arguments.parse_args()
    place, pacing = open_place(options.model, options.environment), pace(options)
    stack = stacks.read(place.cloudformation, place.serving_stack)
    version = package.read(place.registry.sagemaker, stack.serving.model_package) if stack else None
    guard = Guard(place=place, version=version, writes=False, pace=pacing) if version else None
    with guard.deployment() if guard else nullcontext():
        print_report({"stacks": release.redeploy(place, options.assembly, pacing)})


if __name__ == "__main__":
    run(main, "redeploy")
