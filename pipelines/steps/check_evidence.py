"""Stands between an approval and a deployment: everything that the evidence binds is looked at again, and must be what was approved.

What does not match is named, all of it.
"""

from __future__ import annotations

from pipelines.deployment import stack as stacks
from pipelines.deployment.approval import evidence_of
from pipelines.deployment.champion import compared
from pipelines.deployment.compare_evidence import compare
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.place import Place
from pipelines.steps.step import add_environment, open_place, parser, print_report, progress, run


def main() -> None:
    """Compare the evidence of a version with everything it binds."""
    arguments = parser(__doc__)
    add_environment(arguments)
    arguments.add_argument("--model-package-arn", help="without it, the version that serves; where none does, that is no failure")
    arguments.add_argument("--evidence-sha256", help="the digest that was approved")
    options = arguments.parse_args()
    place = open_place(options.model, options.environment)
    arn = options.model_package_arn or serving(place)
    if arn is None:
        progress(f"{place.serving_stack} is not deployed yet: there is no evidence to check")
        print_report({"model_package_arn": None})
        return
    comparisons = compare(place.registry, arn, evidence_sha256=options.evidence_sha256)
    sound = all(comparison.matches for comparison in comparisons)
    if options.model_package_arn and sound and (champion := compared(place, evidence_of(place.registry, arn))):
        comparisons.append(champion)
    if wrong := [comparison.line() for comparison in comparisons if not comparison.matches]:
        raise DeploymentError(f"{arn}: {'; '.join(wrong)}: nothing was deployed: find out what changed it, and push again")
    for comparison in comparisons:
        progress(f"{comparison.what:<20} {comparison.found}")
    print_report({"model_package_arn": arn, "matches": sorted({comparison.what for comparison in comparisons})})


def serving(place: Place) -> str | None:
    """The model package that the serving stack was deployed with; None when there is no stack."""
    stack = stacks.read(place.cloudformation, place.serving_stack)
    return stack.serving.model_package if stack else None


if __name__ == "__main__":
    run(main, "check_evidence")
