"""Puts one registered version into one environment, from the assembly that the commit's build made."""

from __future__ import annotations

from pipelines.deployment import release
from pipelines.deployment.guard import Guard
from pipelines.deployment.recording import Recording
from pipelines.steps.step import add_assembly, add_environment, add_execution, add_pace, open_place, pace, parser, print_report, run


def main() -> None:
    """Deploy `--model-package-arn`; print with which stacks."""
    arguments = parser(__doc__)
    add_environment(arguments)
    arguments.add_argument("--model-package-arn", required=True)
    add_assembly(arguments)
    add_execution(arguments)
    add_pace(arguments)
    options = arguments.parse_args()
    place = open_place(options.model, options.environment)
    version = release.candidate(place, options.model_package_arn)
    recording = Recording(place=place, version=version, execution=options.execution)
    recording.deploying()
    guard = Guard(place=place, version=version, writes=place.keeps_evidence, pace=pace(options))
    with recording.outcome(), guard.deployment():
        stacks = release.deploy(place, version, options.assembly, pace(options))
    print_report({"model_package_arn": version.arn, "stacks": stacks})


if __name__ == "__main__":
    run(main, "deploy")
