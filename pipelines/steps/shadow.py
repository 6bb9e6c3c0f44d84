"""Gives a version copies of production's requests before anybody gets its answers, and compares it with the version that serves.

Where the policy is `shadow` this comes before the deployment, which is a canary then. What differs ends the shadow and fails the step. Too
few requests prove nothing: the step fails as well, but the shadow stays, for the stage to be retried.
"""

from __future__ import annotations

from pipelines.deployment import release, shadow, standing
from pipelines.deployment.shadow_trial import compared, differs
from pipelines.steps.step import add_assembly, add_environment, add_pace, conclude, open_place, pace, parser, print_report, progress, run


def main() -> None:
    """Print what was compared, as JSON."""
    arguments = parser(__doc__)
    add_environment(arguments)
    arguments.add_argument("--model-package-arn", required=True)
    add_assembly(arguments)
    add_pace(arguments)
    options = arguments.parse_args()
    place, pacing = open_place(options.model, options.environment), pace(options)
    stack = standing.ready(place, pacing)
    if stack is None:
        progress(f"{place.serving_stack} is not deployed yet: there are no requests to copy")
        print_report({"shadow": None})
        return
    version = release.candidate(place, options.model_package_arn)
    begun = shadow.begin(place, stack, options.assembly, version, pacing)
    if begun is None:
        print_report({"shadow": None})
        return
    shadowed, trial = begun
    verdicts = compared(trial, place.serving, pacing)
    if differs(verdicts):
        progress(f"{version.arn} is not like what serves: its shadow ends")
        shadow.end(place, shadowed, pacing)
    conclude({"shadow": version.arn, **trial.live.as_json()}, verdicts)


if __name__ == "__main__":
    run(main, "shadow")
