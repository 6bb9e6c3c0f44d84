"""Brings what serves a model and what monitors it to what this commit says, with the version that is there: nothing is trained.

Where nothing serves yet, it is left for the model's own delivery.
"""

from __future__ import annotations

from pipelines.deployment import release
from pipelines.steps.step import add_assembly, add_environment, add_pace, open_place, pace, parser, print_report, run


def main() -> None:
    """Deploy the stacks; print which."""
    arguments = parser(__doc__)
    add_environment(arguments)
    add_assembly(arguments)
    add_pace(arguments)
    options = arguments.parse_args()
    place = open_place(options.model, options.environment)
    print_report({"stacks": release.redeploy(place, options.assembly, pace(options))})


if __name__ == "__main__":
    run(main, "redeploy")
